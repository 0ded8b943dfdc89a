package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/console"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	audit "example.com/blotter/solutions/5-audit"
)

// addConsole adds the pages for people, which ask the queries of the service.
func addConsole(server *serve.Server, config serve.Config, s *session.Session) {
	queries := map[string]serve.Query{}
	for _, q := range config.Queries {
		queries[q.Name] = q
	}
	pages := console.New(console.Config{
		Prove: config.Prove, Check: proofChecker(s), Read: audit.ReadProof,
		Now: func(ctx context.Context) (time.Time, error) {
			now, err := config.System.Now(ctx)
			return now.Known, err
		},
		Ask: func(ctx context.Context, name string, values url.Values) ([]byte, error) {
			q, ok := queries[name]
			if !ok {
				return nil, fmt.Errorf("the service has no query %s", name)
			}
			a := q.Ask(ctx, values)
			if a.Status == http.StatusOK && a.Detail == "" {
				return a.JSON, nil
			}
			return a.JSON, &console.Problem{Status: a.Status, Detail: a.Detail, Hint: a.Hint}
		},
	})
	server.Handle("GET /console/", access.Read, pages)
	server.Handle("GET /{$}", access.Read, http.RedirectHandler("/console/", http.StatusSeeOther))
}

// proofChecker checks proofs with the public key of the log and the policy of its witnesses.
func proofChecker(s *session.Session) func(context.Context, []byte) (console.Checked, error) {
	return func(ctx context.Context, text []byte) (c console.Checked, err error) {
		view := s.View()
		defer view.Close()
		auditor, err := view.Auditor(ctx, nil)
		if err != nil {
			return c, err
		}
		key := auditor.Keys.Verifier
		proven, err := audit.CheckProof(text, key.Name(), key)
		c.Checks = checksOf(err)
		policy := auditor.Reference.Policy
		if policy == nil {
			return c, nil
		}
		check := console.Check{Name: "witnesses", Made: err == nil}
		if check.Made {
			all, unwitnessed := policy.Check(proven.Checkpoint.Note, key)
			if unwitnessed != nil {
				check.Problem = unwitnessed.Error()
			}
			for _, w := range all {
				c.Witnesses = append(c.Witnesses, console.Cosignature(w))
			}
		}
		c.Unwitnessed, c.Checks = check.Problem, append(c.Checks, check)
		return c, nil
	}
}

// checksOf returns the checks that audit.CheckProof made before it returned an error or nil.
func checksOf(err error) (all []console.Check) {
	var failed *audit.ProofError
	made := true
	for _, name := range audit.ProofChecks() {
		check := console.Check{Name: name, Made: made}
		if errors.As(err, &failed) && failed.Check == name {
			check.Problem, made = failed.Err.Error(), false
		}
		all = append(all, check)
	}
	return all
}
