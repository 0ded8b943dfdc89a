package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/ledger"
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
	CheckEvery      time.Duration `help:"${serve_check_every}" default:"0s"`
	LogFormat       string        `help:"${serve_log_format}" enum:"text,json" default:"text"`
	LogLevel        slog.Level    `help:"${serve_log_level}" default:"info"`
	ReconcileEvery  time.Duration `help:"${serve_reconcile_every}" default:"0"`
	ReportRules     []string      `help:"${serve_report_rules}" placeholder:"RULES"`
	PostLedger      string        `help:"${serve_post_ledger}" placeholder:"LEDGER"`
	Publish         bool          `help:"${serve_publish}"`
	Simulate        bool          `help:"${import_simulate}"`

	Policies string `help:"${serve_policies}" placeholder:"FILE" type:"existingfile"`

	TLSCert      string `name:"tls-cert" help:"${serve_tls_cert}" type:"existingfile" and:"tls"`
	TLSKey       string `name:"tls-key" help:"${serve_tls_key}" type:"existingfile" and:"tls"`
	ClientCA     string `name:"client-ca" help:"${serve_client_ca}" type:"existingfile"`
	OIDCIssuer   string `name:"oidc-issuer" help:"${serve_issuer}" placeholder:"URL" and:"oidc"`
	OIDCAudience string `name:"oidc-audience" help:"${serve_audience}" and:"oidc"`
}

// Run serves the log until the command is told to end. The commands in flight then finish, and the
// session writes its marks.
func (c *serveCmd) Run(ctx context.Context, a *app) error {
	if min(c.SealEvery, c.CheckEvery, c.ReconcileEvery) < 0 || c.SealEveryEvents < 0 {
		return &usageError{"an interval is negative",
			"give a duration like 1m and a number of events; 0 leaves one of them out"}
	}
	listeners, err := c.listen(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	config := a.config()
	config.New, config.Source = a.newLog(c.Simulate), "serve"
	config.Logger = c.log(a.stderr)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		config.Logger.Warn("traces", "error", err)
	}))
	if config.Traces, err = a.traces(ctx); err != nil {
		return err
	}
	groups := serve.NewGroups()
	config.Grouped = func(events int) { groups.Observe(float64(events)) }
	s, err := a.openAs(ctx, config, session.Write)
	if err != nil {
		return err
	}
	own := listeners[len(listeners)-1] // that of the commands in this data folder
	local := logdir.Service{URL: "http://" + own.Addr().String(), Token: rand.Text(),
		PID: os.Getpid()}
	url := local.URL
	if len(listeners) > 1 {
		url = "https://" + listeners[0].Addr().String()
		local.Public = url
	}
	server, err := c.server(ctx, a, s, local.Token, observed{groups, config.Traces})
	if err != nil {
		return err
	}
	withdraw, err := s.Dir().Announce(local)
	if err != nil {
		return err
	}
	a.onClose(withdraw) // BEFORE the session closes: commands wait for the lock of the writer
	err = a.answer(of(s), map[string]any{"url": url}, func(w io.Writer) {
		printLine(w, "serving the log %s at %s", s.Settings().Name, url)
		printLine(w, "  commands with the same --data ask it; an interrupt ends it")
	})
	if err != nil {
		return err
	}
	return server.Run(ctx, listeners...)
}

// listen listens at the address. With TLS the commands of the data folder get a second address, in
// the clear and on loopback.
func (c *serveCmd) listen(ctx context.Context) ([]net.Listener, error) {
	if c.TLSCert == "" {
		if c.ClientCA != "" {
			return nil, &usageError{"--client-ca needs --tls-cert and --tls-key",
				"a certificate of a client comes with TLS only"}
		}
		l, err := listen(ctx, c.Address, true)
		return []net.Listener{l}, err
	}
	config, err := c.tls()
	if err != nil {
		return nil, &usageError{err.Error(), "name a certificate and its key, in PEM"}
	}
	public, err := listen(ctx, c.Address, false)
	if err != nil {
		return nil, err
	}
	own, err := listen(ctx, "127.0.0.1:0", true)
	if err != nil {
		return nil, errors.Join(err, public.Close())
	}
	return []net.Listener{tls.NewListener(public, config), own}, nil
}

