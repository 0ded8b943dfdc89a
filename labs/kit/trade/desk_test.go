package trade_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// A desk decides commands and keeps their events, as a store would.
type desk struct {
	streams map[string][]trade.Event
	now     time.Time // recorded_at of the next event

	orphaned []string       // by UTI: follow-ups that were refused
	refused  map[string]int // by rule
	seen     map[string]int // cases that a history should have
}

func newDesk() *desk {
	return &desk{streams: map[string][]trade.Event{}, now: at("2025-01-01T00:00:00Z"),
		refused: map[string]int{}, seen: map[string]int{}}
}

// try decides cmd and records it. The recorded time is the time of entry, if that is later than all
// times before.
func (d *desk) try(cmd trade.Command) (trade.Event, error) {
	stream := cmd.Stream()
	history := d.streams[stream]
	decision, err := trade.Decide(d.streams, cmd)
	if err != nil {
		return trade.Event{}, err
	}
	if d.now = d.now.Add(time.Microsecond); cmd.EnteredAt.After(d.now) {
		d.now = cmd.EnteredAt
	}
	d.checkEntered(cmd, decision.Body, d.unitOf(cmd))
	e := trade.Event{
		ID: trade.EventID(cmd.ID, 0), Version: int64(len(history)) + 1, Corrects: decision.Corrects,
		EffectiveAt: decision.EffectiveAt, EnteredAt: cmd.EnteredAt, RecordedAt: d.now,
		Actor: cmd.Actor, Body: decision.Body,
	}
	d.streams[stream] = append(history, e)
	return e, nil
}

// unitOf returns the unit of the contract or curve of an accepted command.
func (d *desk) unitOf(cmd trade.Command) trade.Unit {
	zone := ""
	switch b := cmd.Body.(type) {
	case trade.New:
		zone = b.Instrument.Zone
	case trade.PriceMarked:
		zone = strings.Split(b.Curve, "/")[1]
	default:
		for _, e := range d.streams[cmd.Stream()] {
			if n, ok := e.Body.(trade.New); ok {
				zone = n.Instrument.Zone
			}
		}
	}
	p, _ := trade.FindDeliveryPoint(zone)
	return p.Unit
}

// do is try for commands that must be accepted. It also issues their follow-ups.
func (d *desk) do(t require.TestingT, cmds ...trade.Command) {
	for _, cmd := range cmds {
		e, err := d.try(cmd)
		require.NoError(t, err, "command %s", cmd.ID)
		if cmd.Stream() == trade.TradeStream(cmd.UTI) {
			d.do(t, trade.FollowUps(cmd.UTI, d.streams[cmd.Stream()], e)...)
		}
	}
}

func (d *desk) trade(t require.TestingT, uti string, as trade.AsOf) trade.Trade {
	got, parked := trade.Fold(uti, d.streams[trade.TradeStream(uti)], as)
	require.Nil(t, parked)
	return got
}

func (d *desk) state(t require.TestingT) trade.State {
	s := trade.StateOf(d.streams, trade.AsOf{})
	require.Empty(t, s.Parked)
	return s
}

// position returns the only position in an instrument, valued before any delivery begins.
func (d *desk) position(t require.TestingT, instrument string) trade.Valuation {
	return positionOf(t, d.state(t).ValuedAt(early), instrument)
}

// early is a time before the deliveries of all tests.
var early = at("2024-12-01T00:00:00Z")

// positionAt values a position as effective at a time.
func (d *desk) positionAt(t require.TestingT, instrument, when string) trade.Valuation {
	s := trade.StateOf(d.streams, trade.AsOf{Effective: at(when)})
	require.Empty(t, s.Parked)
	return positionOf(t, s.ValuedAt(at(when)), instrument)
}

func positionOf(t require.TestingT, all []trade.Valuation, instrument string) trade.Valuation {
	for _, p := range all {
		if p.Instrument == instrument {
			return p
		}
	}
	require.Fail(t, "no position", instrument)
	panic("unreachable")
}

