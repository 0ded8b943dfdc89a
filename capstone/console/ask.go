package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// times are the two times of an answer.
type times struct {
	KnownAt   string `json:"known_at"`
	Cursor    []int  `json:"known_at_cursor"`
	Effective string `json:"effective_at"`
	Later     int    `json:"effective_later"`
	Simulated bool   `json:"simulated"`
}

// ask asks one query with values. It keeps the times of the last answer for the page.
func (c *Config) ask(
	ctx context.Context, p *page, query string, values url.Values, into any,
) error {
	text, err := c.Ask(ctx, query, values)
	if len(text) == 0 {
		return err
	}
	envelope := struct {
		times
		Answer any `json:"answer"`
	}{Answer: into}
	if wrong := json.Unmarshal(text, &envelope); wrong != nil {
		return errors.Join(err, fmt.Errorf("the answer of %s: %w", query, wrong))
	}
	p.Times = envelope.times
	p.Times.Effective = cmp.Or(p.Times.Effective, "all") // such as of the status
	return err
}

// A row is a trade as of the two times: its attributes by the names that the API has.
type row map[string]string

// blotter lists the trades as of the two times. A term like book=gas-prop compares an attribute of
// the listed trade. The other terms are words in the texts of events, up to now.
func blotter(c *Config, r *http.Request, p *page) error {
	var found struct {
		Search string
		Trades []row
		More   int // trades that the page leaves out
	}
	found.Search = p.Own.Get("q")
	p.Body = &found
	attributes, words := row{}, []string{}
	for _, term := range strings.Fields(found.Search) {
		if name, value, ok := strings.Cut(term, "="); ok {
			attributes[strings.ToLower(name)] = value
		} else {
			words = append(words, term)
		}
	}
	named := map[string]bool{}
	if len(words) > 0 {
		var all []struct{ UTI string }
		if err := c.ask(r.Context(), p, "search", url.Values{"words": words}, &all); err != nil {
			return err
		}
		for _, n := range all {
			named[n.UTI] = true
		}
	}
	var trades []row
	if err := c.ask(r.Context(), p, "trades", p.Keep, &trades); err != nil {
		return err
	}
	for _, t := range trades {
		has, err := t.has(attributes)
		if err != nil {
			return err
		}
		switch {
		case !has || len(words) > 0 && !named[t["uti"]]:
		case len(found.Trades) == mostTrades:
			found.More++
		default:
			found.Trades = append(found.Trades, t)
		}
	}
	return nil
}

// The most rows of a page. A page leaves out the others, and says how to see them.
const (
	mostTrades = 1000
	mostEvents = 100 // each with its proof
)

// has reports whether a trade has the given attributes. Letter case does not matter.
func (t row) has(attributes row) (bool, error) {
	for name, want := range attributes {
		value, ok := t[name]
		if !ok && name != "prior_uti" { // absent from a trade that began by itself
			return false, &Problem{Status: http.StatusBadRequest,
				Detail: fmt.Sprintf("a trade has no attribute %q", name),
				Hint: "such as uti, status, book, counterparty, trader, side, instrument, " +
					"currency, open, price"}
		}
		if !strings.EqualFold(value, want) {
			return false, nil
		}
	}
	return true, nil
}

// An event is one event of a trade or a transaction.
type event struct {
	ID, Stream, Type, Actor, Approver, Reason, Source, Corrects string

	Version     int64
	Line        int64     `json:"source_line"`
	RecordedAt  time.Time `json:"recorded_at"`
	EnteredAt   time.Time `json:"entered_at"`
	EffectiveAt time.Time `json:"effective_at"`
	SourceTime  string    `json:"source_recorded_at"`
	CommandID   string    `json:"command_id"`
	SubmittedBy string    `json:"submitted_by"`
	Correlation string    `json:"correlation_id"`
	Causation   string    `json:"causation_id"`
	Changes     []struct{ Field, Old, New string }

	CorrectedBy string // the id of a known event
	Later       bool   // it takes effect after the effective time
	Proof       *proof // nil: the service proves nothing
}

// Subject returns the trade or the curve that the event is about.
func (e event) Subject() string { return nameOf(e.Stream) }

// nameOf returns the name of the trade or the curve that a stream is about.
func nameOf(stream string) string {
	_, name, _ := strings.Cut(trade.Subject(stream), "/")
	return name
}

// Follows reports whether another event caused this one. Otherwise a command did.
func (e event) Follows() bool { return e.ID != e.Correlation }

