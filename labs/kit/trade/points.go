package trade

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The rules of daylight saving are files of this package: those of tzdata 2025c (public domain), as
// Go 1.26 ships them in lib/time/zoneinfo.zip. So hours depend neither on the machine's zoneinfo
// nor on the Go release.
//
//go:embed zoneinfo
var zoneinfo embed.FS

// A DeliveryPoint is a place of delivery: a bidding zone of power, a gas hub or a grade of oil.
// Contracts for different points never net.
type DeliveryPoint struct {
	Commodity Commodity
	Unit      Unit           // of every quantity on record, and the unit that prices are per
	Location  *time.Location // whose clocks the delivery goes by
	DayBegins int            // hour of the local day; -1 is 23:00 on the day before
	PeakFrom  int            // hour of the local day; peak is the twelve hours from there on
	Currency  Currency       // that the point is usually traded in
}

// points is the one table of delivery points. A point's name is part of the names of its
// instruments and curves, which are on record: names never change. They have letters, digits and
// hyphens only.
//
// CET is no bidding zone. It stands for the Continent as a whole, in samples. Contracts of a real
// zone have that zone's name.
//
//   - The European gas day begins at 06:00 on the Continent (Regulation (EU) 2017/459, article 3,
//     "gas day": 05:00 UTC in winter, 04:00 in summer), and at 05:00 in Great Britain (Uniform
//     Network Code, since 2015). That of Henry Hub begins at 09:00 in Chicago (NAESB WGQ standard
//     1.3.1: 9 a.m. Central Clock Time).
//   - Continental peak is 08:00 to 20:00 from Monday to Friday, holidays included (EEX contract
//     specifications; also those of OMIP for Spain, of Nasdaq and EEX for the Nordic zones).
//     Exchanges have other peaks as well, such as the fifteen hours of TGE's PEAK5 in Poland: they
//     are not in this table.
//   - British power is traded by the EFA day, which begins at 23:00. Its peak is blocks 3 to 5 of
//     six on weekdays, from 07:00 to 19:00 (calendar of the Electricity Forward Agreement).
//   - Henry Hub has the unit in which it is quoted, so its amounts are those of the exchange, to
//     the cent. NBP is quoted in therms, and on record in MWh: British gas is allocated and
//     invoiced in kWh (Uniform Network Code, section C). Either may be entered; see Entered.
//   - Oil has no hours: its location only names a calendar.
var points = map[string]DeliveryPoint{
	"CET": {Power, MWh, location("Brussels"), 0, 8, "EUR"},

	"AT":       {Power, MWh, location("Vienna"), 0, 8, "EUR"},
	"BE":       {Power, MWh, location("Brussels"), 0, 8, "EUR"},
	"DE-LU":    {Power, MWh, location("Berlin"), 0, 8, "EUR"},
	"ES":       {Power, MWh, location("Madrid"), 0, 8, "EUR"},
	"FR":       {Power, MWh, location("Paris"), 0, 8, "EUR"},
	"GB":       {Power, MWh, location("London"), -1, 7, "GBP"},
	"IT-North": {Power, MWh, location("Rome"), 0, 8, "EUR"},
	"NL":       {Power, MWh, location("Amsterdam"), 0, 8, "EUR"},
	"NO2":      {Power, MWh, location("Oslo"), 0, 8, "EUR"},
	"PL":       {Power, MWh, location("Warsaw"), 0, 8, "PLN"},
	"SE3":      {Power, MWh, location("Stockholm"), 0, 8, "EUR"},

	"HENRY-HUB": {Gas, MMBtu, location("Chicago"), 9, 0, "USD"},
	"NBP":       {Gas, MWh, location("London"), 5, 0, "GBP"},
	"PEG":       {Gas, MWh, location("Paris"), 6, 0, "EUR"},
	"PSV":       {Gas, MWh, location("Rome"), 6, 0, "EUR"},
	"THE":       {Gas, MWh, location("Berlin"), 6, 0, "EUR"},
	"TTF":       {Gas, MWh, location("Amsterdam"), 6, 0, "EUR"},
	"ZTP":       {Gas, MWh, location("Brussels"), 6, 0, "EUR"},

	"BRENT": {Oil, BBL, location("London"), 0, 0, "USD"},
	"DUBAI": {Oil, BBL, location("Dubai"), 0, 0, "USD"},
	"WTI":   {Oil, BBL, location("New_York"), 0, 0, "USD"},
}

func location(city string) *time.Location {
	data, err := zoneinfo.ReadFile("zoneinfo/" + city)
	if err != nil {
		panic(err)
	}
	l, err := time.LoadLocationFromTZData(city, data)
	if err != nil {
		panic(err)
	}
	return l
}

// DeliveryPoints returns the names of all delivery points, sorted.
func DeliveryPoints() []string { return slices.Sorted(maps.Keys(points)) }

// FindDeliveryPoint returns the delivery point with a name. ok is false for an unknown name.
func FindDeliveryPoint(name string) (p DeliveryPoint, ok bool) {
	p, ok = points[name]
	return p, ok
}

// Zone returns the time zone of a delivery point.
func Zone(name string) (*time.Location, error) {
	p, ok := points[name]
	if !ok {
		return nil, fmt.Errorf("unknown zone %q: want one of %s", name,
			strings.Join(DeliveryPoints(), ", "))
	}
	return p.Location, nil
}

// BookZone returns the time zone of the desk's own days: that of CET.
func BookZone() *time.Location { return points["CET"].Location }
