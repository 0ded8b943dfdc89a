package chaos

import (
	"iter"
	"math/rand/v2"
)

// A Kind of operation.
type Kind string

// What clients ask of a writer.
const (
	Append Kind = "append"
	Read   Kind = "read" // a stream, whole
	Find   Kind = "find" // an event, by its id
)

// A Task is what the seed decides of one operation of one client. The rest (the version to expect, the process to ask) depends on
// what the client was told before.
type Task struct {
	Kind   Kind
	Slot   int     // which of the contended streams
	Batch  int     // events of an append
	Any    bool    // append wherever the stream is
	Forget bool    // do not ask again if the outcome is unknown
	Stray  bool    // ask some writer, not the one that is believed to own the stream
	Pick   float64 // in [0, 1): of what there is to choose from, which
}

// slots is how many streams are contended at a time.
const slots = 4

// Tasks are the operations of one client, without end.
func Tasks(seed uint64, client int) iter.Seq[Task] {
	return func(yield func(Task) bool) {
		random := rand.New(rand.NewPCG(seed, uint64(client)))
		for {
			t := Task{Kind: Append, Slot: random.IntN(slots), Batch: 1 + random.IntN(3), Pick: random.Float64()}
			switch n := random.IntN(10); {
			case n >= 8:
				t.Kind = Read
			case n >= 7:
				t.Kind = Find
			}
			t.Any, t.Forget, t.Stray = random.IntN(8) == 0, random.IntN(8) == 0, random.IntN(6) == 0
			if !yield(t) {
				return
			}
		}
	}
}

// A Blow is what the nemesis does to a writer.
type Blow string

// See the package's documentation.
const (
	Kill    Blow = "kill"
	Stall   Blow = "stall"
	Replace Blow = "replace"
	Away    Blow = "away" // to the broker or the database
)

// A Fault is one step of the nemesis.
type Fault struct {
	Blow   Blow
	Victim float64 // in [0, 1): of the writers that are up, which
	After  int64   // appends to be acknowledged since the step before; 0 is a second blow at once
}

// Faults are the steps of the nemesis: that many kills, and one fault of each other sort for every 25 of them, but at least one.
func Faults(seed uint64, kills int, sorts ...Blow) []Fault {
	random := rand.New(rand.NewPCG(seed, 1<<63))
	steps := make([]Fault, 0, kills+len(sorts)*(1+kills/25))
	for range kills {
		steps = append(steps, Fault{Blow: Kill})
	}
	for _, blow := range sorts {
		for range max(1, kills/25) {
			steps = append(steps, Fault{Blow: blow})
		}
	}
	random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for i := range steps {
		steps[i].Victim = random.Float64()
		if random.IntN(8) > 0 {
			steps[i].After = 3 + random.Int64N(20)
		}
	}
	return steps
}
