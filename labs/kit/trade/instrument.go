package trade

import (
	"fmt"
	"strings"
	"time"
)

// A Commodity is the good that is delivered.
type Commodity string

const (
	Power Commodity = "power"
	Gas   Commodity = "gas"
	Oil   Commodity = "oil"
)

// A Day is a civil date, as days since 1970-01-01, like Avro's logical type date.
type Day int32

// DayOf returns the civil date of t in t's own zone.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// ParseDay reads YYYY-MM-DD.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date: want YYYY-MM-DD", s)
	}
	return DayOf(t), nil
}

// UTC returns midnight UTC of d.
func (d Day) UTC() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

func (d Day) String() string { return d.UTC().Format(time.DateOnly) }

// A Period is the half-open range of civil dates [Start, End) of a delivery.
type Period struct{ Start, End Day }

// String returns the shortest form: 2025, 2025-Q1, 2025-03 or 2025-03-01/2025-03-15, which excludes
// its end.
func (p Period) String() string {
	s, e := p.Start.UTC(), p.End.UTC()
	if s.Day() == 1 && e.Day() == 1 {
		switch months := (e.Year()-s.Year())*12 + int(e.Month()-s.Month()); {
		case months == 12 && s.Month() == time.January:
			return s.Format("2006")
		case months == 3 && s.Month()%3 == 1:
			return fmt.Sprintf("%d-Q%d", s.Year(), s.Month()/3+1)
		case months == 1:
			return s.Format("2006-01")
		}
	}
	return p.Start.String() + "/" + p.End.String()
}

// ParsePeriod reads the text of Period.String.
func ParsePeriod(s string) (Period, error) {
	span := func(layout, text string, months int) (Period, bool) {
		t, err := time.Parse(layout, text)
		return Period{DayOf(t), DayOf(t.AddDate(0, months, 0))}, err == nil
	}
	if p, ok := span("2006-01", s, 1); ok {
		return p, nil
	}
	if p, ok := span("2006", s, 12); ok {
		return p, nil
	}
	if year, q, ok := strings.Cut(s, "-Q"); ok && len(q) == 1 && q[0] >= '1' && q[0] <= '4' {
		if p, ok := span("2006-1", fmt.Sprintf("%s-%d", year, int(q[0]-'1')*3+1), 3); ok {
			return p, nil
		}
	}
	from, to, _ := strings.Cut(s, "/")
	start, err1 := ParseDay(from)
	end, err2 := ParseDay(to)
	if err1 != nil || err2 != nil || end <= start {
		return Period{}, fmt.Errorf("%q is not a delivery period: "+
			"want 2025, 2025-Q1, 2025-03 or 2025-03-01/2025-03-15 (end excluded)", s)
	}
	return Period{start, end}, nil
}

// Months cuts p at the ends of months. The first and the last part may be less than a month.
func (p Period) Months() []Period {
	var all []Period
	for start := p.Start; start < p.End; {
		end := min(month(start).End, p.End)
		all = append(all, Period{start, end})
		start = end
	}
	return all
}

// month returns the calendar month of d.
func month(d Day) Period {
	y, m, _ := d.UTC().Date()
	first := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	return Period{DayOf(first), DayOf(first.AddDate(0, 1, 0))}
}

func (p Period) isMonth() bool { return p == month(p.Start) }

// An Option is the right to buy (call) or sell (put) the underlying at Strike, within [From,
// Until].
type Option struct {
	Kind   string    // Call or Put
	Strike Decimal   // price per unit of the underlying, in the contract's currency
	From   time.Time // first instant of the exercise window
	Until  time.Time // last instant: the expiry
}

// Kinds of option.
const (
	Call = "call"
	Put  = "put"
)

// intrinsic returns the value of the right per unit, at a price of the underlying.
func (o Option) intrinsic(underlying Decimal) Decimal {
	worth := underlying.Sub(o.Strike)
	if o.Kind == Put {
		worth = worth.Neg()
	}
	if worth.Sign() < 0 {
		return Decimal{}
	}
	return worth
}

// An Instrument is the good that a contract is about, and its time of delivery.
type Instrument struct {
	Commodity Commodity
	Zone      string // the name of a delivery point: DE-LU, TTF, BRENT
	Profile   string // "base" or "peak" for power, "base" for gas, empty for oil
	Delivery  Period
	Option    *Option // nil for a forward
}

// Underlying returns the forward that an option is on. A forward returns itself.
func (i Instrument) Underlying() Instrument {
	i.Option = nil
	return i
}

// Unit returns the unit of i's contracts, which is that of its delivery point.
func (i Instrument) Unit() Unit { return points[i.Zone].Unit }

// Curve returns the name of the price curve that marks i. The points of a curve are keyed by
// delivery period.
//
//	power/CET/base   gas/TTF/base   oil/BRENT   oil/BRENT/call/70/2025-05-15
func (i Instrument) Curve() string {
	parts := []string{string(i.Commodity), i.Zone}
	if i.Profile != "" {
		parts = append(parts, i.Profile)
	}
	if o := i.Option; o != nil {
		parts = append(parts, o.Kind, o.Strike.String(), o.Until.UTC().Format(time.DateOnly))
	}
	return strings.Join(parts, "/")
}

// ID returns the name of i: its curve and its delivery period. Contracts with equal ID, book and
// currency share a pool. Of an option's window, the name has only the day of the expiry.
func (i Instrument) ID() string { return i.Curve() + "@" + i.Delivery.String() }

// ParseCurve reads the text of Instrument.Curve, for the delivery points of the table.
// The result has no delivery, and an option's window is the day of its expiry.
func ParseCurve(name string) (Instrument, error) {
	bad := func(what string) (Instrument, error) {
		return Instrument{}, fmt.Errorf("curve %q: %s: want one such as power/CET/base, "+
			"gas/TTF/base, oil/BRENT or oil/BRENT/call/70/2025-05-15", name, what)
	}
	parts := strings.Split(name, "/")
	if len(parts) < 2 {
		return bad("no zone")
	}
	i, rest := Instrument{Commodity: Commodity(parts[0]), Zone: parts[1]}, parts[2:]
	if i.Commodity != Oil && len(rest) > 0 {
		i.Profile, rest = rest[0], rest[1:]
	}
	if _, err := Zone(i.Zone); err != nil {
		return Instrument{}, fmt.Errorf("curve %q: %w", name, err)
	}
	switch at := points[i.Zone].Commodity; {
	case at != i.Commodity:
		return bad(fmt.Sprintf("%s is a delivery point of %s", i.Zone, at))
	case i.Commodity != Oil && i.Profile == "":
		return bad("no profile")
	case i.Commodity != Oil && i.Profile != "base" && (i.Profile != "peak" || i.Commodity != Power):
		return bad("unknown profile")
	case len(rest) == 0:
		return i, nil
	case len(rest) != 3 || rest[0] != Call && rest[0] != Put:
		return bad("not an option")
	}
	strike, err1 := ParseDecimal(rest[1])
	day, err2 := ParseDay(rest[2])
	i.Option = &Option{rest[0], strike, day.UTC(), day.UTC()}
	if err1 != nil || err2 != nil || i.Curve() != name {
		return bad("not an option")
	}
	return i, nil
}

// ParseInstrumentID reads the text of Instrument.ID. The result is enough to value a position.
func ParseInstrumentID(id string) (Instrument, error) {
	curve, delivery, _ := strings.Cut(id, "@")
	i, err := ParseCurve(curve)
	if err != nil {
		return Instrument{}, err
	}
	i.Delivery, err = ParsePeriod(delivery)
	return i, err
}
