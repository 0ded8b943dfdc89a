package books_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

// A desk imports a book without a store. It keeps the history of every stream, and the refusals.
type desk struct {
	streams map[string][]trade.Event
	refused map[string]string // by command id, the rule
}

func imported(t *testing.T, book []byte) *desk {
	t.Helper()
	d := &desk{streams: map[string][]trade.Event{}, refused: map[string]string{}}
	for line, err := range lines.Read(bytes.NewReader(book)) {
		require.NoError(t, err)
		d.enter(t, line.Command)
	}
	return d
}

func (d *desk) enter(t *testing.T, c trade.Command) {
	t.Helper()
	stream := c.Stream()
	decision, err := trade.Decide(d.streams, c)
	if refusal := new(trade.Refusal); errors.As(err, &refusal) {
		d.refused[c.ID] = string(refusal.Rule)
		return
	}
	require.NoError(t, err)
	e := trade.Event{
		ID: trade.EventID(c.ID, 0), Version: int64(len(d.streams[stream]) + 1),
		Corrects: decision.Corrects, EffectiveAt: decision.EffectiveAt,
		EnteredAt: c.EnteredAt, RecordedAt: c.EnteredAt, Actor: c.Actor, Body: decision.Body,
	}
	d.streams[stream] = append(d.streams[stream], e)
	if c.UTI == "" {
		return
	}
	for _, next := range trade.FollowUps(c.UTI, d.streams[stream], e) {
		d.enter(t, next)
		require.NotContains(t, d.refused, next.ID)
	}
}

func (d *desk) trade(t *testing.T, uti, known, effective string) trade.Trade {
	t.Helper()
	got, parked := trade.Fold(uti, d.streams[trade.TradeStream(uti)], at(t, known, effective))
	require.Nil(t, parked)
	return got
}

// position returns the position of a book in an instrument, valued at the effective time.
func (d *desk) position(t *testing.T, book, instrument, known, effective string) trade.Valuation {
	t.Helper()
	times := at(t, known, effective)
	state := trade.StateOf(d.streams, times)
	require.Empty(t, state.Parked)
	for _, p := range state.ValuedAt(times.Effective) {
		if p.Book == book && p.Instrument == instrument {
			return p
		}
	}
	require.Fail(t, "no such position", "%s %s", book, instrument)
	return trade.Valuation{}
}

func at(t *testing.T, known, effective string) (as trade.AsOf) {
	t.Helper()
	var err error
	if known != "" {
		as.Known, err = trade.ParseMoment(known, trade.BookZone(), time.Time{})
		require.NoError(t, err)
	}
	if effective != "" {
		as.Effective, err = trade.ParseMoment(effective, trade.BookZone(), time.Time{})
		require.NoError(t, err)
	}
	return as
}