// tls returns the configuration of TLS 1.2 and later. A client may come without a certificate, and
// sign in otherwise.
func (c *serveCmd) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil || c.ClientCA == "" {
		return &tls.Config{Certificates: []tls.Certificate{pair}}, err
	}
	text, err := os.ReadFile(c.ClientCA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", c.ClientCA)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool,
		ClientAuth: tls.VerifyClientCertIfGiven}, nil
}

// listen listens at an address. In the clear, that must be a loopback address: passwords and tokens
// travel over it.
func listen(ctx context.Context, address string, clear bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	if err == nil && clear && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
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
	ctx context.Context, a *app, s *session.Session, token string, to observed,
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
		Seal: sealer(s), Sealed: publishedBefore(s), Store: s.Settings().Store, Groups: to.groups,
		Recheck: a.recheck(s), RecheckEvery: c.CheckEvery,
		Records: recordActs(s), Canary: canarySteps(s),
		Deny: denials(s), Refusals: refusals, Log: c.log(a.stderr), Traces: to.traces,
		ReconcileEvery: c.ReconcileEvery, Reconcile: a.reconcileAll(s),
		SignIn: []serve.Authenticator{
			serve.Token{Secret: token, Principal: localPrincipal()}, serve.Certificates{},
			passwords,
		},
	}
	if config.Ledgers, err = c.ledgers(ctx, a, s); err != nil {
		return nil, err
	}
	if c.Publish {
		if config.Publisher, err = s.Publication(ctx); err != nil {
			return nil, err
		}
	}
	if len(c.ReportRules) > 0 {
		if config.Late, err = lateReports(s, c.ReportRules); err != nil {
			return nil, err
		}
	}
	if c.Policies != "" {
		if config.Policies, err = readPolicies(c.Policies); err != nil {
			return nil, err
		}
	}
	if c.OIDCIssuer != "" {
		issuer, err := serve.NewOIDC(ctx, c.OIDCIssuer, c.OIDCAudience)
		if err != nil {
			return nil, &outage{fmt.Sprintf("the issuer %s: %v", c.OIDCIssuer, err),
				"name the URL that its tokens have as iss, and see that it answers"}
		}
		config.SignIn = append(config.SignIn, issuer)
	}
	config.SignIn = append(config.SignIn, serve.UnknownTokens{})
	for _, m := range models {
		config.Models = append(config.Models, serve.Model(m))
	}
	server := serve.New(config)
	a.verdict, a.health = server.Verdict, server.Health
	addConsole(server, config, s)
	return server, nil
}

// ledgers returns the desk of the service for books, and the poster of the chosen one. A log
// without atomic appends has none.
func (c *serveCmd) ledgers(
	ctx context.Context, a *app, s *session.Session,
) (*serve.Ledgers, error) {
	desk, err := a.book(ctx, s, "serve/ledger")
	if errors.Is(err, errors.ErrUnsupported) && c.PostLedger == "" {
		return nil, nil
	}
	if err != nil || c.PostLedger == "" {
		return &serve.Ledgers{Desk: desk}, err
	}
	poster := &ledger.Poster{Desk: desk, Trades: s.Codec, Ledger: c.PostLedger}
	return &serve.Ledgers{Desk: desk, Poster: poster}, nil
}

// observed takes the measurements and the spans of a service; the zero value takes none.
type observed struct {
	groups prometheus.Histogram
	traces trace.TracerProvider
}

// log returns the log of the service.
func (c *serveCmd) log(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// traces returns a provider that exports spans by OTLP over HTTP, as the environment variables of
// OpenTelemetry say. Without an endpoint there it returns nil: nothing is traced.
func (a *app) traces(ctx context.Context) (trace.TracerProvider, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" &&
		os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("the export of traces: %v", err),
			"see the variables OTEL_EXPORTER_OTLP_* of OpenTelemetry"}
	}
	name := resource.NewSchemaless(attribute.String("service.name", "blotter"))
	of, err := resource.Merge(name, resource.Environment()) // OTEL_SERVICE_NAME wins
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(of))
	otel.SetTracerProvider(provider) // of the queries of read models
	a.onClose(func() error {
		// The last spans may be lost: a collector that is away must not keep a service from ending.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = provider.Shutdown(ctx)
		return nil
	})
	return provider, nil
}

