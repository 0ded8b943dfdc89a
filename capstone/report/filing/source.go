// Package filing makes the reports of a log, hands them to a repository, and keeps their life cycle
// on record.
//
// Make reads the log several times: once for the reference data, the curves and the filings, and
// then once for every BatchEvents events of trades. It holds the histories of one batch at a time,
// so its memory does not grow with the log. Rows are in the order of contracts, and of their
// actions.
package filing

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// BatchEvents is the number of events of trades that Make holds at a time by default, but for the
// last contract of a batch, which is whole.
const BatchEvents = 20_000

// A Source is a log as known at a time. Every read gives the same events.
type Source struct {
	Read  func(context.Context) iter.Seq2[contract.Recorded, error]
	Codec contract.Codec
	Known time.Time
}

// Of returns a log, as known at a time before its end.
func Of(log contract.Reader, codec contract.Codec, known time.Time) Source {
	return Source{Known: known, Codec: codec,
		Read: func(ctx context.Context) iter.Seq2[contract.Recorded, error] {
			return func(yield func(contract.Recorded, error) bool) {
				end, err := log.End(ctx)
				if err != nil {
					yield(contract.Recorded{}, err)
					return
				}
				for r, err := range log.Read(ctx, nil, end) {
					if !yield(r, err) {
						return
					}
				}
			}
		}}
}

