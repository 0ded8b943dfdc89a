package codectest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var compatibility = []spec{{
	Check: check.Check{ID: "L1.22", Points: 2, Operation: readable, Invariant: "L1.I7",
		Title: "a reader's schema reads data of a writer's schema where Avro's rules allow it",
		Misconception: "that two schemas are compatible or not; in fact one of them reads and " +
			"the " +
			"other has written, and the two directions differ",
		Hint: "the library has Avro's rules: avro.NewSchemaCompatibility().Compatible(reader, " +
			"writer), in this order",
		More: "parseSchema (resolve.go) both texts, then the library; wrap ErrIncompatible with %w",
		Read: "section 1 and exercise 1"},
	try: func(t *trial) {
		for _, c := range changes {
			t.reads(c.backward, c.what+": the new schema reads old data", c.to, c.from)
			t.reads(c.forward, c.what+": the old schema reads new data", c.from, c.to)
		}
		parsed := t.hint("wrap ErrIncompatible around the error of parseSchema, too")
		parsed.reads(false, "a reader's schema that is no schema", "{", record(a))
		parsed.reads(false, "a writer's schema that is no schema", record(a), "{")
	},
}, {
	Check: check.Check{ID: "L1.23", Points: 3, Operation: readable, Invariant: "L1.I7",
		Title: "a logical type never changes, nor the precision or scale of a decimal",
		Misconception: "that Avro's rules protect meaning; in fact they protect bytes, and 84.25 " +
			"at scale 4 is read as 0.8425 at scale 6",
		Hint: "visit (resolve.go) finds the places where the two schemas meet; compare the " +
			"logical " +
			"types there, with precision and scale",
		More: "logicalType (resolve.go) returns a text such as decimal(28,6), also for types " +
			"that the library does not know; two texts that differ are an error",
		Read: "section 1 and exercise 1"},
	try: func(t *trial) {
		t.reads(true, "an unchanged decimal", record(price4), record(price4))
		for _, c := range meaningChanges {
			t.hint(c.hint).reads(false, c.what, record(c.to), record(c.from))
		}
		nullable := record(field("p", nullOr(scale6), ""))
		union := t.hint("a union meets a plain type, too: let visit go into its branches")
		union.reads(false, "another scale in a field that becomes "+
			"nullable", nullable, record(price4))
		union.reads(false, "another scale in a field that is no longer nullable",
			record(price4), nullable)
	},
}, {
	Check: check.Check{ID: "L1.24", Points: 3, Operation: compatible, Invariant: "L1.I7",
		Title: "BACKWARD means that new readers read old data, FORWARD that old readers read new " +
			"data, FULL both",
		Misconception: "that BACKWARD is about old programs; in fact it is about a new reader " +
			"and older data",
		Hint: "call Readable; the modes differ in which schema is the reader's",
		More: "BACKWARD is Readable(next, old), FORWARD is Readable(old, next), FULL is both, " +
			"NONE " +
			"is neither",
		Read: "section 1 and exercise 2"},
	try: func(t *trial) {
		t.judge(contract.Backward, contract.Forward, contract.Full, contract.None)
	},
}, {
	Check: check.Check{ID: "L1.25", Points: 3, Operation: compatible, Invariant: "L1.I7",
		Title: "plain modes compare with the last published version, transitive modes with every " +
			"version",
		Misconception: "that if each step is safe, the whole way is safe; in fact a log is read " +
			"from its beginning, and its readers need a transitive mode",
		Hint: "published is ordered oldest first; the mode decides which of them count",
		More: "strings.CutSuffix(string(mode), \"_TRANSITIVE\"); without the suffix keep only " +
			"published[len(published)-1:]",
		Read: "section 1 and exercise 2"},
	try: func(t *trial) {
		t.judge(contract.BackwardTransitive, contract.ForwardTransitive, contract.FullTransitive)
		// Each step of this history is safe, and the whole way is not: b begins as an optional
		// field, and then loses its default.
		history := []string{record(a), record(a, optionalB)}
		next := record(a, requiredB)
		t.allows(contract.Backward,
			"a field without a default, which the last version had", next, history...)
		t.refuses(contract.BackwardTransitive,
			"a field without a default, which the first version did not have", next, history...)
		history = []string{record(a, requiredB), record(a, optionalB)}
		next = record(a)
		for _, mode := range []contract.Mode{contract.Forward, contract.Full} {
			t.allows(mode, "a removed field that the last version does not need", next, history...)
			t.refuses(mode+transitive, "a removed field that the first version needs",
				next, history...)
		}
		// A field is removed, and comes back at another scale.
		optional := func(decimal string) string {
			return record(a, field("p", decimal, `, "default": "\u0000"`))
		}
		next, published := optional(scale6), []string{optional(scale4), record(a)}
		for _, mode := range []contract.Mode{contract.Backward, contract.Forward, contract.Full} {
			t.allows(mode, "another scale than in the first version", next, published...)
			t.hint("the rule for logical types holds between next and every version that the mode "+
				"looks at").refuses(mode+transitive, "another scale than in the first version",
				next, published...)
		}
	},
}, {
	Check: check.Check{ID: "L1.26", Points: 1, Operation: compatible, Invariant: "L1.I7",
		Title: "an unknown mode and a text that is no schema are refused in every case; NONE " +
			"refuses nothing else",
		Misconception: "that an unknown mode is a lenient one; in fact a spelling mistake in a " +
			"setting would then switch the rules off",
		Hint: "judge the mode and the text of next BEFORE you look at the published versions: " +
			"there " +
			"may be none",
		More: "the known modes are BACKWARD, FORWARD, FULL, each with _TRANSITIVE or without, " +
			"and " +
			"NONE; parseSchema(next) in every mode",
		Read: "exercise 2"},
	try: func(t *trial) {
		for _, published := range [][]string{nil, {record(a)}} {
			t.hint("compare the mode with the list of known modes").refuses("SIDEWAYS",
				"an unknown mode", record(a), published...)
			t.refuses(contract.Backward, "a next version that is no schema", `{"type": "unheard"}`,
				published...)
			t.hint("NONE allows every schema, and this is none").refuses(contract.None,
				"a next version that is no schema", "{", published...)
		}
		t.allows(contract.None, "another scale", record(price6), record(price4))
	},
}}

