package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

type serveLogCmd struct {
	Address string `help:"${serve_log_address}" default:"127.0.0.1:8462" placeholder:"HOST:PORT"`
	Key     string `help:"${verify_key}" placeholder:"KEY"`
}

// Run serves the sealed log until the command is interrupted. It has the public key alone, and
// writes nothing.
func (c *serveLogCmd) Run(ctx context.Context, a *app) error {
	s, auditor, err := a.auditor(ctx, c.Key)
	if err != nil {
		return err
	}
	last, err := auditor.Published(ctx, 0)
	if err != nil {
		return err
	}
	if last.Size == 0 {
		return unsealed(ctx, auditor,
			&failure{"nothing is sealed yet: there is no log to serve", "seal it: blotter seal"})
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Address)
	if err != nil {
		return &usageError{fmt.Sprintf("--address %s: %v", c.Address, err),
			"name a free port, such as 127.0.0.1:0"}
	}
	url := "http://" + listener.Addr().String() + "/"
	err = a.answer(of(s), map[string]any{"url": url, "checkpoint": checkpointJSON(last)},
		func(w io.Writer) {
			printLine(w, "serving checkpoint %s at %s", nameOf(last), url)
			printLine(w, "  read-only, to any client of C2SP tlog-tiles; an interrupt ends it")
		})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return serveUntil(ctx, listener, auditor.Tiles)
}

// serveUntil serves until ctx ends, and then answers the requests that have begun.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout: time.Minute, // with the reads of the archive; a bundle has up to 16 MiB
		IdleTimeout:  time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(grace)
}
