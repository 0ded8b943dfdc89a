package trade

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// strictTime matches date-time of RFC 3339, section 5.6, in upper case. time.Parse also takes a
// comma before the fraction, hours of one digit, and offsets of a day or an hour and more.
var strictTime = regexp.MustCompile(
	`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// ParseTime reads a time of RFC 3339 from the years 1 to 9999, in UTC. It is the only parser of
// times that people or other programs write. The result is in UTC, and never the zero time.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !strictTime.MatchString(s) || t.IsZero() || !hasFourDigitYear(t) {
		return time.Time{}, fmt.Errorf("%q is not a time of RFC 3339", s)
	}
	return t.UTC(), nil
}

// ParseMoment reads the time of a question: a time as ParseTime reads it, "now", or a day. A day is
// a date, "today", "yesterday", or "-2d" for two days before today, and means the last microsecond
// of that day in the zone. The result is in UTC, and never the zero time, which does not limit an
// AsOf.
func ParseMoment(s string, zone *time.Location, now time.Time) (time.Time, error) {
	return parseMoment(s, zone, now, func(day time.Time) time.Time {
		return day.AddDate(0, 0, 1).Add(-time.Microsecond)
	})
}

// ParseBeginning is ParseMoment, except that a day means its first microsecond.
func ParseBeginning(s string, zone *time.Location, now time.Time) (time.Time, error) {
	return parseMoment(s, zone, now, func(day time.Time) time.Time { return day })
}

// IsPresent reports whether a text that ParseMoment reads means the time of asking. What is known
// then ends at the frontier of the log.
func IsPresent(s string) bool { return s == "now" || s == "today" }

func parseMoment(
	s string, zone *time.Location, now time.Time, of func(day time.Time) time.Time,
) (time.Time, error) {
	if s == "now" {
		return now.UTC().Truncate(time.Microsecond), nil
	}
	if t, err := ParseTime(s); err == nil {
		return t, nil
	}
	day, ok := dayOf(s, now.In(zone))
	if !ok || of(day).IsZero() || !hasFourDigitYear(of(day)) {
		return time.Time{}, fmt.Errorf("%q is neither a date nor a time", s)
	}
	return of(day).UTC(), nil
}

// longAgo is the largest number of days in a text such as -1d: about a hundred years.
const longAgo = 36500

// dayOf returns the midnight that begins the day s, in the zone of now.
func dayOf(s string, now time.Time) (time.Time, bool) {
	ago, found := 0, true
	switch number, days := strings.CutSuffix(s, "d"); {
	case s == "today":
	case s == "yesterday":
		ago = 1
	case days && strings.HasPrefix(number, "-") && digits(number[1:]):
		n, err := strconv.Atoi(number[1:])
		ago, found = n, err == nil && n <= longAgo
	default:
		day, err := time.ParseInLocation(time.DateOnly, s, now.Location())
		return day, err == nil
	}
	y, m, d := now.Date()
	return time.Date(y, m, d-ago, 0, 0, 0, 0, now.Location()), found
}
