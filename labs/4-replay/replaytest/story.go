package replaytest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// noon is the time at which the first event of a story is recorded.
var noon = time.Date(2025, 3, 3, 12, 0, 0, 0, time.UTC)

// A numberCodec is a contract.Codec that keeps the bodies; its data is the number of a body. It
// takes the place of the codec of Lab 1, so that a mistake there costs no points here.
type numberCodec struct{ bodies []trade.Body }

func (c *numberCodec) Encode(_ context.Context, body trade.Body) (contract.Payload, error) {
	c.bodies = append(c.bodies, body)
	return contract.Payload{
		Type: trade.KindOf(body).Operation, Schema: 1,
		Data: append([]byte{0}, binary.BigEndian.AppendUint32(nil, uint32(len(c.bodies)))...),
	}, nil
}

func (c *numberCodec) Decode(_ context.Context, _ string, data []byte) (trade.Body, error) {
	if bytes.Equal(data, elsewhere) {
		return nil, errNoRegistry
	}
	if len(data) != 5 || binary.BigEndian.Uint32(data[1:]) > uint32(len(c.bodies)) || data[4] == 0 {
		return nil, fmt.Errorf("%w: % x", contract.ErrMalformed, data)
	}
	return c.bodies[binary.BigEndian.Uint32(data[1:])-1], nil
}

// elsewhere is data whose schema only the registry knows. It does not answer.
var elsewhere = []byte{0, 0, 0, 0, 99}

var errNoRegistry = errors.New("the registry does not answer")

// A story is a log of one partition with a short history of two contracts and a curve. Two of its
// offsets are holes.
type story struct {
	codec  *numberCodec
	events []contract.Recorded
	end    int64
}

func newStory() *story {
	power := trade.Instrument{
		Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: mustPeriod("2025-04"),
	}
	mwh := func(q string) trade.Quantity {
		return trade.Quantity{Value: trade.Dec(q), Unit: trade.MWh}
	}
	begin := func(side trade.Side, quantity, price string) trade.New {
		return trade.New{
			Book: "north", Counterparty: "LEI-1", Trader: "t-1", Side: side, Instrument: power,
			Quantity: mwh(quantity), Price: trade.Dec(price), Currency: "EUR",
		}
	}
	s := &story{codec: &numberCodec{}}
	s.add("trade/A", begin(trade.Buy, "100", "50"))
	s.add("trade/B", begin(trade.Sell, "120", "55"))
	s.add("trade/A", trade.Novate{
		Role: trade.Transferor, Quantity: mwh("20"), NewUTI: "C", Incoming: "LEI-2",
	})
	s.add("curve/power/CET/base", trade.PriceMarked{
		Curve: "power/CET/base", Currency: "EUR",
		Points: []trade.Point{{Delivery: power.Delivery, Price: trade.Dec("53")}},
	})
	s.end++
	s.add("refused/A", trade.CommandRefused{
		CommandID: "c-9", Rule: string(trade.Exceeds), Detail: "made up",
	})
	s.add("trade/A", trade.Settle{Quantity: mwh("30"), Price: trade.Dec("54.25")})
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

// add appends an event that is effective at the time of its record.
func (s *story) add(stream string, body trade.Body) {
	payload, _ := s.codec.Encode(context.Background(), body) // never fails
	at := noon.Add(time.Duration(len(s.events)) * time.Minute)
	r := contract.Recorded{
		Event: contract.Event{
			ID:     uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, len(s.events))),
			Stream: stream, Type: payload.Type, Schema: payload.Schema, EffectiveAt: at,
			EnteredAt: at, CommandID: fmt.Sprint("c-", len(s.events)),
			Actor: "desk-7", Reason: "made up", Source: "replaytest", Data: payload.Data,
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

func (s *story) Read(_ context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	return func(yield func(contract.Recorded, error) bool) {
		for _, r := range s.events {
			if !from.Covers(r.Position) && to.Covers(r.Position) && !yield(r, nil) {
				return
			}
		}
	}
}

// Follow panics: a replay reads a range.
func (s *story) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	panic("replaytest: a replay reads a range, it does not follow")
}

func (s *story) Frontier(context.Context) (time.Time, error) { return noon.Add(time.Hour), nil }

// state returns the state of the first n events.
func (s *story) state(n int) trade.State {
	streams := map[string][]trade.Event{}
	for _, r := range s.events[:n] {
		body, err := s.codec.Decode(context.Background(), r.Type, r.Data)
		if err != nil {
			panic(err)
		}
		streams[r.Stream] = append(streams[r.Stream], trade.Event{
			ID: r.ID, Version: r.Version, EffectiveAt: r.EffectiveAt, EnteredAt: r.EnteredAt,
			RecordedAt: r.RecordedAt, Body: body,
		})
	}
	return trade.StateOf(streams, trade.AsOf{})
}
