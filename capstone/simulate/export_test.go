package simulate

import (
	"iter"
)

// Waiting is, at each command, how long the agenda is. All that a desk keeps hangs on it.
func Waiting(cfg Config) iter.Seq2[Step, int] {
	return func(yield func(Step, int) bool) {
		d := newDesk(cfg)
		d.yield = func(s Step) bool { return yield(s, d.agenda.Len()) }
		d.run()
	}
}
