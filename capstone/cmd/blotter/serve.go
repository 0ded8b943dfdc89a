package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
)

type serveCmd struct {
	Address         string        `help:"${serve_address}" default:"127.0.0.1:8463"`
	SealEvery       time.Duration `help:"${serve_seal_every}" default:"1m"`
	SealEveryEvents int64         `help:"${serve_seal_events}" default:"1000"`
	Simulate        bool          `help:"${import_simulate}"`
}

// Run serves the log until the command is told to end. The commands in flight then finish, and the
// session writes its marks.
func (c *serveCmd) Run(ctx context.Context, a *app) error {
	if c.SealEvery < 0 || c.SealEveryEvents < 0 {
		return &usageError{"the interval of the seals is negative",
			"give a duration like 1m and a number of events; 0 leaves one of them out"}
	}
	listener, err := listen(ctx, c.Address)
	if err != nil {
		return err
	}
	defer listener.Close()
	config := a.config()
	config.New, config.Source = a.newLog(c.Simulate), "serve"
	s, err := a.openAs(ctx, config, session.Write)
	if err != nil {
		return err
	}
	local := logdir.Service{URL: "http://" + listener.Addr().String(), Token: rand.Text(),
		PID: os.Getpid()}
	server, err := c.server(ctx, a, s, local.Token)
	if err != nil {
		return err
	}
	withdraw, err := s.Dir().Announce(local)
	if err != nil {
		return err
	}
	a.onClose(withdraw) // BEFORE the session closes: commands wait for the lock of the writer
	err = a.answer(of(s), map[string]any{"url": local.URL}, func(w io.Writer) {
		printLine(w, "serving the log %s at %s", s.Settings().Name, local.URL)
		printLine(w, "  commands with the same --data ask it; an interrupt ends it")
	})
	if err != nil {
		return err
	}
	return server.Run(ctx, listener)
}

// listen listens at a loopback address: passwords and tokens travel in the clear.
func listen(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	if err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		err = errors.New("it is not a loopback address, and the service has no TLS certificate")
	}
	var listener net.Listener
	if err == nil {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address)
	}
	if err != nil {
		return nil, &usageError{fmt.Sprintf("--address %s: %v", address, err),
			"name a free port, such as 127.0.0.1:0"}
	}
	return listener, nil
}

// server wires the service over an open session.
func (c *serveCmd) server(
	ctx context.Context, a *app, s *session.Session, token string,
) (*serve.Server, error) {
	system := s.System()
	var err error
	if system.Projection, err = s.ReadModel(ctx); err != nil {
		return nil, err
	}
	passwords, err := serve.OpenPasswords(logdir.Principals(a.cli.Data))
	if err != nil {
		return nil, &usageError{err.Error(), "mend the file, or make it again: blotter principal"}
	}
	refusals, err := serve.OpenRefusals(s.Dir().Refusals(), time.Now)
	if err != nil {
		return nil, err
	}
	a.onClose(refusals.Close)
	models, err := s.Models(ctx)
	if err != nil {
		return nil, err
	}
	config := serve.Config{
		System: system, Queries: a.queries(s), CommandLine: a.commandLine(s),
		Event: func(ctx context.Context, r contract.Recorded) (any, error) {
			return entryOf(ctx, s.Codec, r)
		},
		Prove: prover(s), Check: checker(s),
		SealEvery: c.SealEvery, SealEveryEvents: c.SealEveryEvents,
		Seal:     sealer(s),
		Refusals: refusals, Log: slog.New(slog.NewTextHandler(a.stderr, nil)),
		SignIn: []serve.Authenticator{
			serve.Token{Secret: token, Principal: localPrincipal()},
			passwords, serve.UnknownTokens{},
		},
	}
	for _, m := range models {
		config.Models = append(config.Models, serve.Model(m))
	}
	return serve.New(config), nil
}

// localPrincipal is the user of the process, who alone may read the data folder.
func localPrincipal() serve.Principal {
	return serve.Principal{Name: fmt.Sprintf("local/%d", max(0, os.Getuid())), Roles: serve.Roles()}
}

// prover proves events with the checkpoints of the session's log.
func prover(s *session.Session) func(context.Context, string) ([]byte, error) {
	return func(ctx context.Context, event string) ([]byte, error) {
		view := s.View()
		defer view.Close()
		auditor, err := view.Auditor(ctx, nil)
		if err != nil {
			return nil, err
		}
		return proofOf(ctx, view, auditor, uuid.MustParse(event))
	}
}

// sealer seals with the keys of the session's folder. The keys are read again each time: a key
// that was replaced must not go on signing.
func sealer(s *session.Session) func(context.Context) (contract.Checkpoint, error) {
	return func(ctx context.Context) (contract.Checkpoint, error) {
		view := s.View()
		defer view.Close()
		auditor, err := view.Sealer(ctx)
		if err != nil {
			return contract.Checkpoint{}, err
		}
		return auditor.Seal(ctx)
	}
}

// checker examines the stack.
func checker(s *session.Session) func(context.Context) []serve.Part {
	return func(ctx context.Context) (all []serve.Part) {
		for _, h := range stack.Check(ctx, s.Stack()) {
			p := serve.Part{Name: h.Component, Well: h.Err == nil}
			if h.Err != nil {
				p.Reason, p.Away = h.Err.Error(), true
			}
			all = append(all, p)
		}
		return all
	}
}
