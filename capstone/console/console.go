// Package console serves pages that show a log to people: the trades, one trade with its events,
// positions and P&L, and the log's health. A page only reads. It asks the queries that the API
// answers, so both give the same figures.
//
//	GET /console/             the trades, filtered by attributes and words
//	GET /console/trade        ?uti=…: a trade as of two times, with its events and their proofs
//	GET /console/transaction  ?id=…: the events of one business transaction
//	GET /console/tamper       ?event=…&of=…&byte=…: a copy of a proof with one altered byte
//	GET /console/positions    positions and P&L as of two times
//	GET /console/explain      ?from=…&to=…: the change of the P&L between two days, by its causes
//	GET /console/curves       the price curves as of two times, drawn
//	GET /console/ledger       the balances of a ledger; ?account=… the statement of one account
//	GET /console/snapshots    the archived states; ?replay=… compares one with the log
//	GET /console/health       lag, parked streams, follow-ups, the last checkpoint
//
// The parameters known-at and effective-at have the form of the command line's flags, and go from
// page to page. Pages work without their script, which adds a range to each time.
package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"time"

	tlogproof "github.com/transparency-dev/formats/proof"
)

// Config has the sources of the pages. All but Prove, Check and Read are required.
type Config struct {
	// Ask answers a query of the API with its JSON. An answer may come with a Problem.
	Ask func(ctx context.Context, query string, values url.Values) ([]byte, error)
	// Prove returns the proof of an event by its id (C2SP tlog-proof); nil proves nothing.
	Prove func(ctx context.Context, event string) ([]byte, error)
	// Check checks a proof of any origin, and the cosignatures of its checkpoint. It is required
	// with Prove.
	Check func(ctx context.Context, proof []byte) (Checked, error)
	// Read reads the text of a proof, whose lines may be long. It is required with Prove.
	Read func(proof []byte) (tlogproof.TLogProof, error)
	// Now returns the time that an answer is known at if no time is asked.
	Now func(context.Context) (time.Time, error)
}

// A Problem is a question that has no answer.
type Problem struct {
	Status       int // of HTTP
	Detail, Hint string
}

func (p *Problem) Error() string { return p.Detail }

//go:embed pages assets
var files embed.FS

// policy is the Content-Security-Policy of the pages: nothing inline, and nothing from elsewhere.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// A page is what a template shows.
type page struct {
	Path, Title string
	Keep        url.Values // the parameters of the two times: links keep them
	Own         url.Values // the other parameters: the form of the times keeps them
	Times       times
	Known       []string // stops of the ranges
	Effective   []string
	Problem     *Problem
	Body        any
}

// Link returns a path with the two times of the page and one more parameter.
func (p *page) Link(path string, param ...string) string {
	values := url.Values{}
	for name, all := range p.Keep {
		values[name] = all
	}
	if len(param) == 2 {
		values = with(values, param[0], param[1])
	}
	return "/console/" + path + "?" + values.Encode()
}

// At returns the link to the same page at another time.
func (p *page) At(param, value string) string {
	values := with(p.Keep, param, value)
	for name, all := range p.Own {
		values[name] = all
	}
	return p.Path + "?" + values.Encode()
}

// Now returns the link to the same page now.
func (p *page) Now() string { return p.Path + "?" + p.Own.Encode() }

// with returns a copy of values with another value of one parameter.
func with(values url.Values, name, value string) url.Values {
	out := url.Values{}
	for name, all := range values {
		out[name] = slices.Clone(all)
	}
	out.Set(name, value)
	return out
}

// A builder asks for the body of a page.
type builder func(c *Config, r *http.Request, p *page) error

var pages = map[string]struct {
	title string
	build builder
}{
	"":            {"Blotter", blotter},
	"trade":       {"Trade", oneTrade},
	"transaction": {"Transaction", transaction},
	"tamper":      {"Tamper and see", tamper},
	"positions":   {"Positions and P&L", positions},
	"explain":     {"Explain P&L", explained},
	"curves":      {"Price curves", curves},
	"ledger":      {"Ledger", balances},
	"snapshots":   {"Snapshots and replays", snapshots},
	"health":      {"Health", health},
}

// New returns the handler of all paths below /console/.
func New(c Config) http.Handler {
	mux := http.NewServeMux()
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		panic(err)
	}
	mux.Handle("GET /console/assets/",
		http.StripPrefix("/console/assets/", http.FileServerFS(assets)))
	for name, of := range pages {
		file := name
		if name == "" {
			file, name = "trades", "{$}"
		}
		t := template.Must(template.ParseFS(files, "pages/layout.html", "pages/events.html",
			"pages/"+file+".html"))
		mux.HandleFunc("GET /console/"+name, func(w http.ResponseWriter, r *http.Request) {
			p := newPage(r, of.title)
			c.answer(w, r, t, p, of.build)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Cache-Control", "no-cache, private")
		mux.ServeHTTP(w, r)
	})
}

// newPage takes the two times out of the parameters of a request. An empty time is now.
func newPage(r *http.Request, title string) *page {
	p := &page{Path: r.URL.Path, Title: title, Keep: url.Values{}, Own: r.URL.Query()}
	for _, name := range []string{"known-at", "effective-at"} {
		if value := p.Own.Get(name); value != "" {
			p.Keep.Set(name, value)
		}
		p.Own.Del(name)
	}
	return p
}

// answer writes a page. A page with a problem has its status, and the form to ask again.
func (c *Config) answer(
	w http.ResponseWriter, r *http.Request, t *template.Template, p *page, build builder,
) {
	err := build(c, r, p)
	status := http.StatusOK
	if errors.As(err, &p.Problem) {
		status = p.Problem.Status
	} else if err != nil {
		status = http.StatusServiceUnavailable
		p.Problem = &Problem{Detail: "a part of the system is away", Hint: "see /readyz"}
	}
	if p.Known == nil {
		if now, err := c.Now(r.Context()); err == nil {
			p.Known = days(now)
			p.Effective = p.Known
		}
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, "layout", p); err != nil {
		panic(fmt.Sprintf("page %s: %v", p.Path, err)) // a fault of the template
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a client that is gone
}

// days returns the 366 days before a time, and "" for now.
func days(now time.Time) (all []string) {
	for i := -366; i < 0; i++ {
		all = append(all, now.AddDate(0, 0, i).Format(time.DateOnly))
	}
	return append(all, "")
}
