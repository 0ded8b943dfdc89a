package chaos

import (
	"math"
	"slices"
	"sort"

	"github.com/anishathalye/porcupine"
)

// witness narrows each operation to one moment within its time, such that no two are at the same. If an order exists, then the moments are in
// one: the log says how the appends follow each other, so each is put as early as it can be, behind whatever saw the stream without it, and
// all else behind the append that it has to have seen. Who checks the moments need not search; whoever finds an order in them has found one of
// the operations, since a shorter time only leaves fewer orders. ok is false where some operation is left no time.
//
// A search without this takes for ever where a broker was away, and all that waited for it is answered at once.
func witness(operations []porcupine.Operation) (narrowed []porcupine.Operation, ok bool) {
	appends, others := ordered(operations)
	moments := make([]moment, 0, len(operations))
	lengths, times := []int64{0}, []int64{0} // of the stream, and from when
	for _, o := range appends {
		p, at := o.Input.(step), times[len(times)-1]
		at = max(at, o.Call)
		for _, other := range others {
			if _, most := other.Input.(step).within(); most >= lengths[len(lengths)-1] && most < p.at-1+int64(len(p.ids)) {
				at = max(at, other.Call)
			}
		}
		if at > o.Return {
			return nil, false
		}
		moments = append(moments, moment{o, len(lengths)})
		lengths, times = append(lengths, p.at-1+int64(len(p.ids))), append(times, at)
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

// A moment is that of an operation, told by how many appends it is behind; an append counts itself.
type moment struct {
	porcupine.Operation
	behind int
}

// inTurn puts the moments one behind the other. Those behind the same append change nothing, and have no order among themselves to keep.
func inTurn(moments []moment) []porcupine.Operation {
	slices.SortStableFunc(moments, func(a, b moment) int { return a.behind - b.behind }) // the append before what has seen it
	all := make([]porcupine.Operation, len(moments))
	for i, m := range moments {
		m.Call, m.Return = int64(i), int64(i)
		all[i] = m.Operation
	}
	return all
}

// ordered is the appends in the order of the log, and the rest.
func ordered(operations []porcupine.Operation) (appends, others []porcupine.Operation) {
	for _, o := range operations {
		if o.Input.(step).kind == appended {
			appends = append(appends, o)
		} else {
			others = append(others, o)
		}
	}
	slices.SortFunc(appends, func(a, b porcupine.Operation) int { return int(a.Input.(step).at - b.Input.(step).at) })
	return appends, others
}

// within is the lengths of the stream at which an operation that appends nothing can have had its answer.
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
