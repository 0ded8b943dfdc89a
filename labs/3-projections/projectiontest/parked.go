package projectiontest

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Program is a Codec that knows some data only once it is a later program.
type Program struct {
	Codec
	Later bool
}

// Data that begins with newer has a schema that only a later program knows.
var newer = []byte{0, 0, 0, 0, 3}

// Decode is Codec.Decode.
func (p *Program) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	if text, ok := bytes.CutPrefix(data, newer); ok {
		if !p.Later {
			return nil, contract.ErrUnknownSchema
		}
		data = slices.Concat(wire, text)
	}
	return p.Codec.Decode(ctx, typ, data)
}

const (
	contracts = 100
	rounds    = 100 // events of each contract
)

// OneBadEvent applies 10,000 events of 100 contracts to the empty model p. Its codec, program,
// cannot decode one of them. OneBadEvent returns an error unless the model has all events of 99
// contracts, and of the last contract those before the bad event. A later program then rebuilds the
// model, which must have all events. The same follows with an illegal event, which is skipped. The
// model must always be that of a fold, byte for byte.
func OneBadEvent(
	ctx context.Context, p contract.Projection, program *Program,
	rebuild func(*Log) (contract.Projection, error),
) error {
	h := &historian{log: newLog(4), streams: map[string][]trade.Event{}}
	for n := range contracts * rounds {
		h.reprice(n%contracts, n/contracts)
	}
	bad := &h.log.Events[contracts*rounds/2+7]
	bad.Data = slices.Concat(newer, bad.Data[len(wire):])
	if err := applyFrom(ctx, p, h.log, 0); err != nil {
		return err
	}
	if err := requireParked(ctx, p, program, h.log, bad.Stream); err != nil {
		return err
	}
	program.Later = true
	p, err := rebuild(h.log)
	if err != nil {
		return err
	}
	if err := requireParked(ctx, p, program, h.log, ""); err != nil {
		return err
	}
	stream, from := trade.TradeStream(utiOf(3)), len(h.log.Events)
	cmd := trade.Command{ID: "illegal", EnteredAt: h.now(), Body: trade.Amend{Kind: trade.Update}}
	illegal := h.record(stream, cmd, trade.Decision{Corrects: uuid.Max, Body: cmd.Body})
	for n := range contracts {
		h.reprice(n, rounds)
	}
	if err := applyFrom(ctx, p, h.log, from); err != nil {
		return err
	}
	if err := requireParked(ctx, p, program, h.log, stream); err != nil {
		return err
	}
	from = len(h.log.Events)
	h.skip(stream, illegal)
	if err := applyFrom(ctx, p, h.log, from); err != nil {
		return err
	}
	return requireParked(ctx, p, program, h.log, "")
}

func utiOf(n int) string { return fmt.Sprintf("UTI-%03d", n) }

// reprice begins the n-th contract in round 0, and changes its price in every other round.
func (h *historian) reprice(n, round int) {
	price := trade.Int(int64(50 + round))
	cmd := trade.Command{
		ID: fmt.Sprintf("C-%d-%d", n, round), EnteredAt: h.now(), EffectiveAt: h.now(),
		Actor: "desk-7", Body: trade.Amend{Kind: trade.Amendment, Price: &price},
	}
	if round == 0 {
		p := products[n%len(products)]
		cmd.Body = trade.New{
			Book: "north", Counterparty: "LEI-1", Trader: "t-1", Side: trade.Buy,
			Instrument: p.Instrument, Currency: p.currency, Price: price,
			Quantity: trade.Quantity{Value: trade.Int(100), Unit: p.Instrument.Unit()},
		}
	}
	h.record(trade.TradeStream(utiOf(n)), cmd,
		trade.Decision{EffectiveAt: cmd.EffectiveAt, Body: cmd.Body})
}

// applyFrom applies the events of a log from a number on, 2,000 at a time.
func applyFrom(ctx context.Context, p contract.Projection, log *Log, from int) error {
	for batch := range slices.Chunk(log.Events[from:], 2000) {
		from += len(batch)
		if err := p.Apply(ctx, batch, after(nil, log.Events[:from])); err != nil {
			return err
		}
	}
	return p.Apply(ctx, nil, log.end)
}

// requireParked compares a model with a fold. It requires that only the named stream is parked, and
// that every other contract has its last price.
func requireParked(
	ctx context.Context, p contract.Projection, program *Program, log *Log, stream string,
) error {
	streams := map[string][]trade.Event{}
	for _, r := range log.Events {
		e, err := contract.Decoded(ctx, program, r)
		if err != nil {
			return err
		}
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	want := trade.StateOf(streams, trade.AsOf{})
	got, err := p.State(ctx)
	if err != nil {
		return err
	}
	if !bytes.Equal(got.Canonical(), want.Canonical()) {
		return fmt.Errorf("after %d events the model differs from a fold", len(log.Events))
	}
	for _, t := range got.Trades {
		last := lastPrice(streams[trade.TradeStream(t.UTI)])
		if behind := !t.Price.Equal(last); behind != (trade.TradeStream(t.UTI) == stream) {
			return fmt.Errorf("%s has the price %s; the last one is %s", t.UTI, t.Price, last)
		}
	}
	isParked := len(got.Parked) == 1 && got.Parked[0].Stream == stream
	if len(got.Trades) != contracts || isParked != (stream != "") {
		return fmt.Errorf("%d contracts, and parked: %v", len(got.Trades), got.Parked)
	}
	return nil
}

// lastPrice returns the last price in a history whose last events may have another body.
func lastPrice(history []trade.Event) trade.Decimal {
	for _, e := range slices.Backward(history) {
		if a, ok := e.Body.(trade.Amend); ok && a.Price != nil {
			return *a.Price
		}
	}
	return trade.Decimal{}
}
