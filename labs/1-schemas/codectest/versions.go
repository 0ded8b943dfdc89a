package codectest

import (
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var versions = []spec{{
	Check: check.Check{ID: "L1.15", Points: 3, Operation: upcast, Invariant: "L1.I4",
		Title:         "a settlement of version 1 is read as one whose price nobody gave a source for",
		Misconception: "that old data is read with the new schema: its bytes say nothing of the new field, and end before it",
		Hint:          "read under the schema that the header names; what it lacks keeps the new field's default, here null, which is the empty text"},
	try: func(t *trial) { t.readsHistory("trade.settled", 1) },
}, {
	Check: check.Check{ID: "L1.16", Points: 3, Operation: upcast, Invariant: "L1.I4",
		Title:         "a mark of version 1, which named its curve in one text, is a mark of the same curve",
		Misconception: "that a change which the registry lets through keeps its meaning: by the rules alone the curve of version 1 is dropped, and both new fields are null",
		Hint:          "write the step from version 1 to 2 down once; splitCurve in walks.go has all that it needs"},
	try: func(t *trial) { t.readsHistory("price.marked", 1) },
}, {
	Check: check.Check{ID: "L1.17", Points: 1, Operation: upcast, Invariant: "L1.I5",
		Title:         "an old version is read as strictly as today's",
		Misconception: "that history is safe because it was right once",
		Hint:          "let old versions take the same road through the reader, and go up only when they were read to their end"},
	try: func(t *trial) {
		c := t.codec()
		for _, f := range history {
			if f.version == schema(f.typ).Version {
				continue
			}
			data := t.registry.wire(f.typ, f.version, f.bytes())
			_, err := c.Decode(t.Context(), f.typ, data[:len(data)-1])
			only(t, f.name()+" without its last byte", err, contract.ErrTruncated)
			_, err = c.Decode(t.Context(), f.typ, append(data, 0))
			only(t, f.name()+" and a zero byte", err, contract.ErrTrailing)
		}
	},
}}

func (t *trial) readsHistory(typ string, version int) {
	c := t.codec()
	for _, f := range factsOf(typ, version) {
		t.reads(c, f.name(), typ, t.registry.wire(typ, version, f.bytes()), f.body)
	}
}
