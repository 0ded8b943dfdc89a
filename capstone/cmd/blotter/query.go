package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

type stateCmd struct {
	UTI string `arg:"" help:"The trade."`
	asOf
}

func (c *stateCmd) Run(ctx context.Context, a *app) error {
	system, at, err := a.question(ctx, c.asOf)
	if err != nil {
		return err
	}
	t, err := system.Trade(ctx, c.UTI, at)
	if err != nil {
		return err
	}
	if t.Status == "" {
		return a.noTrade(ctx, system, c.UTI)
	}
	return a.answer(t, func(w io.Writer) { showTrade(w, t) })
}

// noTrade tells a trade that is unknown from one that is not there as of the times asked.
func (a *app) noTrade(ctx context.Context, system *capstone.System, uti string) error {
	if t, err := system.Trade(ctx, uti, trade.AsOf{}); err != nil || t.Status != "" {
		return joined(err, &failure{fmt.Sprintf("trade %s has not begun by the times asked", uti), "see: blotter history " + uti})
	}
	return &failure{fmt.Sprintf("there is no trade %s", uti), "blotter history shows refused commands too"}
}

func joined(err error, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func showTrade(w io.Writer, t trade.Trade) {
	fmt.Fprintf(w, "%s  %s\n", t.UTI, t.Status)
	table(w,
		fmt.Sprintf("contract\t%s %s at %s %s per %s", t.Side, t.Instrument, t.Price, t.Currency, t.Unit),
		fmt.Sprintf("book\t%s with %s, by %s", t.Book, t.Counterparty, t.Trader),
		fmt.Sprintf("contracted\t%s %s", t.Contracted, t.Unit),
		fmt.Sprintf("open\t%s", t.Open),
		fmt.Sprintf("settled\t%s (%s %s at the contract price)", t.Settled, t.Currency.Show(t.SettledAmount), t.Currency),
		fmt.Sprintf("novated\t%s", t.Novated),
		fmt.Sprintf("exercised\t%s", t.Exercised),
		fmt.Sprintf("terminated\t%s", t.Terminated),
	)
}

type positionCmd struct {
	Book string `help:"Only this book."`
	asOf
}

func (c *positionCmd) Run(ctx context.Context, a *app) error {
	positions, err := a.positions(ctx, c.Book, c.asOf)
	if err != nil {
		return err
	}
	return a.answer(positions, func(w io.Writer) { showPositions(w, positions) })
}

type pnlCmd struct {
	Book string `help:"Only this book."`
	asOf
}

func (c *pnlCmd) Run(ctx context.Context, a *app) error {
	positions, err := a.positions(ctx, c.Book, c.asOf)
	if err != nil {
		return err
	}
	all := totals(positions)
	return a.answer(all, func(w io.Writer) { showTotals(w, all) })
}

// positions are from the read model, or folded anew where a time is asked.
func (a *app) positions(ctx context.Context, book string, q asOf) ([]trade.Position, error) {
	system, at, err := a.question(ctx, q, withReadModel)
	if err != nil {
		return nil, err
	}
	positions, err := system.Positions(ctx, at)
	if err != nil {
		return nil, err
	}
	only := []trade.Position{} // never nil: with --json, nothing is an empty list
	for _, p := range positions {
		if book == "" || p.Book == book {
			only = append(only, p)
		}
	}
	if book != "" && len(only) == 0 {
		return nil, &failure{fmt.Sprintf("there is no position in a book %q", book), "blotter pnl lists the books"}
	}
	return only, nil
}

// question is what every query begins with: the log, and the two times. A time whose answer may still change is refused.
func (a *app) question(ctx context.Context, q asOf, with ...part) (*capstone.System, trade.AsOf, error) {
	at, err := q.parse(a.cli.Zone)
	if err != nil {
		return nil, at, err
	}
	if !at.Known.IsZero() {
		a.access = settles
	}
	system, err := a.existing(ctx, with...)
	if err != nil {
		return nil, at, err
	}
	if err := system.CheckKnown(ctx, at.Known); err != nil {
		return nil, at, err
	}
	a.mayChange = a.settings.Simulated && !at.Known.IsZero()
	return system, at, nil
}

type historyCmd struct {
	UTI string `arg:"" help:"The trade."`
}

// An entry is one line of a history.
type entry struct {
	Version     int64           `json:"version"`
	Stream      string          `json:"stream"`
	Type        string          `json:"type"`
	ID          string          `json:"id"`
	Corrects    string          `json:"corrects,omitempty"`
	RecordedAt  time.Time       `json:"recorded_at"`
	EffectiveAt time.Time       `json:"effective_at"`
	Actor       string          `json:"actor"`
	Approver    string          `json:"approver,omitempty"`
	Reason      string          `json:"reason"`
	Data        json.RawMessage `json:"data"`
}

func (c *historyCmd) Run(ctx context.Context, a *app) error {
	system, err := a.existing(ctx)
	if err != nil {
		return err
	}
	var entries []entry
	for e, err := range system.History(ctx, c.UTI) {
		if err != nil {
			return err
		}
		line, err := entryOf(ctx, system.Desk.Codec, e)
		if err != nil {
			return err
		}
		entries = append(entries, line)
	}
	if entries == nil {
		return &failure{fmt.Sprintf("nothing was ever recorded about %s", c.UTI), "is the UTI written as in the import?"}
	}
	return a.answer(entries, func(w io.Writer) { showHistory(w, entries) })
}

func entryOf(ctx context.Context, c contract.Codec, r contract.Recorded) (entry, error) {
	body, err := c.Decode(ctx, r.Type, r.Data)
	if err != nil {
		return entry{}, fmt.Errorf("stream %s, version %d: %w", r.Stream, r.Version, err)
	}
	data, err := readable(body)
	e := entry{
		Version: r.Version, Stream: r.Stream, Type: r.Type, ID: r.ID.String(), RecordedAt: r.RecordedAt, EffectiveAt: r.EffectiveAt,
		Actor: r.Actor, Approver: r.Approver, Reason: r.Reason, Data: data,
	}
	if r.Corrects != uuid.Nil {
		e.Corrects = r.Corrects.String()
	}
	return e, err
}

func showHistory(w io.Writer, entries []entry) {
	for _, e := range entries {
		fmt.Fprintf(w, "%s %d  %s  %s\n", e.Stream, e.Version, e.Type, e.ID)
		rows := []string{
			fmt.Sprintf("recorded\t%s, effective %s", e.RecordedAt.Format(time.RFC3339Nano), e.EffectiveAt.Format(time.RFC3339Nano)),
			fmt.Sprintf("by\t%s: %s", e.Actor, e.Reason),
		}
		if e.Approver != "" {
			rows = append(rows, "approved by\t"+e.Approver)
		}
		if e.Corrects != "" {
			rows = append(rows, "corrects\t"+e.Corrects)
		}
		table(w, append(rows, "what\t"+string(e.Data))...)
	}
}