// known yields the events that are known, and stops at the first error. A step of a filing is known
// from its first event on: its other events are of the same append, and a few microseconds later.
func (s Source) known(ctx context.Context, each func(contract.Recorded) error) error {
	steps := map[string]string{} // by stream of filings: the command of its last known event
	for r, err := range s.Read(ctx) {
		filed := strings.HasPrefix(r.Stream, report.FilingStreams)
		step, begun := steps[r.Stream]
		if err == nil && (!r.RecordedAt.After(s.Known) || filed && begun && step == r.CommandID) {
			if filed {
				steps[r.Stream] = r.CommandID
			}
			err = each(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A World is everything that a report needs beside the histories of its contracts.
type World struct {
	Source    Source
	Reference report.Reference
	Filings   report.Filings // of the regime
	Version   int64          // of the stream of the filings
	Batch     int            // BatchEvents
	events    map[string]int // of each contract, by UTI
	began     map[string]trade.Event
	curves    map[string][]trade.Event
	folded    map[curveKey]trade.Curve
}

type curveKey struct {
	name      string
	effective time.Time
}

// Open reads the log for a regime, such as CFTC.
func Open(ctx context.Context, s Source, regime string) (*World, error) {
	w := &World{Source: s, Batch: BatchEvents, events: map[string]int{},
		began:  map[string]trade.Event{},
		curves: map[string][]trade.Event{}, folded: map[curveKey]trade.Curve{}}
	var facts []report.Fact
	var old, filed []contract.Recorded
	err := s.known(ctx, func(r contract.Recorded) (err error) {
		switch prefix, rest, _ := strings.Cut(r.Stream, "/"); prefix + "/" {
		case "trade/":
			w.events[rest]++
			err = w.begun(ctx, r)
		case "curve/":
			var e trade.Event
			e, err = contract.Decoded(ctx, s.Codec, r)
			w.curves[rest] = append(w.curves[rest], e)
		case report.ReferenceStreams:
			var f report.Fact
			f, err = FactOf(r)
			facts = append(facts, f)
		case report.FilingStreams:
			switch rest {
			case regime:
				w.Version, filed = r.Version, append(filed, r)
			case firstRules(regime):
				old = append(old, r)
			}
		}
		return err
	})
	for _, r := range append(old, filed...) { // on another partition, an old one may be read later
		if err == nil {
			err = take(&w.Filings, regime, r)
		}
	}
	w.Reference = report.FoldReference(slices.Values(facts), s.Known)
	return w, err
}

// firstRules returns the rule set whose stream, report/<rule set>, has the filings of a regime from
// before version 2 of report.made. No such stream grows any more.
func firstRules(regime string) string {
	return map[string]string{"CFTC": "cftc-v3.2", "CFTC-P43": "cftc-p43-v3.2",
		"REMIT": "remit-2014", "MIFIR": "mifir-rts22", "RECORDS": "records-2018"}[regime]
}

// begun remembers an event from which another contract may begin.
func (w *World) begun(ctx context.Context, r contract.Recorded) error {
	k, ok := trade.KindOfType(r.Type)
	if !ok || !k.Begins() {
		return nil
	}
	e, err := contract.Decoded(ctx, w.Source.Codec, r)
	if err == nil && trade.Begun(e.Body) != "" {
		w.began[trade.Begun(e.Body)] = e
	}
	return err
}

// FactOf decodes an event of reference data.
func FactOf(r contract.Recorded) (report.Fact, error) {
	body, err := domain.Decode[report.Stated](r)
	return report.Fact{ID: r.ID, Corrects: r.Corrects, Version: r.Version,
		EffectiveAt: r.EffectiveAt.UTC(), RecordedAt: r.RecordedAt.UTC(), Stated: body}, err
}

func take(f *report.Filings, regime string, r contract.Recorded) error {
	var body any
	var err error
	switch r.Type {
	case report.Made{}.EventType():
		var made report.Made
		made, err = domain.Decode[report.Made](r)
		made.Rules = cmp.Or(made.Rules, firstRules(regime))
		body = made
	case report.Sent{}.EventType():
		body, err = domain.Decode[report.Sent](r)
	case report.Answered{}.EventType():
		body, err = domain.Decode[report.Answered](r)
	default:
		err = fmt.Errorf("stream %s has an event of type %s", r.Stream, r.Type)
	}
	if err == nil {
		f.Take(r.CommandID, r.RecordedAt.UTC(), body)
	}
	return err
}

// Subjects yields every contract, sorted by UTI.
func (w *World) Subjects(ctx context.Context) iter.Seq2[report.Subject, error] {
	return func(yield func(report.Subject, error) bool) {
		for batch := range w.batches() {
			found, err := w.read(ctx, batch)
			if err != nil {
				yield(report.Subject{}, err)
				return
			}
			for _, s := range found {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// batches yields the contracts in parts of about Batch events.
func (w *World) batches() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		var batch []string
		events := 0
		for _, uti := range slices.Sorted(maps.Keys(w.events)) {
			batch, events = append(batch, uti), events+w.events[uti]
			if events >= w.Batch {
				if !yield(batch) {
					return
				}
				batch, events = nil, 0
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// read reads the histories of a batch, in its order.
func (w *World) read(ctx context.Context, batch []string) ([]report.Subject, error) {
	place := map[string]int{}
	found := make([]report.Subject, len(batch))
	entries := map[uuid.UUID]report.Entry{}
	of := func(e trade.Event) report.Entry { return entries[e.ID] }
	for i, uti := range batch {
		place[trade.TradeStream(uti)] = i
		found[i] = report.Subject{Contract: report.Contract{UTI: uti}, Entries: of}
	}
	err := w.Source.known(ctx, func(r contract.Recorded) error {
		i, ok := place[r.Stream]
		if !ok {
			return nil
		}
		e, err := contract.Decoded(ctx, w.Source.Codec, r)
		found[i].History = append(found[i].History, e)
		entries[e.ID] = report.Entry{CommandID: r.CommandID, Approver: r.Approver,
			Reason: r.Reason, Source: r.Source, SourceLine: r.SourceLine}
		return err
	})
	for i := range found {
		w.complete(&found[i])
	}
	return found, err
}

// complete adds the event from which a contract began, and the curves of its instrument.
func (w *World) complete(s *report.Subject) {
	if e, ok := w.began[s.UTI]; ok {
		s.Prior = []trade.Event{e}
	}
	for _, e := range s.History {
		if n, ok := e.Body.(trade.New); ok {
			s.Curve = func(at time.Time) trade.Curve { return w.curve(n.Instrument.Curve(), at) }
		}
	}
}

func (w *World) curve(name string, effective time.Time) trade.Curve {
	key := curveKey{name, effective}
	c, ok := w.folded[key]
	if !ok {
		at := trade.AsOf{Known: w.Source.Known, Effective: effective}
		c, _ = trade.FoldCurve(name, w.curves[name], at)
		w.folded[key] = c
	}
	return c
}

// Due returns the messages that no report has made by the known time, with their deadlines: rows
// that are due, and exceptions. The earliest deadline is first.
func (w *World) Due(ctx context.Context, run report.Run) (due []report.Exception, err error) {
	for s, err := range w.Subjects(ctx) {
		if err != nil {
			return nil, err
		}
		found := run.Contract(s)
		for i, r := range found.Rows {
			if r.Message.Value == nil {
				due = append(due, report.Exception{Message: r.Message.ID(), UTI: s.UTI,
					Missing: "no report has it yet", Owner: "reporting", Due: found.Due[i]})
			}
		}
		due = append(due, found.Exceptions...)
	}
	slices.SortStableFunc(due, func(a, b report.Exception) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Message, b.Message))
	})
	return due, nil
}

// Late returns the reports and messages that are past their deadline at the known time: reports
// that are not acknowledged, and then messages that no report has made.
func (w *World) Late(ctx context.Context, rules report.RuleSet) ([]report.Exception, error) {
	run := w.Run(rules, nil)
	due, err := w.Due(ctx, run)
	if err != nil {
		return nil, err
	}
	late := append([]report.Exception{}, run.Late()...) // never nil: none is an empty list
	for _, e := range due {
		if w.Source.Known.After(e.Due) {
			late = append(late, e)
		}
	}
	return late, nil
}