// refusedAs returns the refusal of cmd.
func (d *desk) refusedAs(t require.TestingT, cmd trade.Command) *trade.Refusal {
	_, err := d.try(cmd)
	var r *trade.Refusal
	require.True(t, errors.As(err, &r), "want a refusal of %+v, got %v", cmd, err)
	return r
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

func dec(s string) trade.Decimal { return trade.Dec(s) }

func ref(s string) *trade.Decimal { d := dec(s); return &d }

func mwh(s string) trade.Quantity { return trade.Quantity{Value: dec(s), Unit: trade.MWh} }
func mw(s string) trade.Quantity  { return trade.Quantity{Value: dec(s), Unit: trade.MW} }
func therm(s string) trade.Quantity {
	return trade.Quantity{Value: dec(s), Unit: trade.Therm}
}
func bbl(s string) trade.Quantity { return trade.Quantity{Value: dec(s), Unit: trade.BBL} }

func period(s string) trade.Period {
	p, err := trade.ParsePeriod(s)
	if err != nil {
		panic(err)
	}
	return p
}

var (
	baseMarch = trade.Instrument{Commodity: trade.Power, Zone: "CET", Profile: "base",
		Delivery: period("2025-03")}
	brentJune = trade.Instrument{Commodity: trade.Oil, Zone: "BRENT", Delivery: period("2025-06")}
)

// call returns an option on oil of June 2025. It can be exercised in the first half of May.
func call(strike string) trade.Instrument {
	i := brentJune
	i.Option = &trade.Option{Kind: trade.Call, Strike: dec(strike),
		From: at("2025-05-01T00:00:00Z"), Until: at("2025-05-15T17:00:00Z")}
	return i
}

// power buys CET base of March 2025, in MWh.
func power(quantity, price string) trade.New {
	return trade.New{
		Book: "power", Counterparty: "cpty/7", Trader: "trader/1", Side: trade.Buy,
		Instrument: baseMarch,
		Quantity:   mwh(quantity), Price: dec(price), Currency: "EUR",
	}
}

func option(quantity, premium string) trade.New {
	n := power("1", premium)
	n.Book, n.Instrument, n.Quantity, n.Currency = "oil", call("70"), bbl(quantity), "USD"
	return n
}

func sell(n trade.New) trade.New {
	n.Side = trade.Sell
	return n
}

// T is the contract that most tests are about.
const T = "T1"

// on returns a command about T, entered and effective on a day of 2025 at noon UTC: on("02-10", …).
func on(day string, body trade.Body) trade.Command {
	operation := trade.KindOf(body).Operation
	return trade.Command{
		ID:        uuid.NewSHA1(uuid.Nil, []byte(day+operation+digest(body))).String(),
		UTI:       T,
		EnteredAt: at("2025-" + day + "T12:00:00Z"), Actor: "trader/1", Reason: "test", Body: body,
	}
}

func digest(b trade.Body) string {
	d := trade.Command{Body: b}.Digest()
	return string(d[:])
}

// of returns cmd for another contract.
func of(uti string, cmd trade.Command) trade.Command {
	cmd.UTI, cmd.ID = uti, uti+"/"+cmd.ID
	return cmd
}

// corrects makes later a correction of the event of earlier, approved by a second principal.
func corrects(earlier, later trade.Command) trade.Command {
	later.Corrects, later.Approver, later.ID = trade.EventID(earlier.ID,
		0), "control/1", "correct/"+later.ID
	return later
}

func effective(when string, cmd trade.Command) trade.Command {
	cmd.EffectiveAt = at("2025-" + when + "T12:00:00Z")
	return cmd
}

func mark(day, curve string, currency trade.Currency, points ...string) trade.Command {
	m := trade.PriceMarked{Curve: curve, Currency: currency}
	for i := 0; i < len(points); i += 2 {
		m.Points = append(m.Points, trade.Point{Delivery: period(points[i]),
			Price: dec(points[i+1])})
	}
	cmd := on(day, m)
	cmd.UTI = ""
	return cmd
}

func TestDeskRecordsItsDecisions(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, on("02-03", power("70", "50")))
	require.Equal(t, trade.Live, d.trade(t, T, trade.AsOf{}).Status)
}

// TestMain gives the random tests a seed, so that a run can be repeated. Another one explores
// further:
//
//	go test ./labs/kit/trade -rapid.seed=2 -rapid.checks=5000
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
