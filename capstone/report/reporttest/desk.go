// Package reporttest has a desk in memory, for tests of rule sets.
package reporttest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// A Desk decides commands as the desk of the log does, and keeps their events. Each command is
// entered, takes effect and is recorded at its time; Late and Correct say otherwise.
type Desk struct {
	Streams map[string][]trade.Event
	Facts   []report.Fact
	now     time.Time
	n       int
}

// New returns a desk without events.
func New() *Desk { return &Desk{Streams: map[string][]trade.Event{}} }

// At returns a time of RFC 3339, or midnight UTC of a date.
func At(s string) time.Time {
	if len(s) == len(time.DateOnly) {
		s += "T00:00:00Z"
	}
	t, err := trade.ParseTime(s)
	if err != nil {
		panic(err)
	}
	return t
}

// Do records a command, and the follow-ups that it has. The error is the refusal.
func (d *Desk) Do(at, uti string, body trade.Body) (trade.Event, error) {
	return d.Send(trade.Command{UTI: uti, EnteredAt: At(at), Body: body})
}

// Late records a command that takes effect at one time, and is entered at a later one.
func (d *Desk) Late(effective, entered, uti string, body trade.Body) (trade.Event, error) {
	return d.Send(trade.Command{UTI: uti, EnteredAt: At(entered), EffectiveAt: At(effective),
		Body: body})
}

// Correct records a correction of an event.
func (d *Desk) Correct(at, uti string, wrong trade.Event, body trade.Body) (trade.Event, error) {
	return d.Send(trade.Command{UTI: uti, EnteredAt: At(at), Corrects: wrong.ID, Body: body})
}

// Send records a command. Empty attributes get a default: an id, an actor, an approver and a
// reason.
func (d *Desk) Send(cmd trade.Command) (trade.Event, error) {
	if cmd.ID == "" {
		d.n++
		cmd.ID = fmt.Sprintf("command-%d", d.n)
	}
	if cmd.Actor == "" {
		cmd.Actor, cmd.Approver, cmd.Reason = "desk/ops", "desk/control", "as agreed"
	}
	decision, err := trade.Decide(d.Streams, cmd)
	if err != nil {
		return trade.Event{}, err
	}
	history := d.Streams[cmd.Stream()]
	e := trade.Event{
		ID: trade.EventID(cmd.ID, 0), Version: int64(len(history)) + 1, Corrects: decision.Corrects,
		EffectiveAt: decision.EffectiveAt, EnteredAt: cmd.EnteredAt,
		RecordedAt: d.recorded(cmd.EnteredAt), Actor: cmd.Actor, Body: decision.Body,
	}
	d.Streams[cmd.Stream()] = append(history, e)
	if strings.HasPrefix(cmd.Stream(), "trade/") {
		for _, next := range trade.FollowUps(cmd.UTI, d.Streams[cmd.Stream()], e) {
			if _, err := d.Send(next); err != nil {
				return e, fmt.Errorf("follow-up to %s: %w", next.UTI, err)
			}
		}
	}
	return e, nil
}

func (d *Desk) recorded(entered time.Time) time.Time {
	if d.now = d.now.Add(time.Microsecond); entered.After(d.now) {
		d.now = entered
	}
	return d.now
}

// State records reference data, as pairs of a name and a value. It panics for data that Check
// refuses.
func (d *Desk) State(at, kind, key string, pairs ...string) report.Fact {
	s := report.Stated{Kind: kind, Key: key}
	for p := range slices.Chunk(pairs, 2) {
		s.Attributes = append(s.Attributes, report.Attribute{Name: p[0], Value: p[1]})
	}
	if err := s.Check(); err != nil {
		panic(err)
	}
	d.n++
	f := report.Fact{ID: trade.EventID(fmt.Sprintf("fact-%d", d.n), 0), Version: int64(d.n),
		EffectiveAt: At(at), RecordedAt: d.recorded(At(at)), Stated: s}
	d.Facts = append(d.Facts, f)
	return f
}

// Contract returns the histories of a contract.
func (d *Desk) Contract(uti string) report.Contract {
	c := report.Contract{UTI: uti, History: d.Streams[trade.TradeStream(uti)]}
	if prior := report.PriorOf(c.History); prior != "" {
		c.Prior = d.Streams[trade.TradeStream(prior)]
	}
	return c
}

// UTIs returns the contracts of the desk, sorted.
func (d *Desk) UTIs() (all []string) {
	for stream := range d.Streams {
		if uti, ok := strings.CutPrefix(stream, "trade/"); ok {
			all = append(all, uti)
		}
	}
	slices.Sort(all)
	return all
}

// Inputs returns the messages of a contract under a rule set, each as the input of its row.
func (d *Desk) Inputs(s report.RuleSet, uti string, known time.Time) (all []report.Input) {
	actions, _ := report.Actions(d.Contract(uti), known)
	reference := report.FoldReference(slices.Values(d.Facts), known)
	for _, m := range s.Messages(actions) {
		all = append(all, report.Input{Message: m, Reference: reference, Known: known})
	}
	return all
}
