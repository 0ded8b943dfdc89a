package simulate

import (
	"container/heap"
	"time"
)

// An agenda holds the coming actions, earliest first. Actions at one time keep the order in which
// they were planned.
type agenda struct {
	items   items
	counter int
}

type item struct {
	at  time.Time
	seq int
	do  func(at time.Time)
}

type items []item

func (q items) Len() int { return len(q) }
func (q items) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q items) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *items) Push(x any)   { *q = append(*q, x.(item)) }
func (q *items) Pop() any {
	last := len(*q) - 1
	it := (*q)[last]
	(*q)[last] = item{} // frees the contract
	*q = (*q)[:last]
	return it
}

func (a *agenda) Len() int   { return len(a.items) }
func (a *agenda) next() item { return heap.Pop(&a.items).(item) }

// plan puts an action on the agenda. A past action is due now. An action after the last day never
// happens.
func (d *desk) plan(at time.Time, do func(at time.Time)) {
	if at.Before(d.last) {
		at = d.last
	}
	if at.Before(d.end) {
		d.agenda.counter++
		heap.Push(&d.agenda.items, item{at, d.agenda.counter, do})
	}
}

// hour returns a random second of the working hours of a day.
func (d *desk) hour(at time.Time) time.Time {
	seconds := time.Duration(d.rng.IntN(9 * 3600))
	return at.UTC().Truncate(day).Add(7*time.Hour + seconds*time.Second)
}

// in returns a second of the working hours of a day between least and most days from now, moved off
// a weekend.
func (d *desk) in(at time.Time, least, most int) time.Time {
	at = at.Add(time.Duration(least+d.rng.IntN(most-least+1)) * day)
	for weekend(at) {
		at = at.Add(day)
	}
	return d.hour(at)
}

func weekend(t time.Time) bool {
	w := t.Weekday()
	return w == time.Saturday || w == time.Sunday
}

func workdays(from, to time.Time) (n int) {
	for ; from.Before(to); from = from.Add(day) {
		if !weekend(from) {
			n++
		}
	}
	return n
}