// stamp is a time in a page and in its links.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Recorded returns the recorded time in the form of a parameter.
func (e event) Recorded() string { return stamp(e.RecordedAt) }

// Effective returns the effective time.
func (e event) Effective() string { return stamp(e.EffectiveAt) }

// Entered returns the time that the command was entered.
func (e event) Entered() string { return stamp(e.EnteredAt) }

// An eventList has the events that were known at the page's time.
type eventList struct {
	Trade   row    // nil: a transaction, or it has not begun by the times asked
	NotYet  int    // events that were recorded later
	Earlier int    // events that the page leaves out
	Before  string // the recorded time of the last one of them
	Events  []event
	Missing *Problem // the reason why there is no trade
}

// oneTrade shows a trade as of the two times, and its events.
func oneTrade(c *Config, r *http.Request, p *page) error {
	uti, list := p.Own.Get("uti"), new(eventList)
	p.Title, p.Body = "Trade "+uti, list
	if err := c.events(r.Context(), p, url.Values{"name": {uti}}, list); err != nil {
		return err
	}
	err := c.ask(r.Context(), p, "state", with(p.Keep, "uti", uti), &list.Trade)
	var none *Problem
	if errors.As(err, &none) && none.Status == http.StatusNotFound {
		list.Missing, err = none, nil
	}
	if err != nil {
		return err
	}
	return c.known(r.Context(), p, list)
}

// transaction shows the events of one business transaction.
func transaction(c *Config, r *http.Request, p *page) error {
	list := new(eventList)
	p.Body = list
	by := url.Values{"correlation": {p.Own.Get("id")}}
	if err := c.events(r.Context(), p, by, list); err != nil {
		return err
	}
	return c.known(r.Context(), p, list)
}

// events asks for events, and takes the stops of the ranges from them.
func (c *Config) events(
	ctx context.Context, p *page, values url.Values, list *eventList,
) error {
	if err := c.ask(ctx, p, "history", values, &list.Events); err != nil {
		return err
	}
	var known, effective []time.Time
	for _, e := range list.Events {
		known, effective = append(known, e.RecordedAt), append(effective, e.EffectiveAt)
	}
	p.Known, p.Effective = stops(known), stops(effective)
	return nil
}

// stops returns times in their order, and "" for now.
func stops(times []time.Time) (all []string) {
	slices.SortFunc(times, time.Time.Compare)
	for _, t := range times {
		all = append(all, stamp(t))
	}
	return append(slices.Compact(all), "")
}

// known leaves the events that were known at the page's time, and proves them.
func (c *Config) known(ctx context.Context, p *page, list *eventList) error {
	known, effective, err := c.asked(ctx, p)
	if err != nil {
		return err
	}
	list.limit(known)
	corrected := map[string]string{}
	prover := prover{c, map[string]Checked{}}
	for i, e := range list.Events {
		list.Events[i].Later = e.EffectiveAt.After(effective)
		list.Events[i].Proof = prover.proof(ctx, e.ID)
		corrected[e.Corrects] = e.ID
	}
	for i, e := range list.Events {
		list.Events[i].CorrectedBy = corrected[e.ID]
	}
	return nil
}

// limit leaves the last ones of the events that were known at a time.
func (l *eventList) limit(known time.Time) {
	all := len(l.Events)
	l.Events = slices.DeleteFunc(l.Events, func(e event) bool { return e.RecordedAt.After(known) })
	l.NotYet = all - len(l.Events)
	if len(l.Events) <= mostEvents {
		return
	}
	byTime := slices.SortedFunc(slices.Values(l.Events), func(a, b event) int {
		return a.RecordedAt.Compare(b.RecordedAt)
	})
	last := byTime[len(byTime)-mostEvents-1]
	l.Before, l.Earlier = last.Recorded(), len(l.Events)
	l.Events = slices.DeleteFunc(l.Events, func(e event) bool {
		return !e.RecordedAt.After(last.RecordedAt)
	})
	l.Earlier -= len(l.Events)
}

// asked returns the two times of the page as the queries read them: a date means its last moment.
// A query of the same form states them.
func (c *Config) asked(ctx context.Context, p *page) (known, effective time.Time, err error) {
	if err = c.ask(ctx, p, "books", p.Keep, new(json.RawMessage)); err != nil {
		return known, effective, err
	}
	known, err = time.Parse(time.RFC3339Nano, p.Times.KnownAt)
	if err != nil {
		return known, effective, err
	}
	effective, err = time.Parse(time.RFC3339Nano, p.Times.Effective)
	return known, effective, err
}

