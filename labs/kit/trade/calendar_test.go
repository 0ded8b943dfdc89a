package trade_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

func TestHoursOfDelivery(t *testing.T) {
	t.Parallel()
	in := func(c trade.Commodity, zone, profile, delivery string) trade.Instrument {
		return trade.Instrument{Commodity: c, Zone: zone, Profile: profile,
			Delivery: period(delivery)}
	}
	for _, c := range []struct {
		name string
		i    trade.Instrument
		from string
		want int64
	}{
		{"a short month", in(trade.Power, "CET", "base", "2025-02"), "", 672},
		{"the clocks go forward", in(trade.Power, "CET", "base", "2025-03"), "", 743},
		{"the clocks go back", in(trade.Power, "CET", "base", "2025-10"), "", 745},
		{"a year", in(trade.Power, "CET", "base", "2025"), "", 8760},
		{"a leap year", in(trade.Power, "GB", "base", "2024"), "", 8784},
		{"the day of 23 hours", in(trade.Power, "CET", "base", "2025-03-30/2025-03-31"), "", 23},
		{"the gas day with the night of the change", in(trade.Gas, "TTF", "base",
			"2025-03-29/2025-03-30"), "", 23},
		{"the gas day after it", in(trade.Gas, "TTF", "base", "2025-03-30/2025-03-31"), "", 24},
		{"the British gas day", in(trade.Gas, "NBP", "base", "2025-10-25/2025-10-26"), "", 25},
		{"peak, 21 weekdays", in(trade.Power, "CET", "peak", "2025-03"), "", 252},
		{"peak of a weekend", in(trade.Power, "CET", "peak", "2025-03-01/2025-03-03"), "", 0},
		{"from the first hour", in(trade.Power, "CET", "base", "2025-02"), "2025-01-31T23:00:00Z",
			672},
		{"an hour that has begun does not count", in(trade.Power, "CET", "base", "2025-02"),
			"2025-01-31T23:00:00.000001Z", 671},
		{"the last hour", in(trade.Power, "CET", "base", "2025-02"), "2025-02-28T22:00:00Z", 1},
		{"nothing left", in(trade.Power, "CET", "base", "2025-02"), "2025-02-28T22:30:00Z", 0},
		{"a gas day begins at six", in(trade.Gas, "THE", "base", "2025-02"), "2025-02-01T05:00:00Z",
			672},
		{"a British power day begins an hour before midnight",
			in(trade.Power, "GB", "base", "2025-03-03/2025-03-04"), "2025-03-02T23:00:00Z", 24},
		{"a British power day ends an hour before midnight",
			in(trade.Power, "GB", "base", "2025-03-03/2025-03-04"), "2025-03-03T22:00:00Z", 1},
		{"the British day of 23 hours", in(trade.Power, "GB", "base", "2025-03-30/2025-03-31"), "",
			23},
		{"a British peak begins at seven", in(trade.Power, "GB", "peak", "2025-03-03/2025-03-04"),
			"2025-03-03T07:00:00.000001Z", 11},
		{"a British peak ends at nineteen", in(trade.Power, "GB", "peak", "2025-03-03/2025-03-04"),
			"2025-03-03T18:00:00Z", 1},
		{"peak from noon on a Monday", in(trade.Power, "CET", "peak", "2025-03-03/2025-03-04"),
			"2025-03-03T11:00:00Z", 8},
	} {
		var from time.Time
		if c.from != "" {
			from = at(c.from)
		}
		got, err := trade.Hours(c.i, from)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, c.name)
	}
}

func TestHoursRefusesOtherInstruments(t *testing.T) {
	t.Parallel()
	for _, i := range []trade.Instrument{
		brentJune,
		{Commodity: trade.Power, Zone: "MARS", Profile: "base", Delivery: period("2025")},
		{Commodity: trade.Power, Zone: "TTF", Profile: "base", Delivery: period("2025")},
		{Commodity: trade.Power, Zone: "CET", Profile: "night", Delivery: period("2025")},
		{Commodity: trade.Gas, Zone: "TTF", Profile: "peak", Delivery: period("2025")},
	} {
		_, err := trade.Hours(i, time.Time{})
		require.Error(t, err, i.ID())
	}
}

