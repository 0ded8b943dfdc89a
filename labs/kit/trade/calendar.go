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

// at returns an hour of a local day.
func (p DeliveryPoint) at(d Day, hour int) time.Time {
	y, m, day := d.UTC().Date()
	return time.Date(y, m, day, hour, 0, 0, 0, p.Location)
}

func (p DeliveryPoint) peakHours(over Period, from time.Time) int64 {
	var n int64
	for d := over.Start; d < over.End; d++ {
		if w := d.UTC().Weekday(); w != time.Saturday && w != time.Sunday {
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
