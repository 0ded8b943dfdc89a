package trade

import (
	"embed"
	"fmt"
	"time"
)

// The rules of daylight saving are files of this package (tzdata 2025c, public domain). So hours
// depend neither on the machine's zoneinfo nor on the Go release.
//
//go:embed zoneinfo
var zoneinfo embed.FS

// An area is a place of delivery, with the begin of its delivery day.
type area struct {
	commodity Commodity
	location  *time.Location
	dayBegins int // hour of the local day; -1 is 23:00 on the day before
	peakFrom  int // hour of the local day; peak is the twelve hours from there on
}

// areas holds the zones, hubs and grades that this kit knows.
//
//   - The European gas day begins at 06:00 on the Continent (Regulation (EU) 2017/459, article 3,
//     "gas day": 05:00 UTC in winter, 04:00 in summer), and at 05:00 in Great Britain (Uniform
//     Network Code, since 2015).
//   - British power is traded by the EFA day, which begins at 23:00. Its peak is blocks 3 to 5 of
//     six on weekdays, from 07:00 to 19:00 (calendar of the Electricity Forward Agreement).
//   - Oil has no hours: its zone only names a calendar.
var areas = map[string]area{
	"CET":   {Power, location("Brussels"), 0, 8},
	"GB":    {Power, location("London"), -1, 7},
	"TTF":   {Gas, location("Amsterdam"), 6, 0},
	"THE":   {Gas, location("Berlin"), 6, 0},
	"NBP":   {Gas, location("London"), 5, 0},
	"BRENT": {Oil, location("London"), 0, 0},
	"WTI":   {Oil, location("New_York"), 0, 0},
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

// Zone returns the time zone of a bidding zone, gas hub or oil grade: CET, GB, TTF, THE, NBP,
// BRENT or WTI.
func Zone(name string) (*time.Location, error) {
	a, ok := areas[name]
	if !ok {
		return nil, fmt.Errorf("unknown zone %q: want one of BRENT, CET, GB, NBP, THE, TTF, WTI",
			name)
	}
	return a.location, nil
}

// BookZone returns the zone of the desk's own days: CET.
func BookZone() *time.Location { return areas["CET"].location }

// Hours returns the number of hours of i's delivery that begin at or after from. A zero from counts
// all of them. A day has 23 or 25 hours when the clocks change. Base is every hour. Peak is twelve
// hours of the local day from Monday to Friday, holidays included: 08:00 to 20:00 on the Continent.
// Hours fails for oil, which is not delivered by the hour, and for an instrument that the calendar
// does not know.
func Hours(i Instrument, from time.Time) (int64, error) {
	a, ok := areas[i.Zone]
	if !ok || a.commodity != i.Commodity || i.Commodity == Oil {
		return 0, fmt.Errorf("%s in zone %q is not delivered by the hour", i.Commodity, i.Zone)
	}
	switch {
	case i.Profile == "base":
		start, end := a.at(i.Delivery.Start, a.dayBegins), a.at(i.Delivery.End, a.dayBegins)
		return hoursFrom(from, start, end), nil
	case i.Profile == "peak" && i.Commodity == Power:
		return a.peakHours(i.Delivery, from), nil
	}
	return 0, fmt.Errorf("%s has no profile %q", i.Commodity, i.Profile)
}

// at returns an hour of a local day.
func (a area) at(d Day, hour int) time.Time {
	y, m, day := d.UTC().Date()
	return time.Date(y, m, day, hour, 0, 0, 0, a.location)
}

func (a area) peakHours(p Period, from time.Time) int64 {
	var n int64
	for d := p.Start; d < p.End; d++ {
		if w := d.UTC().Weekday(); w != time.Saturday && w != time.Sunday {
			n += hoursFrom(from, a.at(d, a.peakFrom), a.at(d, a.peakFrom+12))
		}
	}
	return n
}

// hoursFrom counts the hours of [start, end) that begin at or after from. Hours begin on the hour,
// so the count is the number of whole hours between from and the end.
func hoursFrom(from, start, end time.Time) int64 {
	if from.After(start) {
		start = from
	}
	return max(0, int64(end.Sub(start)/time.Hour))
}
