package codectest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var compatibility = []spec{{
	Check: check.Check{ID: "L1.18", Points: 3, Operation: compatible, Invariant: "L1.I7",
		Title:         "backward means that new readers read old data, forward that old readers read new data, full both",
		Misconception: "that backward is what old programs can do; it is what the new reader can do with what lies behind it",
		Hint:          "readable(reader, writer) is one question; the modes differ in who is which"},
	try: func(t *trial) {
		t.judge(contract.Backward, contract.Forward, contract.Full, contract.None)
		for _, published := range [][]string{nil, {record(a)}} {
			t.refuses("SIDEWAYS", "a mode that is none", record(a), published...)
			t.refuses(contract.Backward, "a next version that is no schema", `{"type": "unheard"}`, published...)
			t.refuses(contract.None, "a next version that is no schema", "{", published...)
		}
		t.allows(contract.None, "another scale", record(field("p", scale6, "")), record(price4))
	},
}, {
	Check: check.Check{ID: "L1.19", Points: 2, Operation: compatible, Invariant: "L1.I7",
		Title:         "plain modes look at the last published version, transitive ones at every one",
		Misconception: "that each step being safe makes the way safe: a log is read from its beginning, so its readers need the transitive mode",
		Hint:          "published is oldest first; the mode says how much of it counts"},
	try: func(t *trial) {
		t.judge(contract.BackwardTransitive, contract.ForwardTransitive, contract.FullTransitive)
		// Each step of this history is safe, and the way is not: b comes as optional, and then loses its default.
		history := []string{record(a), record(a, optionalB)}
		t.allows(contract.Backward, "a field without default, which the last version had", record(a, requiredB), history...)
		t.refuses(contract.BackwardTransitive, "a field without default, which the first version did not have", record(a, requiredB), history...)
		history = []string{record(a, requiredB), record(a, optionalB)}
		t.allows(contract.Forward, "a field gone that the last version can do without", record(a), history...)
		t.refuses(contract.ForwardTransitive, "a field gone that the first version needs", record(a), history...)
		t.allows(contract.Full, "a field gone that the last version can do without", record(a), history...)
		t.refuses(contract.FullTransitive, "a field gone that the first version needs", record(a), history...)
	},
}, {
	Check: check.Check{ID: "L1.20", Points: 3, Operation: compatible, Invariant: "L1.I7",
		Title:         "a logical type never changes, nor a decimal's precision or scale",
		Misconception: "that Avro's rules guard meaning: they guard bytes, and 84.25 at scale 4 is read as 0.8425 at scale 6",
		Hint:          "go through both schemas side by side, as a reader would: into records, items and branches, and wherever the two meet compare what avro's Logical() says of them"},
	try: func(t *trial) {
		every := []contract.Mode{contract.Backward, contract.BackwardTransitive, contract.Forward, contract.ForwardTransitive, contract.Full, contract.FullTransitive}
		array := func(items string) string { return `{"type": "array", "items": ` + items + `}` }
		for _, mode := range every {
			t.allows(mode, "a decimal as it was", record(price4), record(price4))
			t.refuses(mode, "another scale", record(field("p", scale6, "")), record(price4))
			t.refuses(mode, "another precision", record(field("p", strings.Replace(scale6, "28", "30", 1), "")), record(field("p", scale6, "")))
			t.refuses(mode, "a decimal that becomes bytes", record(field("p", `"bytes"`, "")), record(price4))
			t.refuses(mode, "milliseconds that become microseconds", record(field("t", micros, "")), record(field("t", strings.Replace(micros, "micros", "millis", 1), "")))
			t.refuses(mode, "another scale in an array", record(field("p", array(scale6), "")), record(field("p", array(scale4), "")))
			t.refuses(mode, "another scale in a union", record(field("p", `["null", `+scale6+`]`, "")), record(field("p", `["null", `+scale4+`]`, "")))
			t.refuses(mode, "another scale in a record within", record(field("in", within(field("p", scale6, "")), "")), record(field("in", within(price4), "")))
			t.refuses(mode, "bytes that become a decimal", record(price4), record(field("p", `"bytes"`, "")))
		}
		nullable := record(field("p", `["null", `+scale6+`]`, ""))
		t.refuses(contract.Backward, "another scale in what may be null from now on", nullable, record(price4))
		t.refuses(contract.Forward, "another scale in what may no longer be null", record(price4), nullable)
		// A field that goes, and comes back at another scale.
		optional := func(decimal string) string { return field("p", decimal, `, "default": "\u0000"`) }
		next, published := record(a, optional(scale6)), []string{record(a, optional(scale4)), record(a)}
		for _, mode := range []contract.Mode{contract.Backward, contract.Forward, contract.Full} {
			t.allows(mode, "another scale than in the first version", next, published...)
			t.refuses(mode+"_TRANSITIVE", "another scale than in the first version", next, published...)
		}
	},
}}

const (
	scale4 = `{"type": "bytes", "logicalType": "decimal", "precision": 28, "scale": 4}`
	scale6 = `{"type": "bytes", "logicalType": "decimal", "precision": 28, "scale": 6}`
	micros = `{"type": "long", "logicalType": "timestamp-micros"}`
)

