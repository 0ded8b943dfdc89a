package simulate

import (
	"iter"
)

// Waiting yields each command with the length of the agenda. The agenda holds all that a desk
// keeps.
func Waiting(cfg Config) iter.Seq2[Step, int] {
	return func(yield func(Step, int) bool) {
		d := newDesk(cfg)
		d.yield = func(s Step) bool { return yield(s, d.agenda.Len()) }
		d.run()
	}
}
