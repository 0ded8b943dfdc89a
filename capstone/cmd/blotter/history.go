package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/extract"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

type historyCmd struct {
	Name        string    `arg:"" optional:"" help:"A trade, a curve or a stream (access/carol)."`
	Command     string    `help:"The event that records this command." placeholder:"ID"`
	Correlation uuid.UUID `help:"Every event of this transaction." placeholder:"UUID"`
	Source      string    `help:"Every event from this file or client." placeholder:"NAME"`
	Claimed     bool      `help:"Every event whose actor did not sign in to a service."`
}

// An entry is one event of a history.
type entry struct {
	Version     int64           `json:"version"`
	Stream      string          `json:"stream"`
	Type        string          `json:"type"`
	ID          string          `json:"id"`
	Corrects    string          `json:"corrects,omitempty"`
	RecordedAt  time.Time       `json:"recorded_at"`
	EnteredAt   time.Time       `json:"entered_at"`
	EffectiveAt time.Time       `json:"effective_at"`
	CommandID   string          `json:"command_id"`
	Source      string          `json:"source"`
	SourceLine  int64           `json:"source_line,omitempty"`
	SubmittedBy string          `json:"submitted_by,omitempty"`
	SourceTime  *time.Time      `json:"source_recorded_at,omitempty"`
	AppendGroup string          `json:"append_group,omitempty"`
	Actor       string          `json:"actor"`
	Approver    string          `json:"approver,omitempty"`
	Reason      string          `json:"reason"`
	Correlation string          `json:"correlation_id"`
	Causation   string          `json:"causation_id"`
	Data        json.RawMessage `json:"data"`
	Changes     []change        `json:"changes"`
}

func (c *historyCmd) Run(ctx context.Context, a *app) error {
	if (c.Name != "") == (c.search() != capstone.Search{}) {
		return &usageError{"history needs a trade, a curve or a search",
			"name one, or use --command, --correlation, --source or --claimed"}
	}
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	used, err := s.System().Now(ctx)
	if err != nil {
		return err
	}
	var entries []entry
	changes := &changeLog{s.Log, s.Codec, map[string]*streamChanges{}}
	for e, err := range c.events(ctx, s.System()) {
		if err != nil {
			return err
		}
		line, err := entryOf(ctx, s.Codec, e)
		if err != nil {
			return err
		}
		if line.Changes, err = changes.of(ctx, e); err != nil {
			return err
		}
		entries = append(entries, line)
	}
	if entries == nil {
		return &failure{fmt.Sprintf("nothing was ever recorded %s", c.subject()),
			"compare it with the imported file"}
	}
	for _, e := range entries {
		if e.EffectiveAt.After(used.Known) {
			used.Later++
		}
	}
	return a.answer(of(s).with(used), entries, func(w io.Writer) { printHistory(w, entries) })
}

func (c *historyCmd) search() capstone.Search {
	return capstone.Search{CommandID: c.Command, Correlation: c.Correlation, Source: c.Source,
		Claimed: c.Claimed}
}

func (c *historyCmd) events(
	ctx context.Context, s *capstone.System,
) iter.Seq2[contract.Recorded, error] {
	if c.Name != "" {
		return s.History(ctx, c.Name)
	}
	return s.Search(ctx, c.search())
}

// subject describes the question for people.
func (c *historyCmd) subject() string {
	switch {
	case c.Name != "":
		return "about " + c.Name
	case c.Command != "":
		return "for the command " + c.Command
	case c.Correlation != uuid.Nil:
		return "for the correlation " + c.Correlation.String()
	}
	if c.Claimed {
		return "for an actor that did not sign in"
	}
	return "from " + c.Source
}

func entryOf(ctx context.Context, c contract.Codec, r contract.Recorded) (entry, error) {
	decoded, err := contract.Decoded(ctx, c, r)
	if err != nil {
		return entry{}, err
	}
	data, err := dataOf(r, decoded.Body)
	e := entry{
		Version: r.Version, Stream: r.Stream, Type: r.Type, ID: r.ID.String(),
		RecordedAt: r.RecordedAt, EnteredAt: r.EnteredAt, EffectiveAt: r.EffectiveAt,
		CommandID: r.CommandID, Source: r.Source, SourceLine: r.SourceLine,
		SubmittedBy: r.SubmittedBy,
		Actor:       r.Actor, Approver: r.Approver, Reason: r.Reason, Data: data,
		Correlation: r.Correlation.String(), Causation: r.Causation.String(),
	}
	if r.Corrects != uuid.Nil {
		e.Corrects = r.Corrects.String()
	}
	if !r.SourceRecordedAt.IsZero() {
		e.SourceTime = &r.SourceRecordedAt
	}
	if r.AppendGroup != uuid.Nil {
		e.AppendGroup = r.AppendGroup.String()
	}
	return e, err
}

// dataOf returns the facts of the body of r, or else the reason why it has none.
func dataOf(r contract.Recorded, b trade.Body) (json.RawMessage, error) {
	switch b := b.(type) {
	case trade.Unreadable:
		return json.Marshal(struct {
			Unreadable string `json:"unreadable"`
		}{b.Cause})
	case trade.Foreign:
		return extract.Data(r)
	}
	return session.JSON(b)
}

// place returns the file or client that a command came from, and the line if there is one.
func place(source string, line int64) string {
	if line == 0 {
		return source
	}
	return fmt.Sprintf("%s:%d", source, line)
}

func printHistory(w io.Writer, entries []entry) {
	for _, e := range entries {
		printLine(w, "%s %d  %s  %s", e.Stream, e.Version, e.Type, e.ID)
		rows := []string{
			fmt.Sprintf("recorded\t%s, effective %s",
				e.RecordedAt.Format(time.RFC3339Nano), e.EffectiveAt.Format(time.RFC3339Nano)),
			fmt.Sprintf("entered\t%s as %s, from %s",
				e.EnteredAt.Format(time.RFC3339Nano), e.CommandID, place(e.Source, e.SourceLine)),
			fmt.Sprintf("by\t%s: %s", e.Actor, e.Reason),
			"correlation\t" + e.Correlation,
		}
		source := ""
		if e.SourceTime != nil {
			source = e.SourceTime.Format(time.RFC3339Nano)
		}
		for _, optional := range [][2]string{
			{"approved by", e.Approver}, {"submitted by", e.SubmittedBy},
			{"recorded at its source", source}, {"append group", e.AppendGroup},
			{"corrects", e.Corrects},
		} {
			if optional[1] != "" {
				rows = append(rows, optional[0]+"\t"+optional[1])
			}
		}
		for _, change := range e.Changes {
			rows = append(rows, change.Field+"\t"+change.String())
		}
		labels(w, rows...)
	}
}
