package replaytest

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A shelf is a contract.Codec whose data is the number under which it keeps the body. It stands in for the one of Lab 1, so
// that a mistake there costs nothing here.
type shelf struct{ bodies []trade.Body }

func (s *shelf) Encode(_ context.Context, body trade.Body) (contract.Payload, error) {
	s.bodies = append(s.bodies, body)
	return contract.Payload{
		Type: trade.KindOf(body).Operation, Schema: 1,
		Data: append([]byte{0}, binary.BigEndian.AppendUint32(nil, uint32(len(s.bodies)))...),
	}, nil
}

func (s *shelf) Decode(_ context.Context, _ string, data []byte) (trade.Body, error) {
	if len(data) != 5 || binary.BigEndian.Uint32(data[1:]) > uint32(len(s.bodies)) || data[4] == 0 {
		return nil, fmt.Errorf("%w: % x", contract.ErrMalformed, data)
	}
	return s.bodies[binary.BigEndian.Uint32(data[1:])-1], nil
}

// A story is a short history of two contracts and a curve, as a log in one partition. Two offsets of it are holes.
type story struct {
	codec  *shelf
	events []contract.Recorded
	end    int64
}

func newStory() *story {
	power := trade.Instrument{Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: mustPeriod("2025-04")}
	begin := func(side trade.Side, quantity, price string) trade.New {
		return trade.New{
			Book: "north", Counterparty: "LEI-1", Trader: "t-1", Side: side, Instrument: power,
			Quantity: trade.Quantity{Value: trade.Dec(quantity), Unit: trade.MWh}, Price: trade.Dec(price), Currency: "EUR",
		}
	}
	mwh := func(q string) trade.Quantity { return trade.Quantity{Value: trade.Dec(q), Unit: trade.MWh} }
	s := &story{codec: &shelf{}}
	s.tell("trade/A", begin(trade.Buy, "100", "50"))
	s.tell("trade/B", begin(trade.Sell, "120", "55"))
	s.tell("trade/A", trade.Novate{Role: trade.Transferor, Quantity: mwh("20"), NewUTI: "C", Incoming: "LEI-2"})
	s.tell("curve/power/CET/base", trade.PriceMarked{
		Curve: "power/CET/base", Currency: "EUR", Points: []trade.Point{{Delivery: power.Delivery, Price: trade.Dec("53")}},
	})
	s.end++
	s.tell("refused/A", trade.CommandRefused{CommandID: "c-9", Rule: string(trade.Exceeds), Detail: "made up"})
	s.tell("trade/A", trade.Settle{Quantity: mwh("30"), Price: trade.Dec("54.25")})
	s.end++
	return s
}

func mustPeriod(text string) trade.Period {
	p, err := trade.ParsePeriod(text)
	if err != nil {
		panic(err)
	}
	return p
}

// tell adds an event, effective when it is recorded.
func (s *story) tell(stream string, body trade.Body) {
	payload, _ := s.codec.Encode(context.Background(), body) // a shelf takes every body
	at := noon.Add(time.Duration(len(s.events)) * time.Minute)
	r := contract.Recorded{
		Event: contract.Event{
			ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, len(s.events))), Stream: stream, Type: payload.Type, Schema: payload.Schema,
			EffectiveAt: at, Actor: "desk-7", Reason: "made up", Source: "replaytest", Data: payload.Data,
		},
		Version: 1, RecordedAt: at, Position: contract.Position{Offset: s.end},
	}
	for _, earlier := range s.events {
		if earlier.Stream == stream {
			r.Version++
		}
	}
	s.events, s.end = append(s.events, r), s.end+1
}

var _ contract.Reader = (*story)(nil)

func (s *story) End(context.Context) (contract.Cursor, error) { return contract.Cursor{s.end}, nil }

func (s *story) Read(_ context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for _, r := range s.events {
			if r.Position.Offset >= from.At(0) && r.Position.Offset < to.At(0) && !yield(r, nil) {
				return
			}
		}
	}
}

// Follow is not for replays: a replay ends.
func (s *story) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	panic("replaytest: a replay reads a range, it does not follow")
}

func (s *story) Frontier(context.Context) (time.Time, error) { return noon.Add(time.Hour), nil }

// state is what the first n events come to.
func (s *story) state(n int) trade.State {
	streams := map[string][]trade.Event{}
	for _, r := range s.events[:n] {
		body, err := s.codec.Decode(context.Background(), r.Type, r.Data)
		if err != nil {
			panic(err)
		}
		streams[r.Stream] = append(streams[r.Stream], trade.Event{
			ID: r.ID, Version: r.Version, EffectiveAt: r.EffectiveAt, RecordedAt: r.RecordedAt, Body: body,
		})
	}
	state, err := trade.StateOf(streams, trade.AsOf{})
	if err != nil {
		panic(err)
	}
	return state
}
