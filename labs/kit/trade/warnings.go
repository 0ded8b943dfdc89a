package trade

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Warnings returns the remarks that the sender of an accepted command should read. They follow from
// the command alone, so a command that is sent again has the same ones:
//
//   - A contract or a mark is in another currency than its delivery point is usually traded in.
//   - A NEW in MW was entered during delivery without an effective time. Its quantity leaves out
//     the hours that began before the entry.
func (c Command) Warnings() (all []string) {
	switch b := c.Body.(type) {
	case New:
		all = warnOfCurrency(b.Instrument, b.Currency)
		if text := c.leftOut(b); text != "" {
			all = append(all, text)
		}
	case PriceMarked:
		if i, err := ParseCurve(b.Curve); err == nil {
			all = warnOfCurrency(i, b.Currency)
		}
	}
	return all
}

func warnOfCurrency(i Instrument, c Currency) []string {
	p, ok := points[i.Zone]
	if !ok || p.Currency == c {
		return nil
	}
	return []string{fmt.Sprintf("currency %s: %s is usually traded in %s", c, i.Zone, p.Currency)}
}

// leftOut names the hours that a NEW in MW leaves out, or returns "".
func (c Command) leftOut(n New) string {
	if n.Quantity.Unit != MW || !c.EffectiveAt.IsZero() ||
		c.Corrects != uuid.Nil {
		return ""
	}
	all, err1 := Hours(n.Instrument, time.Time{})
	left, err2 := Hours(n.Instrument, c.EnteredAt)
	if err1 != nil || err2 != nil || left == all {
		return ""
	}
	until := c.EnteredAt.Add(time.Hour - time.Microsecond).Truncate(time.Hour)
	return fmt.Sprintf("%d of %d hours are left out, those of %s that began from %s to %s: give "+
		"effective_at to count them", all-left, all, n.Instrument.Delivery,
		rfc3339(n.Instrument.begins()), rfc3339(until))
}
