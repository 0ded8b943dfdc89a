package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/alecthomas/kong"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
)

// A service is a running service of the data folder, which owns the log.
type service struct{ logdir.Service }

// service returns the running service of the data folder; nil without one.
func (a *app) service() (*service, error) {
	if a.shared != nil { // this process is the service
		return nil, nil
	}
	found, err := logdir.FindService(a.cli.Data)
	if found == nil || err != nil {
		return nil, err
	}
	return &service{*found}, nil
}

// askService lets a running service answer a query. asked is false if there is none, or if it does
// not answer this command.
func (a *app) askService(
	ctx context.Context, chosen *kong.Context, args []string,
) (asked bool, err error) {
	if checkAsked(chosen) != nil {
		return false, nil
	}
	s, err := a.service()
	if s == nil || err != nil {
		return false, err
	}
	text, err := json.Marshal(map[string][]string{"args": args})
	if err != nil {
		return true, err
	}
	answer, err := s.post(ctx, "/v1/command-line", "application/json", bytes.NewReader(text))
	if err != nil {
		return true, err
	}
	defer answer.Body.Close()
	var p serve.Printed
	if err := json.NewDecoder(answer.Body).Decode(&p); err != nil {
		return true, s.lost(err)
	}
	_, err = io.WriteString(a.stdout, p.Stdout)
	io.WriteString(a.stderr, p.Stderr) // remarks: the answer is complete without them
	return true, firstOf(err, errorOf(p))
}

// errorOf returns the error of a command that a service ran.
func errorOf(p serve.Printed) error {
	switch p.Code {
	case done:
		return nil
	case failed:
		return &failure{p.Error, p.Hint}
	case misuse:
		return &usageError{p.Error, p.Hint}
	}
	return &outage{p.Error, p.Hint}
}

// post sends a request to the service. An answer that is no success is an error.
func (s *service) post(
	ctx context.Context, path, kind string, body io.Reader,
) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", "Bearer "+s.Token)
	client := &http.Client{Transport: &http.Transport{Proxy: nil, // a token is for this machine
		ResponseHeaderTimeout: 10 * time.Minute, DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return nil, s.lost(err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	p := problem{Problem: serve.Problem{Detail: answer.Status}}
	_ = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&p) // or the status says it
	return nil, s.problem(answer.StatusCode, p)
}

// A problem is an answer of the service that is no success. A body without the shape of a request
// has the place of each error.
type problem struct {
	serve.Problem
	Errors []struct{ Message, Location string }
}

// problem returns the error of a problem. A refusal has a rule. A body of another shape has the
// same status, and no rule. Access that is not permitted is an outage, by capstone/README.md.
func (s *service) problem(status int, p problem) error {
	for _, e := range p.Errors {
		p.Detail += fmt.Sprintf(": %s: %s", e.Location, e.Message)
	}
	said := fmt.Sprintf("the service at %s: %s", s.URL, p.Detail)
	switch {
	case p.Rule != "" && (status == http.StatusConflict ||
		status == http.StatusUnprocessableEntity):
		return &failure{p.Rule + ": " + p.Detail, p.Hint}
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge,
		status == http.StatusUnprocessableEntity:
		return &usageError{said, p.Hint}
	}
	return &outage{said, p.Hint}
}

func (s *service) lost(err error) error {
	return &outage{fmt.Sprintf("the service at %s (process %d) gave no complete answer: %v",
		s.URL, s.PID, err), "try again; if its process ended, start it again: blotter serve"}
}

// importFile sends the lines of a file to the service.
func (s *service) importFile(
	ctx context.Context, source string, file io.Reader, each func(serve.LineResult),
) (capstone.Imported, []serve.Orphan, error) {
	var none capstone.Imported
	answer, err := s.post(ctx, "/v1/batches?source="+url.QueryEscape(source),
		"application/x-ndjson", file)
	if err != nil {
		return none, nil, err
	}
	defer answer.Body.Close()
	in := json.NewDecoder(bufio.NewReader(answer.Body))
	for {
		var r serve.LineResult
		if err := in.Decode(&r); err != nil {
			return none, nil, s.lost(err)
		}
		switch {
		case r.Line > 0:
			each(r)
		case r.Totals == nil:
			return none, nil, s.lost(fmt.Errorf("an answer without totals"))
		case r.Result != "done":
			return *r.Totals, r.Orphaned, &outage{"the service: " + r.Detail,
				"recorded commands are not repeated"}
		default:
			return *r.Totals, r.Orphaned, nil
		}
	}
}