// positions shows the positions and the P&L of each book as of the two times. A null is a figure
// that is unknown, because a mark is missing.
func positions(c *Config, r *http.Request, p *page) error {
	var all struct {
		Positions, PnL []map[string]any
	}
	p.Body = &all
	if err := c.ask(r.Context(), p, "pnl", p.Keep, &all.PnL); err != nil {
		return err
	}
	return c.ask(r.Context(), p, "position", p.Keep, &all.Positions)
}

// balances shows the trial balance of a ledger as of the two times, and the statement of one of its
// accounts.
func balances(c *Config, r *http.Request, p *page) error {
	var body struct {
		Ledger, Account string
		Balances, Rows  []row
	}
	body.Ledger, body.Account = cmp.Or(p.Own.Get("ledger"), "main"), p.Own.Get("account")
	p.Title, p.Body = "Ledger "+body.Ledger, &body
	values := with(p.Keep, "ledger", body.Ledger)
	if err := c.ask(r.Context(), p, "ledger-balances", values, &body.Balances); err != nil {
		return err
	}
	if body.Account == "" {
		return nil
	}
	return c.ask(r.Context(), p, "ledger-statement", with(values, "account", body.Account),
		&body.Rows)
}

// A part is one row of an explained change: an end, a cause or the difference.
type part struct {
	Book, Currency, Part, Realised, Unrealised, Total string

	Instrument, Stream, Event, Operation, Actor string // of a cause
}

// Subject returns the trade or the curve of a cause.
func (p part) Subject() string { return nameOf(p.Stream) }

// explained shows the causes of a change of the P&L between the ends of two days. Without a day it
// shows only the form.
func explained(c *Config, r *http.Request, p *page) error {
	var body struct {
		From, To string
		Rows     []part
	}
	p.Body = &body
	if body.From, body.To = p.Own.Get("from"), p.Own.Get("to"); body.From == "" {
		return nil
	}
	values := url.Values{"from": {body.From}}
	if body.To != "" {
		values.Set("to", body.To)
	}
	return c.ask(r.Context(), p, "explain", values, &body.Rows)
}

// A snapshot is an archived state as the API lists it.
type snapshot struct {
	Name, Digest, Fault string
	Taken               string `json:"taken_at"`
	Through             string `json:"recorded_through"`
}

// A difference is the first line of a state that the log does not lead to any more.
type difference struct {
	Line                             int64
	Archived, Replayed, Stream, What string
}

// Subject returns the trade or the curve of the stream; empty if no event made the line.
func (d difference) Subject() string { return nameOf(d.Stream) }

// snapshots lists the archived states. It replays the log against one of them, if that is asked:
// then a difference is the problem of the page.
func snapshots(c *Config, r *http.Request, p *page) error {
	var body struct {
		Snapshots []snapshot
		Replay    *struct {
			Snapshot   string
			Events     int64
			Equal      bool
			Difference *difference
		}
	}
	p.Body = &body
	var fault *Problem
	err := c.ask(r.Context(), p, "snapshots", nil, &body.Snapshots)
	if name := p.Own.Get("replay"); err == nil && name != "" {
		err = c.ask(r.Context(), p, "replay", url.Values{"name": {name}}, &body.Replay)
	}
	if errors.As(err, &fault) && len(body.Snapshots) > 0 {
		p.Problem, err = fault, nil
	}
	return err
}

type healthBody struct {
	Well, Ready bool

	Parts []struct { // as /readyz gives them
		Name, Reason string
		Well         bool
	}
	Log *struct {
		Name, Store string
		Events      int64
		Partitions  int
		Last        string `json:"last_recorded_at"`
	}
	Lag []struct {
		Of         string
		Events     int64
		Partitions []struct{ Partition, Offset, End, Events int64 }
	}
	Checkpoint *struct {
		Origin     string
		Size       int64
		Published  string `json:"published_at"`
		Unanchored int64
	}
	FollowUps *struct {
		NotIssued int64 `json:"not_issued"`
		Refused   int64
	} `json:"follow_ups"`
	Parked []parked
}

type parked struct{ Stream, Rule, Detail string }

// Subject returns the trade or the curve of the stream.
func (p parked) Subject() string { return nameOf(p.Stream) }

// health shows the state of the log and its readers now, whatever times are asked. An answer that
// says no is shown, with its problem.
func health(c *Config, r *http.Request, p *page) error {
	body := new(healthBody)
	p.Body = body
	return c.ask(r.Context(), p, "status", nil, body)
}
