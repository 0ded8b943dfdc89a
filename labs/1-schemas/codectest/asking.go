package codectest

import (
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var asking = []spec{{
	Check: check.Check{ID: "L1.13", Points: 2, Operation: decode, Invariant: "L1.I6",
		Title:         "each id is asked for at most once, and none that the codec published itself",
		Misconception: "that a registry is a database to be asked per record: it is asked per schema, and the answer never changes",
		Hint:          "keep what Text answered, by id; a sync.Map serves many readers"},
	try: func(t *trial) {
		c := t.codec()
		f := latestOf("trade.settled")
		own := t.registry.wire(f.typ, f.version, f.bytes())
		foreign := wire(t.registry.publish(strings.ReplaceAll(schema(f.typ).Text, "\n", " ")), f.bytes())
		t.reads(c, "a settlement under the codec's own id", f.typ, own, f.body)
		t.reads(c, "a settlement whose schema has another layout", f.typ, foreign, f.body)
		var all sync.WaitGroup
		for range 8 {
			all.Add(1)
			done := check.Go(t, func() {
				for range 20 {
					_, err := c.Decode(t.Context(), f.typ, foreign)
					if err != nil {
						t.Errorf("decode from one of many goroutines: %v", err)
					}
				}
			})
			go func() { <-done; all.Done() }()
		}
		all.Wait()
		require.Zero(t, t.registry.times(idOf(own)), "how often the registry was asked for an id that it had given to the codec")
		require.Equal(t, 1, t.registry.times(idOf(foreign)), "how often it was asked for an id from elsewhere, in 161 reads")
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
