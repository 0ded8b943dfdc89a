package trade_test

import (
	"fmt"
	"math/big"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// gas buys base of April 2025 at a hub, entered in some unit, at a price per another.
func gas(zone, quantity string, unit trade.Unit, price string, priced trade.Unit) trade.Command {
	n := power("1", price)
	n.Instrument = trade.Instrument{Commodity: trade.Gas, Zone: zone, Profile: "base",
		Delivery: period("2025-04")}
	n.Quantity = trade.Quantity{Value: dec(quantity), Unit: unit}
	return per(priced, on("02-03", n))
}

func per(unit trade.Unit, cmd trade.Command) trade.Command {
	cmd.PriceUnit = unit
	return cmd
}

// A quantity and a price that are entered in another unit of energy are converted once, half even
// to six decimals, by factors of the table.
func TestEnteredUnitsAreConverted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, quantity  string
		unit            trade.Unit
		price           string
		per             trade.Unit
		energy, perUnit string
	}{
		{"NBP", "1000", trade.Therm, "0.81", trade.Therm, "29.3071", "27.638354"},
		{"TTF", "7", trade.GJ, "9", trade.GJ, "1.944444", "32.4"},
		{"TTF", "1000", trade.MMBtu, "3.25", trade.MMBtu, "293.07107", "11.08946"},
		{"HENRY-HUB", "100", trade.MWh, "40", trade.MWh, "341.214163", "11.722843"},
		{"HENRY-HUB", "250", trade.Therm, "3", trade.MMBtu, "24.999994", "3"},
		{"TTF", "250", trade.MWh, "0.0315", trade.KWh, "250", "31.5"},
		{"TTF", "1.0005", trade.KWh, "31.5", trade.MWh, "0.001", "31.5"},      // a tie, to even
		{"TTF", "1.0015", trade.KWh, "31.5", trade.MWh, "0.001002", "31.5"},   // a tie, to even
		{"TTF", "1", trade.MWh, "0.0000315005", trade.KWh, "1", "0.0315"},     // a tie, to even
		{"TTF", "1", trade.MWh, "-0.0000315015", trade.KWh, "1", "-0.031502"}, // a tie, to even
		{"TTF", "100", trade.MW, "9", trade.GJ, "72000", "32.4"},              // 720 hours
		{"TTF", "720000000000000", trade.KWh, "0", trade.KWh, "720000000000", "0"},
	} {
		d := newDesk()
		d.do(t, gas(c.zone, c.quantity, c.unit, c.price, c.per))
		got := d.trade(t, T, trade.AsOf{})
		equal(t, c.energy, got.Open)
		equal(t, c.perUnit, got.Price)
	}
}

