package trade

import "slices"

// A ledger is the legs of one pool in order, and what they come to. It remembers what they came to at some earlier places
// (checkpoints), so that a late leg costs as much as it is late, and one in order costs nothing but itself.
type ledger struct {
	legs        []Leg
	pool        Pool         // of all legs
	checkpoints []checkpoint // in the order of n
}

type checkpoint struct {
	n    int // legs that the pool is of
	pool Pool
}

// every is the least number of legs between two checkpoints.
const every = 64

// replace puts legs of one stream, all at or after from, in the place of what that stream has there.
func (g *ledger) replace(stream string, from LegKey, legs []Leg) {
	at, _ := slices.BinarySearchFunc(g.legs, from, func(l Leg, k LegKey) int { return l.Key.Compare(k) })
	if at == len(g.legs) {
		g.extend(legs)
		return
	}
	tail := slices.DeleteFunc(slices.Clone(g.legs[at:]), func(l Leg) bool { return l.Key.Stream == stream })
	tail = append(tail, legs...)
	slices.SortFunc(tail, func(a, b Leg) int { return a.Key.Compare(b.Key) })
	g.extend(append(g.rewind(at), tail...))
}

// rewind goes back to the last checkpoint at or before n, and returns the legs between the two.
func (g *ledger) rewind(n int) []Leg {
	for len(g.checkpoints) > 0 && g.checkpoints[len(g.checkpoints)-1].n > n {
		g.checkpoints = g.checkpoints[:len(g.checkpoints)-1]
	}
	last := g.lastCheckpoint()
	between := slices.Clone(g.legs[last.n:n])
	g.legs, g.pool = g.legs[:last.n], last.pool.Clone()
	return between
}

// extend takes legs that come after all others.
func (g *ledger) extend(legs []Leg) {
	for _, l := range legs {
		g.legs = append(g.legs, l)
		g.pool.Apply(l)
		// A checkpoint copies the lots; spacing them by as many legs keeps its cost per leg constant.
		if len(g.legs)-g.lastCheckpoint().n >= max(every, len(g.pool.FIFO.Lots)) {
			g.checkpoints = append(g.thinned(), checkpoint{len(g.legs), g.pool.Clone()})
		}
	}
}

func (g *ledger) lastCheckpoint() checkpoint {
	if len(g.checkpoints) == 0 {
		return checkpoint{}
	}
	return g.checkpoints[len(g.checkpoints)-1]
}

// thinned drops checkpoints where they are closer together than half their distance from the end, so that there are about log n
// of them, and going back costs in proportion to how far.
func (g *ledger) thinned() []checkpoint {
	var kept []checkpoint
	for i, c := range g.checkpoints {
		before, after := 0, len(g.legs)
		if len(kept) > 0 {
			before = kept[len(kept)-1].n
		}
		if i+1 < len(g.checkpoints) {
			after = g.checkpoints[i+1].n
		}
		if 2*(after-before) > len(g.legs)-after {
			kept = append(kept, c)
		}
	}
	return kept
}