var (
	a         = field("a", `"string"`, "")
	optionalB = field("b", `"string"`, `, "default": ""`)
	requiredB = field("b", `"string"`, "")
	price4    = field("p", scale4, "")
)

func record(fields ...string) string {
	return `{"type": "record", "name": "R", "fields": [` + strings.Join(fields, ",") + `]}`
}

func field(name, typ, more string) string {
	return `{"name": "` + name + `", "type": ` + typ + more + `}`
}

func enum(symbols string) string {
	return record(field("e", `{"type": "enum", "name": "E", "symbols": [`+symbols+`]}`, ""))
}

// changes are what may become of a schema, and who can read what then.
var changes = []struct {
	what, from, to    string
	backward, forward bool // new readers read old data; old readers read new data
}{
	{"no change", record(a), record(a), true, true},
	{"a new field with a default", record(a), record(a, optionalB), true, true},
	{"a new field without one", record(a), record(a, requiredB), false, true},
	{"a field gone that had a default", record(a, optionalB), record(a), true, true},
	{"a field gone that had none", record(a, requiredB), record(a), true, false},
	{"int that becomes long", record(field("n", `"int"`, "")), record(field("n", `"long"`, "")), true, false},
	{"a field that may be null from now on", record(a), record(field("a", `["null", "string"]`, "")), true, false},
	{"a string that becomes an int", record(a), record(field("a", `"int"`, "")), false, false},
	{"a wider enum", enum(`"x", "y"`), enum(`"x", "y", "z"`), true, false},
	{"an enum whose readers have a default", enumOr("x"), enumOr("x", "y"), true, true},
	{"bytes that become a string", record(field("n", `"bytes"`, "")), record(field("n", `"string"`, "")), true, true},
	{"int that becomes double", record(field("n", `"int"`, "")), record(field("n", `"double"`, "")), true, false},
	{"float that becomes double", record(field("n", `"float"`, "")), record(field("n", `"double"`, "")), true, false},
	{"double that becomes float", record(field("n", `"double"`, "")), record(field("n", `"float"`, "")), false, true},
	{"float that becomes long", record(field("n", `"float"`, "")), record(field("n", `"long"`, "")), false, true},
	{"a map of ints that becomes one of strings", record(field("m", `{"type": "map", "values": "int"}`, "")), record(field("m", `{"type": "map", "values": "string"}`, "")), false, false},
	{"a digest that gets longer", record(field("d", fixed("16"), "")), record(field("d", fixed("32"), "")), false, false},
	{"a field under another name, with an alias", record(field("a", `"string"`, "")), record(field("z", `"string"`, `, "aliases": ["a"]`)), true, false},
	{"a field under another name, without", record(field("a", `"string"`, "")), record(field("z", `"string"`, "")), false, false},
	{"a new field without default, in a record within", record(field("in", within(), "")), record(field("in", within(requiredB), "")), false, true},
	{"a new field with a default, in a record within", record(field("in", within(), "")), record(field("in", within(optionalB), "")), true, true},
	{"a new field without default, in a record that contains itself", record(a, chain), record(a, chain, requiredB), false, true},
	{"an array that becomes one of longs", record(field("l", `{"type": "array", "items": "int"}`, "")), record(field("l", `{"type": "array", "items": "long"}`, "")), true, false},
}

// chain is a field of a record R that contains itself.
var chain = field("next", `["null", "R"]`, "")

func within(fields ...string) string {
	return `{"type": "record", "name": "In", "fields": [` + strings.Join(append(fields, a), ",") + `]}`
}

func fixed(size string) string { return `{"type": "fixed", "name": "F", "size": ` + size + `}` }

// enumOr is one whose readers take a symbol that they do not know for its first.
func enumOr(symbols ...string) string {
	list := `"` + strings.Join(symbols, `", "`) + `"`
	return record(field("e", `{"type": "enum", "name": "E", "symbols": [`+list+`], "default": "`+symbols[0]+`"}`, ""))
}

// judge tries every change under modes.
func (t *trial) judge(modes ...contract.Mode) {
	for _, mode := range modes {
		kind, _ := strings.CutSuffix(string(mode), "_TRANSITIVE")
		for _, c := range changes {
			ok := map[string]bool{"BACKWARD": c.backward, "FORWARD": c.forward, "FULL": c.backward && c.forward, "NONE": true}[kind]
			if ok {
				t.allows(mode, c.what, c.to, c.from)
			} else {
				t.refuses(mode, c.what, c.to, c.from)
			}
		}
		t.allows(mode, "the first version of all", record(a))
	}
}

func (t *trial) allows(mode contract.Mode, what, next string, published ...string) {
	err := t.answer.Compatible(mode, next, published...)
	answered(t, compatible, err)
	require.NoError(t, err, "%s: %s", mode, what)
}

func (t *trial) refuses(mode contract.Mode, what, next string, published ...string) {
	err := t.answer.Compatible(mode, next, published...)
	answered(t, compatible, err)
	require.ErrorIs(t, err, contract.ErrIncompatible, "%s: %s", mode, what)
}