// The unit, the factor and the value as entered stand on the event, of each kind.
func TestEventsKeepTheEnteredValues(t *testing.T) {
	t.Parallel()
	therms := func(s string) trade.Quantity {
		return trade.Quantity{Value: dec(s), Unit: trade.Therm}
	}
	quantity := func(value string) string {
		return "quantity " + value + " therm × 105.50556/3600"
	}
	price := func(field, value string) string {
		return field + " " + value + " per therm × 3600/105.50556"
	}
	begin := gas("NBP", "100000", trade.Therm, "0.81", trade.Therm)
	calls := func() trade.Command {
		cmd := gas("NBP", "1000", trade.Therm, "0.05", trade.Therm)
		n := cmd.Body.(trade.New)
		n.Instrument.Option = &trade.Option{Kind: trade.Call, Strike: dec("0.8"),
			From: at("2025-02-01T00:00:00Z"), Until: at("2025-03-20T17:00:00Z")}
		cmd.Body = n
		return of("C", cmd)
	}()
	amended := on("02-04", trade.Amend{Kind: trade.Amendment, Quantity: therms("90000"),
		Price: ref("0.9")})
	marked := mark("02-03", "gas/NBP/base", "GBP", "2025-04", "0.805", "2025-05", "0.75")
	d := newDesk()
	for _, c := range []struct {
		cmd  trade.Command
		want []string
	}{
		{begin, []string{quantity("100000"), price("price", "0.81")}},
		{per(trade.Therm, amended), []string{quantity("90000"), price("price", "0.9")}},
		{on("02-05", trade.Cancel{Kind: trade.Terminate, Quantity: therms("10000")}),
			[]string{quantity("10000")}},
		{on("02-06", trade.Novate{Role: trade.Remaining, Quantity: therms("20000"), NewUTI: "T2",
			Incoming: "cpty/8"}), []string{quantity("20000")}},
		{per(trade.Therm, on("05-02", trade.Settle{Quantity: therms("30000"),
			Price: dec("0.7")})), []string{quantity("30000"), price("price", "0.7")}},
		{corrects(begin, per(trade.Therm, on("05-03", begin.Body))),
			[]string{quantity("100000"), price("price", "0.81")}},
		{calls, []string{quantity("1000"), price("price", "0.05"), price("option.strike", "0.8")}},
		{of("C", per(trade.Therm, on("03-10", trade.Exercise{Quantity: therms("400"),
			UnderlyingPrice: dec("0.9"), Settlement: trade.Cash}))),
			[]string{quantity("400"), price("underlying_price", "0.9")}},
		{per(trade.Therm, marked),
			[]string{price("points[0].price", "0.805"), price("points[1].price", "0.75")}},
	} {
		d.do(t, c.cmd)
		history := d.streams[c.cmd.Stream()]
		var got []string
		for _, e := range enteredIn(history[len(history)-1].Body) {
			got = append(got, e.Field+" "+e.String())
		}
		require.Equal(t, c.want, got, c.cmd.Label())
	}
	now := d.trade(t, T, trade.AsOf{})
	equal(t, "2637.639", now.Contracted) // 90,000 therms
	equal(t, "879.213", now.Open)        // 30,000
	equal(t, "30.709282", now.Price)
	equal(t, "27000.00", now.SettledAmount)
	equal(t, "586.142", d.trade(t, "T2", trade.AsOf{}).Open)
	require.Empty(t, enteredIn(d.streams["trade/T2"][0].Body), "the desk entered this one")
	require.Equal(t, "gas/NBP/base/call/27.29714/2025-03-20@2025-04",
		d.trade(t, "C", trade.AsOf{}).Instrument)
}

// A contract of 36,500,000 therms at 0.81, settled at 0.9. By the therm it costs 29,565,000.00, and
// gains 3,285,000.00. By the MWh both differ by less than the bound that the guide to import lines
// states: half a millionth for each MWh of each price, and half a minor unit.
func TestWorkedTherms(t *testing.T) {
	t.Parallel()
	d := newDesk()
	begin := gas("NBP", "36500000", trade.Therm, "0.81", trade.Therm)
	n := begin.Body.(trade.New)
	n.Currency, begin.Body = "GBP", n
	d.do(t, begin)
	c := d.trade(t, T, trade.AsOf{})
	equal(t, "1069709.15", c.Contracted)
	equal(t, "27.638354", c.Price)
	d.do(t, per(trade.Therm, on("05-02", trade.Settle{Price: dec("0.9")})))
	cost := d.trade(t, T, trade.AsOf{}).SettledAmount
	equal(t, "29565000.16", cost)
	bound := dec("0.0000005").Mul(c.Contracted).Add(dec("0.005"))
	require.LessOrEqual(t, cost.Sub(dec("29565000.00")).Cmp(bound), 0)
	p := d.position(t, "gas/NBP/base@2025-04")
	equal(t, "3284999.79", p.AverageCost.Realised)
	require.LessOrEqual(t, dec("3285000.00").Sub(p.AverageCost.Realised).Cmp(bound.Add(bound)), 0)
	equal(t, "0", p.Quantity)
	guide, err := os.ReadFile("../../../capstone/lines/README.md")
	require.NoError(t, err)
	states := strings.Contains(string(guide), "29,565,000.16 GBP for 29,565,000.00")
	require.True(t, states, "the guide has these figures")
}

