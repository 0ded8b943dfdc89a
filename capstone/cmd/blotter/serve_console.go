package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/console"
	"example.com/blotter/capstone/serve"
)

// addConsole adds the pages for people, which ask the queries of the service.
func addConsole(server *serve.Server, config serve.Config) {
	queries := map[string]serve.Query{}
	for _, q := range config.Queries {
		queries[q.Name] = q
	}
	pages := console.New(console.Config{
		Prove: config.Prove,
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
