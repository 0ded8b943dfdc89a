package memory

import (
	"testing"

	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	replay "example.com/blotter/solutions/4-replay"
)

func TestReplay(t *testing.T) {
	t.Parallel()
	check.Run(t, replaytest.Suite(replaytest.Fixture{
		Archive: func(check.T) replaytest.Archive {
			a := New()
			tamper := func(_ check.T, name string, state []byte) {
				s := a.kept[name]
				s.State = state
				a.kept[name] = s
			}
			return replaytest.Archive{Snapshots: a, Tamper: tamper}
		},
		Replayer: func(codec contract.Codec) contract.Replayer { return replay.New(codec) },
	}))
}