// Each part is rounded on its own. Nine times 50 GJ are a little more than 450 GJ, so the last part
// is entered without a quantity.
func TestLastPartHasNoQuantity(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, gas("TTF", "450", trade.GJ, "9", trade.GJ))
	part := trade.Settle{Quantity: trade.Quantity{Value: dec("50"), Unit: trade.GJ},
		Price: dec("9")}
	for n := range 8 {
		d.do(t, per(trade.GJ, on(fmt.Sprintf("05-%02d", n+1), part)))
	}
	last := per(trade.GJ, on("05-09", part))
	r := d.refusedAs(t, last)
	require.Equal(t, trade.Exceeds, r.Rule)
	require.Equal(t, "13.888889 MWh asked for, 13.888888 MWh is open", r.Detail)
	last.Body = trade.Settle{Price: dec("9")}
	d.do(t, last)
	require.Equal(t, trade.Settled, d.trade(t, T, trade.AsOf{}).Status)
}

// A price has no unit of its own while the quantity has one.
func TestPriceUnitIsNotGuessed(t *testing.T) {
	t.Parallel()
	r := newDesk().refusedAs(t, gas("NBP", "1000", trade.Therm, "0.81", ""))
	require.Equal(t, trade.WrongUnit, r.Rule)
	require.Equal(t, "the quantity is in therm: say which unit the price is per", r.Detail)
	d := newDesk()
	d.do(t, gas("NBP", "1000", trade.Therm, "27.6", trade.MWh),
		on("02-04", trade.Cancel{Kind: trade.Terminate, Quantity: trade.Quantity{Value: dec("1"),
			Unit: trade.Therm}})) // no price
	equal(t, "27.6", d.trade(t, T, trade.AsOf{}).Price)
}

// The default unit, written out, is the same command, as far as it follows from the command alone.
func TestDefaultUnitIsTheSameCommand(t *testing.T) {
	t.Parallel()
	same := func(a, b trade.Command) bool { return a.Digest() == b.Digest() }
	for _, unit := range []trade.Unit{trade.MWh, trade.MW} {
		require.True(t, same(gas("TTF", "1", unit, "30", ""), gas("TTF", "1", unit, "30",
			trade.MWh)))
	}
	bare := mark("02-03", "oil/BRENT", "USD", "2025-06", "70")
	require.True(t, same(bare, per(trade.BBL, bare)))
	require.False(t, same(bare, per(trade.MWh, bare)))
	require.False(t, same(gas("TTF", "1", trade.KWh, "30", ""),
		gas("TTF", "1", trade.KWh, "30", trade.MWh)), "the first is refused")
	settle := on("05-02", trade.Settle{Price: dec("30")})
	require.False(t, same(settle, per(trade.MWh, settle)), "the contract may be in MMBtu")
}

// enteredIn returns the list of a body, if it has figures.
func enteredIn(b trade.Body) []trade.Entered {
	if !trade.KindOf(b).Measured() {
		return nil
	}
	all, _ := reflect.ValueOf(b).FieldByName("Entered").Interface().([]trade.Entered)
	return all
}

// kWh is the oracle's table of units.
var kWh = map[trade.Unit]*big.Rat{
	trade.KWh: big.NewRat(1, 1), trade.MWh: big.NewRat(1000, 1), trade.GJ: big.NewRat(2500, 9),
	trade.Therm: rat(dec("29.3071")), trade.MMBtu: quo(rat(dec("1055.05585262")), rat(dec("3.6"))),
}

// A figure is a quantity or a price of a body.
type figure struct {
	value trade.Decimal
	unit  trade.Unit // that it is in, or per
	price bool
}

