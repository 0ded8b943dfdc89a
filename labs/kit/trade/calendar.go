package trade

import (
	"fmt"
	"time"
)

// Hours returns the number of hours of i's delivery that begin at or after from. A zero from counts
// all of them. A day has 23 or 25 hours when the clocks change. Base is every hour. Peak is twelve
// hours of the local day from Monday to Friday, holidays included: 08:00 to 20:00 on the Continent.
// Hours fails for oil, which is not delivered by the hour, and for an instrument that the calendar
// does not know.
func Hours(i Instrument, from time.Time) (int64, error) {
	p, ok := points[i.Zone]
	if !ok || p.Commodity != i.Commodity || i.Commodity == Oil {
		return 0, fmt.Errorf("%s in zone %q is not delivered by the hour", i.Commodity, i.Zone)
	}
	switch {
	case i.Profile == "base":
		start, end := p.at(i.Delivery.Start, p.DayBegins), p.at(i.Delivery.End, p.DayBegins)
		return hoursFrom(from, start, end), nil
	case i.Profile == "peak" && i.Commodity == Power:
		return p.peakHours(i.Delivery, from), nil
	}
	return 0, fmt.Errorf("%s has no profile %q", i.Commodity, i.Profile)
}

// hoursBetween returns the number of hours of i's delivery that begin at or after from and before
// to. The terms of i were checked.
func hoursBetween(i Instrument, from, to time.Time) int64 {
	all, err1 := Hours(i, from)
	later, err2 := Hours(i, to)
	if err1 != nil || err2 != nil {
		panic("trade: a contract without hours: " + i.ID())
	}
	return all - later
}

// at returns an hour of a local day.
func (p DeliveryPoint) at(d Day, hour int) time.Time {
	y, m, day := d.UTC().Date()
	return time.Date(y, m, day, hour, 0, 0, 0, p.Location)
}

func (p DeliveryPoint) peakHours(over Period, from time.Time) int64 {
	var n int64
	for d := over.Start; d < over.End; d++ {
		if isWeekday(d) {
			n += hoursFrom(from, p.at(d, p.PeakFrom), p.at(d, p.PeakFrom+12))
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

// A Span is a part of a delivery without a break: its hours begin at or after Begins, and before
// Ends.
type Span struct {
	Month        int // an index of Period.Months
	Begins, Ends time.Time
}

// Spans returns the spans of i's delivery. Hours counts their hours. Oil has none. Spans fails
// where Hours does, except for oil.
func (i Instrument) Spans() (all []Span, err error) {
	if i.Commodity == Oil {
		return nil, nil
	}
	if _, err := Hours(i, time.Time{}); err != nil {
		return nil, err
	}
	p := points[i.Zone]
	for n, month := range i.Delivery.Months() {
		if i.Profile == "base" {
			all = append(all,
				Span{n, p.at(month.Start, p.DayBegins), p.at(month.End, p.DayBegins)})
			continue
		}
		for d := month.Start; d < month.End; d++ {
			if isWeekday(d) {
				all = append(all, Span{n, p.at(d, p.PeakFrom), p.at(d, p.PeakFrom+12)})
			}
		}
	}
	return all, nil
}

// begins returns the start of the first hour of i's delivery. Oil has no hours: its delivery begins
// with the first day, on the clocks of the delivery point. The terms of i were checked.
func (i Instrument) begins() time.Time {
	p, first := points[i.Zone], i.Delivery.Start
	if i.Profile != "peak" {
		return p.at(first, p.DayBegins)
	}
	for !isWeekday(first) {
		first++
	}
	return p.at(first, p.PeakFrom)
}

// ends returns the end of the last hour of i's delivery. Oil is delivered until the last day ends.
func (i Instrument) ends() time.Time {
	p, last := points[i.Zone], i.Delivery.End-1
	if i.Profile != "peak" {
		return p.at(last+1, p.DayBegins)
	}
	for !isWeekday(last) {
		last--
	}
	return p.at(last, p.PeakFrom+12)
}

func (p Period) hasWeekday() bool {
	for d := p.Start; d < p.End; d++ {
		if isWeekday(d) {
			return true
		}
	}
	return false
}

func isWeekday(d Day) bool {
	w := d.UTC().Weekday()
	return w != time.Saturday && w != time.Sunday
}