const transitive = "_TRANSITIVE"

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
	price6    = field("p", scale6, "")
	precision = strings.Replace(scale6, "28", "30", 1)
	millis    = strings.Replace(micros, "micros", "millis", 1)
	nanos     = strings.Replace(micros, "micros", "nanos", 1)
)

func record(fields ...string) string {
	return `{"type": "record", "name": "R", "fields": [` + strings.Join(fields, ",") + `]}`
}

func field(name, typ, more string) string {
	return `{"name": "` + name + `", "type": ` + typ + more + `}`
}

func array(items string) string { return `{"type": "array", "items": ` + items + `}` }

func mapOf(values string) string { return `{"type": "map", "values": ` + values + `}` }

func nullOr(typ string) string { return `["null", ` + typ + `]` }

func nested(fields ...string) string {
	fields = append(fields, a)
	return `{"type": "record", "name": "In", "fields": [` + strings.Join(fields, ",") + `]}`
}

func fixed(size string) string { return `{"type": "fixed", "name": "F", "size": ` + size + `}` }

func enum(symbols string) string {
	return record(field("e", `{"type": "enum", "name": "E", "symbols": [`+symbols+`]}`, ""))
}

// enumWithDefault returns an enum whose readers replace an unknown symbol by the first symbol.
func enumWithDefault(symbols ...string) string {
	list := `"` + strings.Join(symbols, `", "`) + `"`
	return record(field("e", `{"type": "enum", "name": "E", "symbols": [`+list+`], "default": "`+
		symbols[0]+`"}`, ""))
}

// chain is a field of a record R that contains itself.
var chain = field("next", nullOr(`"R"`), "")

// meaningChanges are changes of a field that keep its bytes readable and change their meaning.
var meaningChanges = []struct{ what, from, to, hint string }{
	{"another scale", price4, price6, scaleHint},
	{"another precision", price6, field("p", precision, ""), scaleHint},
	{"a decimal that becomes bytes", price4, field("p", `"bytes"`, ""), noneHint},
	{"bytes that become a decimal", field("p", `"bytes"`, ""), price4, noneHint},
	{"milliseconds that become microseconds", field("t", millis, ""), field("t", micros, ""),
		"the logical types of both are a long: compare their names, too"},
	{"a long that becomes nanoseconds", field("t", `"long"`, ""), field("t", nanos, ""),
		recentHint},
	{"another scale in an array", field("p", array(scale4), ""), field("p", array(scale6), ""),
		visitHint},
	{"another scale in a union", field("p", nullOr(scale4), ""), field("p", nullOr(scale6), ""),
		visitHint},
	{"another scale in a nested record",
		field("in", nested(price4), ""), field("in", nested(price6), ""), visitHint},
}