// A delivery begins and ends by the clocks of its delivery point. A gas day goes on until 06:00,
// and peak begins on the first weekday.
func TestDeliveryBeginsAndEnds(t *testing.T) {
	t.Parallel()
	peak := baseMarch
	peak.Profile, peak.Delivery = "peak", period("2025-03-01/2025-03-09") // Saturday to Saturday
	gas := trade.Instrument{Commodity: trade.Gas, Zone: "TTF", Profile: "base",
		Delivery: period("2025-03")}
	january := at("2025-01-02T00:00:00Z")
	for _, c := range []struct {
		instrument   trade.Instrument
		begins, ends string
	}{
		{baseMarch, "2025-02-28T23:00:00Z", "2025-03-31T22:00:00Z"},
		{gas, "2025-03-01T05:00:00Z", "2025-04-01T04:00:00Z"},
		{peak, "2025-03-03T07:00:00Z", "2025-03-07T19:00:00Z"},
		{brentJune, "2025-05-31T23:00:00Z", "2025-06-30T23:00:00Z"},
	} {
		over := func(moment time.Time) bool {
			n := power("1", "50")
			n.Instrument, n.Quantity.Unit = c.instrument, c.instrument.Unit()
			_, err := trade.Decide(nil, trade.Command{ID: "c", UTI: T, EnteredAt: moment,
				Actor: "a", Reason: "r", Body: n})
			return err != nil
		}
		require.False(t, over(at(c.ends).Add(-time.Microsecond)), c.instrument.ID())
		require.True(t, over(at(c.ends)), c.instrument.ID())
		late := func(until time.Time) bool {
			n := power("1", "50")
			n.Instrument, n.Quantity.Unit = c.instrument, c.instrument.Unit()
			n.Instrument.Option = &trade.Option{Kind: trade.Call, Strike: dec("60"),
				From: january, Until: until}
			_, err := trade.Decide(nil, trade.Command{ID: "c", UTI: T, EnteredAt: january,
				Actor: "a", Reason: "r", Body: n})
			return err != nil
		}
		require.False(t, late(at(c.begins)), c.instrument.ID())
		require.True(t, late(at(c.begins).Add(time.Microsecond)), c.instrument.ID())
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	for name, noon := range map[string]string{ // noon UTC in July
		"CET": "14:00", "TTF": "14:00", "THE": "14:00", "GB": "13:00", "NBP": "13:00",
		"BRENT": "13:00", "WTI": "08:00",
	} {
		l, err := trade.Zone(name)
		require.NoError(t, err)
		require.Equal(t, noon, at("2025-07-01T12:00:00Z").In(l).Format("15:04"), name)
	}
	_, err := trade.Zone("MARS")
	require.ErrorContains(t, err, "MARS")
}

// The zone files must also cover later years: they end in a rule (RFC 9636, section 3.3).
func TestZonesKnowLaterYears(t *testing.T) {
	t.Parallel()
	n, err := trade.Hours(trade.Instrument{Commodity: trade.Power, Zone: "CET", Profile: "base",
		Delivery: period("2045-03")}, time.Time{})
	require.NoError(t, err)
	require.EqualValues(t, 743, n)
}

func TestPeriodsAndCurvesRoundTrip(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"2025", "2025-Q1", "2025-Q4", "2025-03", "2025-03-01/2025-03-15",
		"2025-02-01/2025-04-01"} {
		require.Equal(t, s, period(s).String())
	}
	for _, i := range []trade.Instrument{baseMarch, brentJune, call("70.25")} {
		back, err := trade.ParseInstrumentID(i.ID())
		require.NoError(t, err)
		require.Equal(t, i.ID(), back.ID())
		require.Equal(t, i.Delivery, back.Delivery)
	}
	for name, says := range map[string]string{
		"":                              "no zone",
		"power":                         "no zone",
		"power/MARS/base":               `unknown zone "MARS": want one of AT, BE, BRENT, CET, `,
		"power/TTF/base":                "TTF is a delivery point of gas",
		"power/CET":                     "no profile",
		"power/CET/night":               "unknown profile",
		"gas/TTF/peak":                  "unknown profile",
		"oil/BRENT/base":                "not an option",
		"oil/BRENT/call/70":             "not an option",
		"oil/BRENT/call/070/2025-05-15": "not an option",
		"oil/BRENT/call/x/2025-05-15":   "not an option",
		"oil/BRENT/swap/70/2025-05-15":  "not an option",
	} {
		_, err := trade.ParseCurve(name)
		require.ErrorContains(t, err, fmt.Sprintf("curve %q: %s", name, says))
	}
}

// The spans of a delivery have its hours, in each month and from any time on.
func TestSpansHaveTheHours(t *testing.T) {
	t.Parallel()
	const step = 83*time.Hour + 17*time.Minute
	for _, id := range []string{
		"power/CET/base@2025", "power/CET/peak@2025-Q4", "power/GB/peak@2025-03-20/2025-04-09",
		"gas/TTF/base@2025-03", "gas/NBP/base@2025-Q4",
	} {
		i, err := trade.ParseInstrumentID(id)
		require.NoError(t, err)
		spans, err := i.Spans()
		require.NoError(t, err)
		for at := spans[0].Begins.Add(-7 * time.Hour); ; at = at.Add(step) {
			got := map[int]int64{}
			for _, s := range spans {
				from := s.Begins
				if at.After(from) {
					from = at
				}
				got[s.Month] += max(0, int64(s.Ends.Sub(from)/time.Hour))
			}
			for n, month := range i.Delivery.Months() {
				part := i
				part.Delivery = month
				want, err := trade.Hours(part, at)
				require.NoError(t, err)
				require.Equal(t, want, got[n], "%s in %s from %s", id, month, at)
			}
			if at.After(spans[len(spans)-1].Ends) {
				break
			}
		}
	}
	oil, err := trade.ParseInstrumentID("oil/BRENT@2025-06")
	require.NoError(t, err)
	spans, err := oil.Spans()
	require.NoError(t, err)
	require.Empty(t, spans)
}