// figures lists the quantities and prices of a body by the names of their fields.
func figures(b trade.Body, per trade.Unit) map[string]figure {
	all := map[string]figure{}
	price := func(field string, p trade.Decimal) { all[field] = figure{p, per, true} }
	quantity := func(q trade.Quantity) {
		if !q.IsZero() && q.Unit != trade.MW {
			all["quantity"] = figure{q.Value, q.Unit, false}
		}
	}
	switch b := b.(type) {
	case trade.New:
		quantity(b.Quantity)
		price("price", b.Price)
		if o := b.Instrument.Option; o != nil {
			price("option.strike", o.Strike)
		}
	case trade.Amend:
		quantity(b.Quantity)
		if b.Price != nil {
			price("price", *b.Price)
		}
	case trade.Settle:
		quantity(b.Quantity)
		price("price", b.Price)
	case trade.Exercise:
		quantity(b.Quantity)
		price("underlying_price", b.UnderlyingPrice)
	case trade.PriceMarked:
		for i, p := range b.Points {
			price(fmt.Sprintf("points[%d].price", i), p.Price)
		}
	case trade.Reducer:
		q, _ := b.Reduction()
		quantity(q)
	}
	return all
}

// checkEntered holds the event of a command against the command, figure by figure, by another way
// of reckoning: in kWh, and in fractions.
func (d *desk) checkEntered(cmd trade.Command, recorded trade.Body, unit trade.Unit) {
	if cmd.PriceUnit == "" {
		cmd.PriceUnit = unit
	}
	listed := map[string]trade.Entered{}
	for _, e := range enteredIn(recorded) {
		listed[e.Field] = e
	}
	on := figures(recorded, unit)
	for field, f := range figures(cmd.Body, cmd.PriceUnit) {
		want, ratio := rat(f.value), new(big.Rat)
		if f.unit != unit {
			ratio = quo(kWh[f.unit], kWh[unit])
			if f.price {
				ratio.Inv(ratio)
			}
			want = halfEven(mul(want, ratio), 6)
			e := listed[field]
			factor := quo(rat(e.Numerator), rat(e.Denominator))
			if factor.Cmp(ratio) != 0 || !e.Value.Equal(f.value) || e.Unit != f.unit {
				panic(fmt.Sprintf("%s: %s was entered %v, listed %v", cmd.ID, field, f, e))
			}
			delete(listed, field)
			d.seen[fmt.Sprintf("entered in %s, a price %t", f.unit, f.price)]++
		}
		if got := rat(on[field].value); got.Cmp(want) != 0 {
			panic(fmt.Sprintf("%s: %s is %s on record, want %s", cmd.ID, field, got, want))
		}
	}
	if len(listed) > 0 {
		panic(fmt.Sprintf("%s: listed, but not converted: %v", cmd.ID, listed))
	}
}

// inOtherUnit enters a command about power or gas in another unit. The figures stay about as large.
func inOtherUnit(cmd trade.Command, n int) trade.Command {
	other := []struct {
		unit  trade.Unit
		times string // so many are about a MWh
	}{{trade.KWh, "1000"}, {trade.GJ, "4"}, {trade.Therm, "34"}, {trade.MMBtu, "3"}}[n%4]
	energy := func(q trade.Quantity) trade.Quantity {
		if q.Unit == trade.MWh {
			q = trade.Quantity{Value: q.Value.Mul(dec(other.times)), Unit: other.unit}
		}
		return q
	}
	price := func(p trade.Decimal) trade.Decimal {
		cmd.PriceUnit = other.unit
		return trade.MulDiv(p, trade.Int(1), dec(other.times), 4)
	}
	switch b := cmd.Body.(type) {
	case trade.New:
		b.Quantity, b.Price = energy(b.Quantity), price(b.Price)
		cmd.Body = b
	case trade.Amend:
		b.Quantity = energy(b.Quantity)
		if b.Price != nil {
			p := price(*b.Price)
			b.Price = &p
		}
		cmd.Body = b
	case trade.Settle:
		b.Quantity, b.Price = energy(b.Quantity), price(b.Price)
		cmd.Body = b
	case trade.PriceMarked:
		for i := range b.Points {
			b.Points[i].Price = price(b.Points[i].Price)
		}
	case trade.Reducer:
		if q, ok := b.Reduction(); ok {
			cmd.Body = b.WithReduction(energy(q))
		}
	}
	return cmd
}
