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

var lookups = []spec{{
	Check: check.Check{ID: "L1.13", Points: 2, Operation: decode, Invariant: "L1.I6",
		Title: "each id is requested at most once, and never one that the codec published itself",
		Misconception: "that the registry must be asked for every record; in fact the text of an " +
			"id never changes, and one request for each schema is enough",
		Hint: "keep the answer of Text by id, also for a schema outside the catalog; a goroutine " +
			"that finds a request in flight waits for its answer"},
	try: func(t *trial) {
		c := t.codec()
		f := latestFact("trade.settled")
		own := t.registry.wire(f.typ, f.version, f.bytes())
		foreign := wire(t.registry.publish(reformatted(f.typ, " ")), f.bytes())
		t.requireBody(c, "a settlement under the codec's own id", f.typ, own, f.body)
		t.readTogether(c, f, foreign)
		require.Zero(t, t.registry.requests(idOf(own)),
			"requests for an id that the registry gave to this codec")
		require.Equal(t, 1, t.registry.requests(idOf(foreign)), "requests for a foreign id, by "+
			"eight readers that met it together and then read it again")

		outside := wire(t.registry.publish(rescaled(f.typ)), f.bytes())
		for range 3 {
			_, err := c.Decode(t.Context(), f.typ, outside)
			requireFault(t, "a schema outside the catalog", err, contract.ErrUnknownSchema)
		}
		require.Equal(t, 1, t.registry.requests(idOf(outside)),
			"requests for an id outside the catalog, in 3 reads")
	},
}, {
	Check: check.Check{ID: "L1.14", Points: 2, Operation: decode, Invariant: "L1.I6",
		Title: "a registry that does not answer says nothing about the data, and an unknown id " +
			"is requested again",
		Misconception: "that every error of the registry means that the schema does not exist; " +
			"in fact one restart of the registry would then park a day's events",
		Hint: "return the registry's error as it is; remember the ids that were found, and not " +
			"those that were not"},
	try: func(t *trial) {
		c := t.codec()
		f := latestFact("trade.settled")
		later := reformatted(f.typ, "  ")
		data := wire(idFor(elsewhere, later), f.bytes())
		_, err := c.Decode(t.Context(), f.typ, data)
		requireFault(t, "an id that the registry does not have yet", err, contract.ErrUnknownSchema)
		t.registry.publish(later)

		t.registry.setAway(true)
		_, err = c.Decode(t.Context(), f.typ, data)
		requireOtherError(t, "a decode that needs a registry which does not answer", err)
		require.ErrorIs(t, err, errAway, "the registry's own error")
		t.requireBody(c, "a settlement under a known id, while the registry does not answer",
			f.typ, t.registry.wire(f.typ, f.version, f.bytes()), f.body)

		t.registry.setAway(false)
		t.requireBody(c, "a settlement under an id that was unknown before", f.typ, data, f.body)
	},
}}

// reformatted returns the latest schema of a type with another layout.
func reformatted(typ, space string) string {
	return strings.ReplaceAll(latestSchema(typ).Text, "\n", space)
}

// rescaled returns the latest schema of a type with another scale. The catalog does not have it.
func rescaled(typ string) string {
	return strings.ReplaceAll(latestSchema(typ).Text, `"scale": 6`, `"scale": 4`)
}

const readers = 8

// readTogether lets several readers meet an id at once. The registry answers when each of them has
// asked it or waits.
func (t *trial) readTogether(c Codec, f fact, data []byte) {
	answer := newSignal()
	t.registry.hold(idOf(data), func() {
		select {
		case <-answer.c:
		case <-t.Context().Done():
		}
	})
	var begun atomic.Int32
	var done []<-chan struct{}
	for range readers {
		done = append(done, check.Go(t, func() { t.readRepeatedly(c, f, data, &begun) }))
	}
	stacks := make([]byte, stacksSize)
	poll, late := time.NewTicker(10*time.Millisecond), time.After(t.patience())
	defer poll.Stop()
	for waiting := false; !waiting; {
		select {
		case <-poll.C:
			waiting = begun.Load() == readers && allWait(stacks, "readRepeatedly")
		case <-late: // they wait in a way that allWait does not recognise
			waiting = true
		case <-t.Context().Done():
			waiting = true
		}
	}
	answer.fire()
	for _, reader := range done {
		<-reader
	}
}

func (t *trial) readRepeatedly(c Codec, f fact, data []byte, begun *atomic.Int32) {
	begun.Add(1)
	for range 20 {
		body, err := c.Decode(t.Context(), f.typ, data)
		if err != nil || !cmp.Equal(trade.Body(f.body), body) {
			t.Errorf("decode from one of many goroutines: got %s and %v", show(body), err)
			return
		}
	}
}

// stacksSize is enough for the stacks of all goroutines.
const stacksSize = 8 << 20

// allWait reports whether every goroutine inside a function waits, according to the runtime. It
// writes the stacks to a buffer of the caller. Memory that it allocated would count against the
// answer in a check that measures allocations at the same time.
func allWait(stacks []byte, function string) bool {
	written := stacks[:runtime.Stack(stacks, true)]
	for goroutine := range bytes.SplitSeq(written, []byte("\n\n")) {
		state, calls, _ := bytes.Cut(goroutine, []byte("\n"))
		if bytes.Contains(calls, []byte(function)) && active.Match(state) {
			return false
		}
	}
	return true
}

// active matches the states of a goroutine that runs, is about to run, or waits for memory.
var active = regexp.MustCompile(`\[(running|runnable|preempted|copystack|GC)`)
