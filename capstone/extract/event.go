package extract

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A row is a line of events.jsonl: every attribute of one event. It has the data twice: readable,
// and as it is in the log.
type row struct {
	Leaf        int64           `json:"leaf"` // index in the tree
	Stream      string          `json:"stream"`
	Version     int64           `json:"version"`
	ID          string          `json:"id"`
	Type        string          `json:"type"`
	Schema      int             `json:"schema"`
	Fingerprint string          `json:"fingerprint"`
	EffectiveAt string          `json:"effective_at"`
	EnteredAt   string          `json:"entered_at"`
	RecordedAt  string          `json:"recorded_at"`
	SourceTime  string          `json:"source_recorded_at,omitempty"`
	CommandID   string          `json:"command_id"`
	Corrects    string          `json:"corrects,omitempty"`
	Actor       string          `json:"actor"`
	Approver    string          `json:"approver,omitempty"`
	Reason      string          `json:"reason"`
	Correlation string          `json:"correlation_id,omitempty"`
	Causation   string          `json:"causation_id,omitempty"`
	Traceparent string          `json:"traceparent,omitempty"`
	Source      string          `json:"source"`
	SourceLine  int64           `json:"source_line,omitempty"`
	SubmittedBy string          `json:"submitted_by,omitempty"`
	AppendGroup string          `json:"append_group,omitempty"`
	Ends        bool            `json:"ends,omitempty"`
	Data        json.RawMessage `json:"data"`
	Raw         []byte          `json:"raw"` // base64
}

// micros is the format of times: UTC, always with microseconds.
const micros = "2006-01-02T15:04:05.000000Z"

// parseMicros accepts only the text that Format writes: time.Parse also takes a comma.
func parseMicros(text string) (time.Time, error) {
	t, err := time.Parse(micros, text)
	if err == nil && t.Format(micros) != text {
		err = fmt.Errorf("%q is not a time like %s", text, micros)
	}
	return t, err
}

// An event is a row with its decoded content.
type event struct {
	row      row
	recorded contract.Recorded
	data     value
	line     int // in events.jsonl, if the event was read from there
}

// show makes the event at a leaf readable, with its schema. Data that cannot be decoded is null:
// such an event has parked its stream, and raw has its bytes. show fails for an event that a row
// cannot hold exactly.
func show(leaf int64, r contract.Recorded, c catalog) (event, error) {
	data, err := c.decode(r)
	if err != nil {
		data = value{}
	}
	e := event{row: row{
		Leaf: leaf, Stream: r.Stream, Version: r.Version, ID: r.ID.String(),
		Type: r.Type, Schema: r.Schema, Fingerprint: hex.EncodeToString(r.Fingerprint[:]),
		EffectiveAt: r.EffectiveAt.UTC().Format(micros),
		EnteredAt:   r.EnteredAt.UTC().Format(micros),
		RecordedAt:  r.RecordedAt.UTC().Format(micros),
		SourceTime:  timeText(r.SourceRecordedAt), CommandID: r.CommandID,
		SourceLine: r.SourceLine, SubmittedBy: r.SubmittedBy, AppendGroup: idText(r.AppendGroup),
		Corrects: idText(r.Corrects), Actor: r.Actor, Approver: r.Approver, Reason: r.Reason,
		Correlation: idText(r.Correlation), Causation: idText(r.Causation),
		Traceparent: r.Traceparent, Source: r.Source, Ends: r.Ends, Data: data.json(), Raw: r.Data,
	}, recorded: r, data: data}
	back, err := e.row.recorded()
	if err == nil && !bytes.Equal(back.Leaf(), r.Leaf()) {
		err = errors.New("an attribute is not UTF-8, so it cannot be written exactly")
	}
	return e, err
}

// parseRow reads a line. It accepts only the exact text that encodeLine writes, so no byte of a
// line can be changed unnoticed.
func parseRow(line []byte, c catalog) (event, error) {
	var w row
	if err := json.Unmarshal(line, &w); err != nil {
		return event{}, fmt.Errorf("the line is not an event: %v", err)
	}
	r, err := w.recorded()
	if err != nil {
		return event{}, err
	}
	e, err := show(w.Leaf, r, c)
	if err == nil && !bytes.Equal(w.Data, e.row.Data) {
		err = errors.New("data differs from raw, decoded by its schema")
	}
	if err == nil && !bytes.Equal(encodeLine(e.row), line) {
		err = errors.New("the line is not spelled as an extract spells it")
	}
	return e, err
}

// recorded returns the event as the log has it, except its position.
func (w row) recorded() (contract.Recorded, error) {
	p := parser{}
	r := contract.Recorded{
		Version: w.Version, RecordedAt: p.time("recorded_at", w.RecordedAt),
		Event: contract.Event{
			ID: p.id("id", w.ID), Stream: w.Stream, Type: w.Type, Schema: w.Schema,
			Fingerprint: p.digest("fingerprint", w.Fingerprint),
			EffectiveAt: p.time("effective_at", w.EffectiveAt),
			EnteredAt:   p.time("entered_at", w.EnteredAt),
			CommandID:   w.CommandID, SourceLine: w.SourceLine, SubmittedBy: w.SubmittedBy,
			SourceRecordedAt: p.timeIfAny("source_recorded_at", w.SourceTime),
			AppendGroup:      p.id("append_group", w.AppendGroup),
			Corrects:         p.id("corrects", w.Corrects),
			Actor:            w.Actor, Approver: w.Approver, Reason: w.Reason,
			Correlation: p.id("correlation_id", w.Correlation),
			Causation:   p.id("causation_id", w.Causation),
			Traceparent: w.Traceparent, Source: w.Source, Ends: w.Ends, Data: w.Raw,
		},
	}
	return r, p.err
}

// A parser keeps its first error.
type parser struct{ err error }

func (p *parser) keep(name string, err error) {
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("%s: %v", name, err)
	}
}

func (p *parser) time(name, text string) time.Time {
	t, err := parseMicros(text)
	p.keep(name, err)
	return t
}

// timeIfAny is the inverse of timeText.
func (p *parser) timeIfAny(name, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	return p.time(name, text)
}

// timeText returns a time, and no text for the zero time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(micros)
}

// id is the inverse of idText.
func (p *parser) id(name, text string) (id uuid.UUID) {
	if text == "" {
		return uuid.Nil
	}
	id, err := uuid.Parse(text)
	p.keep(name, err)
	return id
}

func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func (p *parser) digest(name, text string) (d [32]byte) {
	b, err := hex.DecodeString(text)
	if err == nil && len(b) != len(d) {
		err = fmt.Errorf("%d bytes, want %d", len(b), len(d))
	}
	p.keep(name, err)
	copy(d[:], b)
	return d
}
