package projectiontest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// opening is when the first event of a history is recorded. What happened may lie two months before.
var opening = time.Date(2025, 3, 3, 8, 0, 0, 0, time.UTC)

// History makes up n events over a good many contracts and a few curves, in one partition or more. It draws events at
// random and keeps those which are legal where they would stand. The same arguments give the same history.
func History(seed uint64, n, partitions int) *Log {
	h := &historian{rand.New(rand.NewPCG(seed, 1)), newLog(partitions), map[string][]trade.Event{}, 30 + n/8}
	for len(h.log.Events) < n {
		switch k := h.IntN(20); {
		case k < 15:
			h.tradeEvent()
		case k < 19:
			h.mark()
		default:
			h.refusal()
		}
	}
	return h.log
}

type historian struct {
	*rand.Rand
	log     *Log
	streams map[string][]trade.Event
	utis    int
}

// record puts an event at the end of its stream.
func (h *historian) record(stream string, e trade.Event) {
	n := len(h.log.Events)
	e.Version = int64(len(h.streams[stream])) + 1
	e.RecordedAt = opening.Add(time.Duration(n) * time.Minute)
	h.streams[stream] = append(h.streams[stream], e)
	payload, err := Codec{}.Encode(context.Background(), e.Body)
	if err != nil {
		panic(err) // every body is plain data
	}
	h.log.add(contract.Recorded{
		Event: contract.Event{
			ID: e.ID, Stream: stream, Type: payload.Type, Schema: payload.Schema, EffectiveAt: e.EffectiveAt, Corrects: e.Corrects,
			Actor: "desk-7", Reason: "made up", Source: "projectiontest", Data: payload.Data,
		},
		Version: e.Version, RecordedAt: e.RecordedAt,
	})
}

func (h *historian) id() uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%d %d", len(h.log.Events), h.Uint64()))
}

// tradeEvent tries a few events until one is legal.
func (h *historian) tradeEvent() {
	uti := fmt.Sprintf("UTI-%03d", h.IntN(h.utis))
	stream := trade.TradeStream(uti)
	history := h.streams[stream]
	now, err := trade.Fold(uti, history, trade.AsOf{})
	if err != nil {
		panic(err) // what was recorded is legal
	}
	for range 20 {
		e := h.candidate(history, now)
		e.Version = int64(len(history)) + 1
		if _, err := trade.Fold(uti, append(slices.Clone(history), e), trade.AsOf{}); err == nil {
			h.record(stream, e)
			return
		}
	}
}

// candidate may be illegal. A third of what follows the first event restates an earlier one.
func (h *historian) candidate(history []trade.Event, now trade.Trade) trade.Event {
	e := trade.Event{ID: h.id(), EffectiveAt: opening.Add(-time.Duration(h.IntN(60*24)) * time.Hour)}
	if len(history) == 0 {
		e.EffectiveAt = e.EffectiveAt.AddDate(0, -2, 0)
		e.Body = h.contract()
		return e
	}
	if h.IntN(3) > 0 {
		e.Body = h.follow(now)
		return e
	}
	wrong := history[h.IntN(len(history))]
	e.Corrects, e.Body = wrong.ID, h.restate(wrong.Body)
	if h.IntN(2) == 0 || wrong.Version == 1 {
		e.EffectiveAt = wrong.EffectiveAt
	}
	return e
}

func (h *historian) mark() {
	curve := h.instrument()
	stream := trade.CurveStream(curve.Curve())
	m := trade.PriceMarked{Curve: curve.Curve(), Currency: "EUR", Points: []trade.Point{{Delivery: curve.Delivery, Price: h.price()}}}
	e := trade.Event{ID: h.id(), EffectiveAt: opening.Add(-time.Duration(h.IntN(60*24)) * time.Hour), Body: m}
	if marks := h.streams[stream]; len(marks) > 0 && h.IntN(4) == 0 {
		e.Corrects = marks[h.IntN(len(marks))].ID
	}
	h.record(stream, e)
}

func (h *historian) refusal() {
	command := fmt.Sprintf("C-%d", len(h.log.Events))
	stream := trade.Command{UTI: fmt.Sprintf("UTI-%03d", h.IntN(h.utis))}.RefusedStream()
	h.record(stream, trade.Event{ID: trade.EventID(command, 0), EffectiveAt: opening, Body: trade.CommandRefused{
		CommandID: command, Digest: [32]byte{1, 2, 3}, Rule: string(trade.NotLive), Detail: "made up",
	}})
}
