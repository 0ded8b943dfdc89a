package chaos

import (
	"math"
	"slices"
	"sort"

	"github.com/anishathalye/porcupine"
)

// witness narrows each operation to one moment within its time, so that no two share a moment. If
// the operations have an order, the moments have one, too: the log gives the order of the appends,
// so each append gets the earliest possible moment, after all operations that saw the stream
// without it. Every other operation comes after the last append that it must have seen. Checking
// the moments needs no search. An order of the moments is an order of the operations, because a
// shorter time only allows fewer orders. ok is false if an operation has no moment left.
//
// Without this step, the search does not end after a broker was away, when all waiting requests are
// answered at once.
func witness(operations []porcupine.Operation) (narrowed []porcupine.Operation, ok bool) {
	appends, others := ordered(operations)
	moments := make([]moment, 0, len(operations))
	lengths, times := []int64{0}, []int64{0} // lengths of the stream, and their first times
	for _, o := range appends {
		p, at := o.Input.(step), max(times[len(times)-1], o.Call)
		length := p.at - 1 + int64(len(p.ids))
		for _, other := range others {
			_, most := other.Input.(step).within()
			if most >= lengths[len(lengths)-1] && most < length {
				at = max(at, other.Call)
			}
		}
		if at > o.Return {
			return nil, false
		}
		moments = append(moments, moment{o, len(lengths)})
		lengths, times = append(lengths, length), append(times, at)
	}
	for _, o := range others {
		least, most := o.Input.(step).within()
		i := sort.Search(len(lengths), func(i int) bool { return lengths[i] >= least })
		if i == len(lengths) || lengths[i] > most {
			return nil, false
		}
		at := max(o.Call, times[i])
		for i+1 < len(lengths) && times[i+1] <= at && lengths[i+1] <= most {
			i++
		}
		if at > o.Return {
			return nil, false
		}
		moments = append(moments, moment{o, i})
	}
	return inTurn(moments), true
}

// A moment is an operation with the number of appends up to it; an append counts itself.
type moment struct {
	porcupine.Operation
	appends int
}

// inTurn puts the moments one after the other. Moments after the same append change nothing, so
// their order does not matter.
func inTurn(moments []moment) []porcupine.Operation {
	// An append comes before the operations that saw it.
	slices.SortStableFunc(moments, func(a, b moment) int { return a.appends - b.appends })
	all := make([]porcupine.Operation, len(moments))
	for i, m := range moments {
		m.Call, m.Return = int64(i), int64(i)
		all[i] = m.Operation
	}
	return all
}

// ordered returns the appends in the order of the log, and the other operations.
func ordered(operations []porcupine.Operation) (appends, others []porcupine.Operation) {
	for _, o := range operations {
		if o.Input.(step).kind == appended {
			appends = append(appends, o)
		} else {
			others = append(others, o)
		}
	}
	slices.SortFunc(appends, func(a, b porcupine.Operation) int {
		return int(a.Input.(step).at - b.Input.(step).at)
	})
	return appends, others
}

// within returns the lengths of the stream at which an operation other than an append can have had
// its answer.
func (p step) within() (least, most int64) {
	switch p.kind {
	case conflict:
		return p.version, p.version
	case read:
		return int64(len(p.ids)), int64(len(p.ids))
	case absent:
		if p.at > 0 {
			return 0, p.at - 1
		}
		return 0, math.MaxInt64
	default:
		return p.version, math.MaxInt64
	}
}
