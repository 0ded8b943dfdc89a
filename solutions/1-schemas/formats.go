package codec

import (
	"fmt"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// A format is how one version of one event type is walked.
type format struct {
	typ     string
	version int
	walk    func(f fields, in any) (out any) // out is in as the walker left it; a nil in stands for the empty body
}

// formats has every version that was ever published (L1.I4). When a type gets its next version, the one before it stays here and
// its out is turned into today's body.
var formats = []format{
	{"trade.new", 1, of(begun)},
	{"trade.amended", 1, of(amended)},
	{"trade.cancelled", 1, of(cancelled)},
	{"trade.novated", 1, of(novated)},
	{"trade.settled", 1, of(settled)},
	{"trade.exercised", 1, of(exercised)},
	{"command.refused", 1, of(refused)},
	{"price.marked", 1, of(marked)},
	{headType, 1, of(head)},
}

// of makes the walk over a B fit the table. It walks over a copy, so what a caller holds is never written to.
func of[B any](walk func(fields, *B)) func(fields, any) any {
	return func(f fields, in any) any {
		b, _ := in.(B)
		walk(f, &b)
		return b
	}
}

// formatOf is the format of a schema of the catalog. The two lists are one by a test, so a missing format is a broken invariant.
func formatOf(typ string, version int) format {
	for _, f := range formats {
		if f.typ == typ && f.version == version {
			return f
		}
	}
	panic(fmt.Sprintf("codec: no format for %s version %d", typ, version))
}

// latest is the format that a type is written in.
func latest(typ string) format {
	s, _ := schemas.Latest(typ)
	return formatOf(typ, s.Version)
}

// typeOf is the event type of a body; "" for one that is never recorded.
func typeOf(body trade.Body) string {
	switch body.(type) {
	case trade.New:
		return "trade.new"
	case trade.Amend:
		return "trade.amended"
	case trade.Cancel:
		return "trade.cancelled"
	case trade.Novate:
		return "trade.novated"
	case trade.Settle:
		return "trade.settled"
	case trade.Exercise:
		return "trade.exercised"
	case trade.CommandRefused:
		return "command.refused"
	case trade.PriceMarked:
		return "price.marked"
	}
	return ""
}