// localPrincipal is the user of the process, who alone may read the data folder.
func localPrincipal() serve.Principal {
	return serve.Principal{Name: fmt.Sprintf("local/%d", max(0, os.Getuid())),
		Roles: []serve.Role{serve.Reader, serve.Trader, serve.Approver, serve.Importer,
			serve.Operations}}
}

// readPolicies reads the policies of a service.
func readPolicies(file string) (*access.Policies, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := access.Parse(file, text)
	if err != nil {
		err = &usageError{err.Error(),
			"mend the file; capstone/access/policies.cedar is the default"}
	}
	return p, err
}

// denials records denials in the log, each on the stream of its principal.
func denials(s *session.Session) func(context.Context, access.Denied) error {
	return func(ctx context.Context, d access.Denied) error {
		return recordAccess(ctx, s, domain.Entry{Actor: d.Principal, SubmittedBy: d.Principal,
			Reason: "the request was denied", Source: "serve"}, d)
	}
}

// recordAccess records an access on the stream of the entry's actor.
func recordAccess(
	ctx context.Context, s *session.Session, entry domain.Entry, body domain.Body,
) error {
	codec, now, err := enteredNow(ctx, s)
	if err != nil {
		return err
	}
	entry.CommandID, entry.EnteredAt = "access-"+uuid.NewString(), now
	stream := access.Stream(entry.Actor)
	e, err := codec.Event(ctx, stream, 0, entry, body)
	if err != nil {
		return err
	}
	_, err = s.Log.Append(contract.At(ctx, now), stream, contract.Any, e)
	return err
}

// enteredNow returns the codec and the time of an event that is entered when it is recorded. A
// simulated log has no clock, and gives the time of its last event.
func enteredNow(ctx context.Context, s *session.Session) (*domain.Codec, time.Time, error) {
	codec, err := s.Domain(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	now, err := s.System().Now(ctx)
	return codec, now.Known, err
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

// publishedBefore returns the last checkpoint in the archive, and the time of its publication.
func publishedBefore(
	s *session.Session,
) func(context.Context) (contract.Checkpoint, time.Time, error) {
	return func(ctx context.Context) (c contract.Checkpoint, at time.Time, err error) {
		view := s.View()
		defer view.Close()
		end, last, err := lastCheckpoint(ctx, view)
		if err == nil && last != nil {
			c.End, c.Size = end, last.Size
		}
		if err == nil && last != nil && last.Published != nil {
			at = *last.Published
		}
		return c, at, err
	}
}

// recheck replays the last snapshot and verifies the log. Only its verdicts are counted: a query of
// a reader may ask for a replay of anything, and its answer must page nobody.
func (a *app) recheck(s *session.Session) func(context.Context) []serve.Part {
	return func(ctx context.Context) (all []serve.Part) {
		for _, name := range []string{"replay", "verify"} {
			p := serve.Part{Name: name, Well: true}
			_, _, err := a.ask(ctx, s, []string{name})
			if err != nil {
				p.Well, p.Reason = false, err.Error()
			}
			if !errors.As(err, new(noVerdict)) {
				a.verdict(name, exitCode(err))
			}
			all = append(all, p)
		}
		return all
	}
}

// checker examines the stack.
func checker(s *session.Session) func(context.Context) []serve.Part {
	return func(ctx context.Context) (all []serve.Part) {
		for _, h := range stack.Check(ctx, s.Stack()) {
			all = append(all, stackPart(h))
		}
		return all
	}
}

// stackPart returns the state of a part of the stack. No command is decided without it.
func stackPart(h stack.Health) serve.Part {
	p := serve.PartOf(h.Component, "", h.Err)
	p.Away = h.Err != nil
	return p
}
