package codectest

import (
	"bytes"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var asking = []spec{{
	Check: check.Check{ID: "L1.13", Points: 2, Operation: decode, Invariant: "L1.I6",
		Title:         "each id is asked for at most once, and none that the codec published itself",
		Misconception: "that a registry is a database to be asked per record: it is asked per schema, and the answer never changes",
		Hint:          "keep what Text answered, by id, also where it is no schema of the catalog; who finds that another asks already waits for the answer"},
	try: func(t *trial) {
		c := t.codec()
		f := latestOf("trade.settled")
		own := t.registry.wire(f.typ, f.version, f.bytes())
		foreign := wire(t.registry.publish(strings.ReplaceAll(schema(f.typ).Text, "\n", " ")), f.bytes())
		t.reads(c, "a settlement under the codec's own id", f.typ, own, f.body)
		t.readTogether(c, f, foreign)
		require.Zero(t, t.registry.times(idOf(own)), "how often the registry was asked for an id that it had given to the codec")
		require.Equal(t, 1, t.registry.times(idOf(foreign)), "how often it was asked for an id from elsewhere, by eight readers that met it at once and then again")

		strange := wire(t.registry.publish(strings.ReplaceAll(schema(f.typ).Text, `"scale": 6`, `"scale": 4`)), f.bytes())
		for range 3 {
			_, err := c.Decode(t.Context(), f.typ, strange)
			only(t, "a schema that is not in the catalog", err, contract.ErrUnknownSchema)
		}
		require.Equal(t, 1, t.registry.times(idOf(strange)), "how often it was asked for one that is not in the catalog, in 3 reads")
	},
}, {
	Check: check.Check{ID: "L1.14", Points: 2, Operation: decode, Invariant: "L1.I6",
		Title:         "a registry that does not answer is no verdict on the data, and no is not for ever",
		Misconception: "that every error of the registry means that the schema does not exist: then one restart of it parks a day's events",
		Hint:          "pass the registry's error on as it is; remember what was found, not what was not"},
	try: func(t *trial) {
		c := t.codec()
		f := latestOf("trade.settled")
		later := firstID + len(t.registry.all())
		data := wire(later, f.bytes())
		_, err := c.Decode(t.Context(), f.typ, data)
		only(t, "an id that the registry does not have yet", err, contract.ErrUnknownSchema)
		require.Equal(t, later, t.registry.publish(strings.ReplaceAll(schema(f.typ).Text, "\n", "  ")))

		t.registry.goAway(true)
		_, err = c.Decode(t.Context(), f.typ, data)
		none(t, "a decode that needs a registry which is away", err)
		require.ErrorIs(t, err, errAway, "the registry's own error")
		t.reads(c, "a settlement under an id that is known, while the registry is away", f.typ, t.registry.wire(f.typ, f.version, f.bytes()), f.body)

		t.registry.goAway(false)
		t.reads(c, "a settlement under an id that was unknown before", f.typ, data, f.body)
	},
}}

const readers = 8

// readTogether has several readers meet an id at once: the registry answers when each of them either asks it or waits.
func (t *trial) readTogether(c Codec, f fact, data []byte) {
	answer := newSignal()
	t.registry.hold(idOf(data), func() {
		select {
		case <-answer.c:
		case <-t.Context().Done():
		}
	})
	var begun atomic.Int32
	var over []<-chan struct{}
	for range readers {
		over = append(over, check.Go(t, func() { t.readAgainAndAgain(c, f, data, &begun) }))
	}
	stacks := make([]byte, accountSize)
	look, late := time.NewTicker(10*time.Millisecond), time.After(t.patience())
	defer look.Stop()
	for waiting := false; !waiting; {
		select {
		case <-look.C:
			waiting = begun.Load() == readers && allWait(stacks, "readAgainAndAgain")
		case <-late: // they wait in a way of their own
			waiting = true
		case <-t.Context().Done():
			waiting = true
		}
	}
	answer.give()
	for _, reader := range over {
		<-reader
	}
}

func (t *trial) readAgainAndAgain(c Codec, f fact, data []byte, begun *atomic.Int32) {
	begun.Add(1)
	for range 20 {
		body, err := c.Decode(t.Context(), f.typ, data)
		if err != nil || !cmp.Equal(trade.Body(f.body), body) {
			t.Errorf("decode from one of many goroutines: came %s and %v", show(body), err)
			return
		}
	}
}

// accountSize is enough for the stacks of all goroutines.
const accountSize = 8 << 20

// allWait says whether every goroutine that is inside a function waits for something, as the runtime's own account has it. That is written to
// stacks: what is allocated here is counted against the answer by whoever measures it at the same time.
func allWait(stacks []byte, function string) bool {
	for goroutine := range bytes.SplitSeq(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
		head, calls, _ := bytes.Cut(goroutine, []byte("\n"))
		if bytes.Contains(calls, []byte(function)) && active.Match(head) {
			return false
		}
	}
	return true
}

// active are the states in which a goroutine runs, is about to, or waits for the memory that it needs to.
var active = regexp.MustCompile(`\[(running|runnable|preempted|copystack|GC)`)
