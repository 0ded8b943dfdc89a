package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
)

type historyCmd struct {
	UTI string `arg:"" help:"The trade."`
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
	Actor       string          `json:"actor"`
	Approver    string          `json:"approver,omitempty"`
	Reason      string          `json:"reason"`
	Data        json.RawMessage `json:"data"`
}

func (c *historyCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	var entries []entry
	for e, err := range s.System().History(ctx, c.UTI) {
		if err != nil {
			return err
		}
		line, err := entryOf(ctx, s.Codec, e)
		if err != nil {
			return err
		}
		entries = append(entries, line)
	}
	if entries == nil {
		return &failure{fmt.Sprintf("nothing was ever recorded about %s", c.UTI),
			"compare the UTI with the imported file"}
	}
	return a.answer(of(s), entries, func(w io.Writer) { printHistory(w, entries) })
}

func entryOf(ctx context.Context, c contract.Codec, r contract.Recorded) (entry, error) {
	body, err := c.Decode(ctx, r.Type, r.Data)
	if err != nil {
		return entry{}, fmt.Errorf("stream %s, version %d: %w", r.Stream, r.Version, err)
	}
	data, err := session.JSON(body)
	e := entry{
		Version: r.Version, Stream: r.Stream, Type: r.Type, ID: r.ID.String(),
		RecordedAt: r.RecordedAt, EnteredAt: r.EnteredAt, EffectiveAt: r.EffectiveAt,
		CommandID: r.CommandID, Source: r.Source, SourceLine: r.SourceLine,
		SubmittedBy: r.SubmittedBy,
		Actor:       r.Actor, Approver: r.Approver, Reason: r.Reason, Data: data,
	}
	if r.Corrects != uuid.Nil {
		e.Corrects = r.Corrects.String()
	}
	return e, err
}

// place returns the file or client that the command came from, and the line if there is one.
func (e entry) place() string {
	if e.SourceLine == 0 {
		return e.Source
	}
	return fmt.Sprintf("%s:%d", e.Source, e.SourceLine)
}

func printHistory(w io.Writer, entries []entry) {
	for _, e := range entries {
		fmt.Fprintf(w, "%s %d  %s  %s\n", e.Stream, e.Version, e.Type, e.ID)
		rows := []string{
			fmt.Sprintf("recorded\t%s, effective %s",
				e.RecordedAt.Format(time.RFC3339Nano), e.EffectiveAt.Format(time.RFC3339Nano)),
			fmt.Sprintf("entered\t%s as %s, from %s",
				e.EnteredAt.Format(time.RFC3339Nano), e.CommandID, e.place()),
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