const (
	scaleHint  = "a decimal is its name, its precision and its scale: compare all three"
	noneHint   = "a schema without a logical type differs from one that has it"
	recentHint = "the library does not know the types of Avro 1.12: logicalType (resolve.go) does"
	visitHint  = "call visit with the two whole schemas: it goes into records, items and branches"
)

// changes are changes of a schema, with the readers that can still read.
var changes = []struct {
	what, from, to    string
	backward, forward bool // new readers read old data; old readers read new data
}{
	{"no change", record(a), record(a), true, true},
	{"a new field with a default", record(a), record(a, optionalB), true, true},
	{"a new field without a default", record(a), record(a, requiredB), false, true},
	{"a removed field that had a default", record(a, optionalB), record(a), true, true},
	{"a removed field without a default", record(a, requiredB), record(a), true, false},
	{"an int that becomes a long", primitive("int"), primitive("long"), true, false},
	{"a field that becomes nullable", record(a), record(field("a", nullOr(`"string"`), "")),
		true, false},
	{"a string that becomes an int", record(a), record(field("a", `"int"`, "")), false, false},
	{"a new symbol of an enum", enum(`"x", "y"`), enum(`"x", "y", "z"`), true, false},
	{"a new symbol of an enum with a default",
		enumWithDefault("x"), enumWithDefault("x", "y"), true, true},
	{"bytes that become a string", primitive("bytes"), primitive("string"), true, true},
	{"an int that becomes a double", primitive("int"), primitive("double"), true, false},
	{"a float that becomes a double", primitive("float"), primitive("double"), true, false},
	{"a double that becomes a float", primitive("double"), primitive("float"), false, true},
	{"a float that becomes a long", primitive("float"), primitive("long"), false, true},
	{"a map of ints that becomes a map of strings", record(field("m", mapOf(`"int"`), "")),
		record(field("m", mapOf(`"string"`), "")), false, false},
	{"a longer digest", record(field("d", fixed("16"), "")), record(field("d", fixed("32"), "")),
		false, false},
	{"a renamed field with an alias", record(a),
		record(field("z", `"string"`, `, "aliases": ["a"]`)), true, false},
	{"a renamed field without an alias", record(a), record(field("z", `"string"`, "")),
		false, false},
	{"a new field without a default in a nested record", record(field("in", nested(), "")),
		record(field("in", nested(requiredB), "")), false, true},
	{"a new field with a default in a nested record", record(field("in", nested(), "")),
		record(field("in", nested(optionalB), "")), true, true},
	{"a new field without a default in a record that contains itself",
		record(a, chain), record(a, chain, requiredB), false, true},
	{"an array of ints that becomes an array of longs", record(field("l", array(`"int"`), "")),
		record(field("l", array(`"long"`), "")), true, false},
}

// primitive returns a record with one field of a primitive type.
func primitive(typ string) string { return record(field("n", `"`+typ+`"`, "")) }

// reads requires that Readable allows a pair of schemas, or refuses it.
func (t *trial) reads(allowed bool, what, reader, writer string) {
	err := t.answer.Readable(reader, writer)
	answered(t, readable, err)
	if allowed {
		require.NoError(t, err, "%s", what)
		return
	}
	require.ErrorIs(t, err, contract.ErrIncompatible, "%s", what)
}

// judge tries every change in the given modes.
func (t *trial) judge(modes ...contract.Mode) {
	for _, mode := range modes {
		plain, _ := strings.CutSuffix(string(mode), transitive)
		for _, c := range changes {
			allowed := map[string]bool{
				"BACKWARD": c.backward, "FORWARD": c.forward, "FULL": c.backward && c.forward,
				"NONE": true,
			}[plain]
			if allowed {
				t.allows(mode, c.what, c.to, c.from)
			} else {
				t.refuses(mode, c.what, c.to, c.from)
			}
		}
		t.allows(mode, "the first version", record(a))
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
