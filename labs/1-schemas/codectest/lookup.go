package codectest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
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
	Check: check.Check{ID: "L1.16", Points: 3, Operation: lookup, Invariant: "L1.I6",
		Title: "each id is requested at most once, and never one that the codec published itself",
		Misconception: "that the registry must be asked for every record; in fact the text of an " +
			"id never changes, and one request for each schema is enough",
		Hint: "keep the answer of Text by id, also for a schema outside the catalog",
		More: "c.foreign.get(ctx, id, ask) with an ask that returns schemas.Identify(text); a " +
			"schema outside the catalog is the zero Schema, and remembered like any other",
		Read: "exercise 6"},
	try: func(t *trial) {
		c := t.codec()
		f := latestFact("trade.settled")
		own := t.registry.wire(f.typ, f.version, f.bytes())
		foreign := wire(t.registry.publish(reformatted(f.typ, " ")), f.bytes())
		t.requireBody(c, "a settlement under the codec's own id", f.typ, own, f.body)
		for range 3 {
			t.requireBody(c, "a settlement under a foreign id", f.typ, foreign, f.body)
		}
		require.Zero(t.Hint("the ids that Register returned are known: ask for others only"),
			t.registry.requests(idOf(own)),
			"requests for an id that the registry gave to this codec")
		require.Equal(t, 1, t.registry.requests(idOf(foreign)),
			"requests for a foreign id, in 3 reads")

		outside := wire(t.registry.publish(rescaled(f.typ)), f.bytes())
		for range 3 {
			body, err := c.Decode(t.Context(), f.typ, outside)
			requireFault(t.Hint("schemas.Identify says whether a text is in the catalog"),
				"a schema outside the catalog: got "+show(body), err, contract.ErrUnknownSchema)
		}
		require.Equal(t.Hint("an id that is outside the catalog stays outside: remember that, too"),
			1, t.registry.requests(idOf(outside)),
			"requests for an id outside the catalog, in 3 reads")
	},
}, {
	Check: check.Check{ID: "L1.17", Points: 3, Operation: lookup, Invariant: "L1.I6",
		Title: "a registry that does not answer says nothing about the data, and an unknown id " +
			"is requested again",
		Misconception: "that every error of the registry means that the schema does not exist; " +
			"in fact one restart of the registry would then park a day's events",
		Hint: "return the registry's error as it is; remember the ids that were found, and not " +
			"those that were not",
		More: "registry.Text returns ErrUnknownSchema itself for an id that it does not have; " +
			"wrap " +
			"every error with %w, and let memo forget it",
		Read: "exercise 6"},
	try: func(t *trial) {
		c := t.codec()
		f := latestFact("trade.settled")
		later := reformatted(f.typ, "  ")
		data := wire(idFor(elsewhere, later), f.bytes())
		_, err := c.Decode(t.Context(), f.typ, data)
		requireFault(t, "an id that the registry does not have yet", err, contract.ErrUnknownSchema)
		t.registry.publish(later)
		t.hint("an id that was unknown a moment ago may be published now: ask again").requireBody(
			c, "a settlement under an id that was unknown before", f.typ, data, f.body)

		foreign := wire(t.registry.publish(reformatted(f.typ, "   ")), f.bytes())
		t.registry.setAway(true)
		_, err = c.Decode(t.Context(), f.typ, foreign)
		away := t.Hint("a registry that is away knows nothing about this id: return its own error")
		requireOtherError(away, "a decode that needs a registry which does not answer", err)
		require.ErrorIs(away, err, errAway, "the registry's own error")
		t.requireBody(c, "a settlement under a known id, while the registry does not answer",
			f.typ, t.registry.wire(f.typ, f.version, f.bytes()), f.body)

		t.registry.setAway(false)
		t.hint("an error says nothing about an id: ask again").requireBody(
			c, "a settlement, after the registry is back", f.typ, foreign, f.body)
	},
}}

// The checks that the lab does not require.
var bonus = []spec{{
	Check: check.Check{ID: "L1.20", Points: 3, Bonus: true, Operation: decodeSettled,
		Invariant: "L1.I5",
		Title: "DecodeSettled accepts only the bytes that EncodeSettled writes, whatever it " +
			"is given",
		Misconception: "that bytes come from a correct producer; in fact they come from disks, " +
			"networks and other people's programs",
		Hint: "a symbol, a branch, a text and the length of a number are only claims; a panic is " +
			"no error",
		More: "write the settlement again with EncodeSettled and compare the bytes: ErrMalformed " +
			"if they differ",
		Read: "section 5, fuzz it"},
	try: fuzzSettled,
}, {
	Check: check.Check{ID: "L1.21", Points: 2, Bonus: true, Operation: lookup, Invariant: "L1.I6",
		Title:         "readers that meet an id together request it once",
		Misconception: "that a cache is enough; in fact eight readers miss it at the same time",
		Hint:          "a goroutine that finds a request in flight waits for its answer",
		More:          "memo (memo.go) does so: look at what it holds while it asks",
		Read:          "section 5"},
	try: func(t *trial) {
		c := t.codec()
		f := latestFact("trade.settled")
		foreign := wire(t.registry.publish(reformatted(f.typ, " ")), f.bytes())
		t.readTogether(c, f, foreign)
		require.Equal(t, 1, t.registry.requests(idOf(foreign)), "requests for a foreign id, by "+
			"eight readers that met it together and then read it again")
	},
}}

// fuzzSettled changes bytes of right bodies at random. An answer is an error of the contract, or a
// settlement that encodes to the same bytes.
func fuzzSettled(t *trial) {
	r := t.random()
	facts := factsOf("trade.settled", 2)
	for range 4_000 {
		body := bytes.Clone(facts[r.IntN(len(facts))].bytes())
		for range 1 + r.IntN(3) {
			switch at := r.IntN(len(body)); r.IntN(3) {
			case 0:
				body[at] = byte(r.Uint32())
			case 1:
				body = append(body[:at:at], body[at+1:]...)
			default:
				body = append(body[:at:at], append([]byte{byte(r.Uint32())}, body[at:]...)...)
			}
			if len(body) == 0 {
				break
			}
		}
		s, err := t.decodeSettled(body)
		if err != nil {
			what := fmt.Sprintf("% x: expected exactly one of the contract's errors, got "+
				"%v", body, err)
			require.True(t, isOneFault(err, contract.ErrOversize, contract.ErrTruncated,
				contract.ErrTrailing, contract.ErrMalformed), what)
			continue
		}
		again, err := t.encodeSettled(11, s)
		require.NoError(t, err, "% x was read as %s, which cannot be encoded", body, show(s))
		check.Bytes(t, fmt.Sprintf("the encoding of %s, which was read from % x,", show(s), body),
			wire(11, body), again)
	}
}

// isOneFault reports whether err is exactly one fault, and that one is allowed.
func isOneFault(err error, allowed ...error) bool {
	found := 0
	for _, fault := range faults {
		if errors.Is(err, fault) {
			found++
		}
	}
	is := func(fault error) bool { return errors.Is(err, fault) }
	return found == 1 && slices.ContainsFunc(allowed, is)
}

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
