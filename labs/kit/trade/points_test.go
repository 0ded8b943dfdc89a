package trade_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// One hour of each point is known: that in which the delivery day of 1 July 2025 begins.
func TestDeliveryPoints(t *testing.T) {
	t.Parallel()
	want := map[string]struct {
		commodity trade.Commodity
		unit      trade.Unit
		currency  trade.Currency
		begins    string
	}{
		"CET":       {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"AT":        {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"BE":        {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"DE-LU":     {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"ES":        {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"FR":        {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"GB":        {trade.Power, trade.MWh, "GBP", "2025-06-30T22:00:00Z"},
		"IT-North":  {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"NL":        {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"NO2":       {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"PL":        {trade.Power, trade.MWh, "PLN", "2025-06-30T22:00:00Z"},
		"SE3":       {trade.Power, trade.MWh, "EUR", "2025-06-30T22:00:00Z"},
		"HENRY-HUB": {trade.Gas, trade.MMBtu, "USD", "2025-07-01T14:00:00Z"},
		"NBP":       {trade.Gas, trade.MWh, "GBP", "2025-07-01T04:00:00Z"},
		"PEG":       {trade.Gas, trade.MWh, "EUR", "2025-07-01T04:00:00Z"},
		"PSV":       {trade.Gas, trade.MWh, "EUR", "2025-07-01T04:00:00Z"},
		"THE":       {trade.Gas, trade.MWh, "EUR", "2025-07-01T04:00:00Z"},
		"TTF":       {trade.Gas, trade.MWh, "EUR", "2025-07-01T04:00:00Z"},
		"ZTP":       {trade.Gas, trade.MWh, "EUR", "2025-07-01T04:00:00Z"},
		"BRENT":     {trade.Oil, trade.BBL, "USD", ""},
		"DUBAI":     {trade.Oil, trade.BBL, "USD", ""},
		"WTI":       {trade.Oil, trade.BBL, "USD", ""},
	}
	require.Len(t, trade.DeliveryPoints(), len(want))
	for _, name := range trade.DeliveryPoints() {
		p, ok := trade.FindDeliveryPoint(name)
		require.True(t, ok)
		w := want[name]
		require.Equal(t, w.commodity, p.Commodity, name)
		require.Equal(t, w.unit, p.Unit, name)
		require.Equal(t, w.currency, p.Currency, name)
		require.Regexp(t, regexp.MustCompile(`^[A-Za-z0-9-]+$`), name)
		if w.begins == "" {
			continue
		}
		i := trade.Instrument{Commodity: p.Commodity, Zone: name, Profile: "base",
			Delivery: period("2025-07-01/2025-07-02")}
		left := func(from time.Time) int64 {
			n, err := trade.Hours(i, from)
			require.NoError(t, err)
			return n
		}
		require.EqualValues(t, 24, left(at(w.begins)), name)
		require.EqualValues(t, 23, left(at(w.begins).Add(time.Microsecond)), name)
	}
}

// The gas day of Henry Hub has 23 and 25 hours when the clocks of Chicago change.
func TestHenryHubGasDays(t *testing.T) {
	t.Parallel()
	for delivery, want := range map[string]int64{
		"2025-03-08/2025-03-09": 23, "2025-11-01/2025-11-02": 25, "2025-03": 743,
	} {
		n, err := trade.Hours(trade.Instrument{Commodity: trade.Gas, Zone: "HENRY-HUB",
			Profile: "base", Delivery: period(delivery)}, time.Time{})
		require.NoError(t, err)
		require.Equal(t, want, n, delivery)
	}
}

// contractAt is a forward of March 2025 at a delivery point, in the point's unit and currency.
func contractAt(point string, side trade.Side, quantity, price string) trade.New {
	p, _ := trade.FindDeliveryPoint(point)
	i := trade.Instrument{Commodity: p.Commodity, Zone: point, Profile: "base",
		Delivery: period("2025-03")}
	if p.Commodity == trade.Oil {
		i.Profile = ""
	}
	return trade.New{Book: "b", Counterparty: "CP", Trader: "trader/7", Side: side, Instrument: i,
		Quantity: trade.Quantity{Value: trade.Dec(quantity), Unit: p.Unit},
		Price:    trade.Dec(price), Currency: p.Currency}
}

// A contract can begin at every point, and no two points net: a German purchase and a French sale
// are two positions, and nothing is realised.
func TestDeliveryPointsDoNotNet(t *testing.T) {
	t.Parallel()
	d := newDesk()
	for _, name := range trade.DeliveryPoints() {
		side := trade.Buy
		if name == "FR" {
			side = trade.Sell
		}
		d.do(t, of(strings.ToUpper(name), on("02-03", contractAt(name, side, "100", "50"))))
	}
	s := d.state(t)
	require.Len(t, s.Positions, len(trade.DeliveryPoints()))
	for _, p := range s.Positions {
		i, err := trade.ParseInstrumentID(p.Instrument)
		require.NoError(t, err)
		require.Equal(t, "0", p.AverageCost.Realised.String(), p.Instrument)
		require.Equal(t, i.Unit(), p.Unit)
		want := "100"
		if i.Zone == "FR" {
			want = "-100"
		}
		require.Equal(t, want, p.Quantity.String(), p.Instrument)
	}
}

// currenciesByPlaces counts the currencies by the places of their minor units.
func currenciesByPlaces() map[int32]int {
	n := map[int32]int{}
	letters := "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, a := range letters {
		for _, b := range letters {
			for _, c := range letters {
				if known, err := trade.ParseCurrency(string([]rune{a, b, c})); err == nil {
					n[known.Places()]++
				}
			}
		}
	}
	return n
}

// List one of ISO 4217 has as many codes with each minor unit.
func TestCurrenciesOfISO4217(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{ // 3 units at a price of 0.12345
		"JPY": "0", "KRW": "0", "EUR": "0.37", "PLN": "0.37", "SEK": "0.37", "DKK": "0.37",
		"KWD": "0.370", "BHD": "0.370", "CLF": "0.3704",
	} {
		c, err := trade.ParseCurrency(code)
		require.NoError(t, err)
		require.Equal(t, want, c.Show(c.Amount(trade.Dec("0.12345"), trade.Int(3))), code)
	}
	require.Equal(t, map[int32]int{0: 17, 2: 139, 3: 7, 4: 2}, currenciesByPlaces())
	for _, code := range []string{"", "eur", "GBX", "XAU", "XXX", "DEM", "HRK"} {
		_, err := trade.ParseCurrency(code)
		require.ErrorContains(t, err, "ISO 4217", code)
	}
}
