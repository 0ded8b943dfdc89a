package chaos

import (
	"iter"
	"math/rand/v2"
)

// A Kind of operation.
type Kind string

// Kinds of operations that clients ask of a writer.
const (
	Append Kind = "append"
	Read   Kind = "read" // a whole stream
	Find   Kind = "find" // an event, by its id
)

// A Task is the part of a client's operation that the seed decides. The rest (the expected version,
// the process to ask) depends on earlier answers.
type Task struct {
	Kind   Kind
	Slot   int     // the number of the contended stream
	Batch  int     // events of an append
	Any    bool    // append at any version
	Forget bool    // do not ask again if the outcome is unknown
	Stray  bool    // ask any writer, not the last known owner of the stream
	Pick   float64 // in [0, 1): selects from any list
}

// slots is the number of streams that are contended at a time.
const slots = 4

// Tasks yields the operations of one client, without end.
func Tasks(seed uint64, client int) iter.Seq[Task] {
	return func(yield func(Task) bool) {
		random := rand.New(rand.NewPCG(seed, uint64(client)))
		for {
			t := Task{
				Kind: Append, Slot: random.IntN(slots), Batch: 1 + random.IntN(3),
				Pick: random.Float64(),
			}
			switch n := random.IntN(10); {
			case n >= 8:
				t.Kind = Read
			case n >= 7:
				t.Kind = Find
			}
			t.Any, t.Forget = random.IntN(8) == 0, random.IntN(8) == 0
			t.Stray = random.IntN(6) == 0
			if !yield(t) {
				return
			}
		}
	}
}

// A Blow is a kind of fault.
type Blow string

// Blows; see the documentation of the package.
const (
	Kill    Blow = "kill"
	Stall   Blow = "stall"
	Replace Blow = "replace"
	Away    Blow = "away" // to the broker or the database
)

// A Fault is one step of the nemesis.
type Fault struct {
	Blow   Blow
	Victim float64 // in [0, 1): selects one of the running writers
	After  int64   // acknowledged appends since the last step; 0 is a second fault at once
}

// Faults returns the steps of the nemesis: the kills, and for every 25 of them one fault of each
// other sort, but at least one.
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
