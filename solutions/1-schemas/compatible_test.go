package codec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

const (
	decimal = `{"type": "bytes", "logicalType": "decimal", "precision": 28, "scale": 6}`
	scale4  = `{"type": "bytes", "logicalType": "decimal", "precision": 28, "scale": 4}`
	scale9  = `{"type": "bytes", "logicalType": "decimal", "precision": 9}`
	micros  = `{"type": "long", "logicalType": "timestamp-micros"}`
	nanos   = `{"type": "long", "logicalType": "timestamp-nanos"}`
	date    = `{"type": "int", "logicalType": "date"}`
	fixed16 = `{"type": "fixed", "name": "F", "size": 16}`
	uuid16  = `{"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"}`
)

func record(fields ...string) string { return named(`"name": "R"`, fields...) }

func named(head string, fields ...string) string {
	return `{"type": "record", ` + head + `, "fields": [` + strings.Join(fields, ",") + `]}`
}

func field(name, typ, more string) string {
	return `{"name": "` + name + `", "type": ` + typ + more + `}`
}

// price returns a record with one field p.
func price(typ string) string { return record(field("p", typ, "")) }

func array(items string) string { return `{"type": "array", "items": ` + items + `}` }

func mapOf(values string) string { return `{"type": "map", "values": ` + values + `}` }

func union(types ...string) string { return `[` + strings.Join(types, ", ") + `]` }

func nullOr(typ string) string { return union(`"null"`, typ) }

// logicalOn returns a logical type on a primitive type.
func logicalOn(typ, logical string) string {
	return `{"type": "` + typ + `", "logicalType": "` + logical + `"}`
}

func fixedDecimal(scale string) string {
	return `{"type": "fixed", "name": "F", "size": 12, "logicalType": "decimal", ` +
		`"precision": 28, "scale": ` + scale + `}`
}

// chain is a record that contains itself, followed by a field p.
func chain(name, alias, typ string) string {
	return named(`"name": "`+name+`", "aliases": ["`+alias+`"]`,
		field("next", nullOr(`"`+name+`"`), ""), field("p", typ, ""))
}

func TestCompatible(t *testing.T) {
	t.Parallel()
	a := field("a", `"string"`, "")
	one := record(a)
	optional := record(a, field("b", nullOr(`"string"`), `, "default": null`))
	required := record(a, field("b", nullOr(`"string"`), ""))
	precision30 := strings.Replace(decimal, "28", "30", 1)
	for name, c := range map[string]struct {
		mode      codec.Mode
		next      string
		published []string
		ok        bool
	}{
		"the first version":        {contract.FullTransitive, one, nil, true},
		"no change":                {contract.FullTransitive, one, []string{one}, true},
		"optional field, FULL":     {contract.Full, optional, []string{one}, true},
		"required field, BACKWARD": {contract.Backward, required, []string{one}, false},
		"required field, FORWARD":  {contract.Forward, required, []string{one}, true},
		"required field, FULL":     {contract.Full, required, []string{one}, false},
		"required field, NONE":     {contract.None, required, []string{one}, true},
		"removed field, BACKWARD":  {contract.Backward, one, []string{required}, true},
		"removed field, FULL":      {contract.Full, one, []string{required}, false},
		"removed field, FORWARD":   {contract.Forward, one, []string{required}, false},
		"only the last version":    {contract.Backward, required, []string{one, optional}, true},
		"every version": {contract.BackwardTransitive, required,
			[]string{one, optional}, false},
		"another scale": {contract.Backward, price(scale4), []string{price(decimal)}, false},
		"another precision": {contract.Forward, price(precision30),
			[]string{price(decimal)}, false},
		"a decimal becomes bytes": {contract.Full, price(`"bytes"`),
			[]string{price(decimal)}, false},
		"a decimal becomes nullable": {contract.Backward, price(nullOr(decimal)),
			[]string{price(decimal)}, true},
		"another scale of items": {contract.Backward, price(array(scale4)),
			[]string{price(array(decimal))}, false},
		"another type": {contract.Backward, record(field("a", `"int"`, "")),
			[]string{one}, false},
		"not a schema":                {contract.Backward, "{", []string{one}, false},
		"published is not a schema":   {contract.Backward, one, []string{"{"}, false},
		"unknown mode":                {"SIDEWAYS", one, []string{one}, false},
		"unknown mode, first version": {"BACKWRD", one, nil, false},
		"NONE_TRANSITIVE":             {"NONE_TRANSITIVE", one, nil, false},
		"not a schema, first version": {contract.Backward, "garbage", nil, false},
		"not a schema, NONE":          {contract.None, "garbage", []string{one}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := codec.Compatible(c.mode, c.next, c.published...)
			if c.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, codec.ErrIncompatible)
			}
		})
	}
}

// A change of the catalog that breaks a reader fails here, before it reaches a topic.
func TestCatalogStaysCompatible(t *testing.T) {
	t.Parallel()
	published := map[string][]string{}
	for _, s := range schemas.All() {
		err := codec.Compatible(contract.BackwardTransitive, s.Text, published[s.Type]...)
		require.NoError(t, err, "%s version %d", s.Type, s.Version)
		published[s.Type] = append(published[s.Type], s.Text)
	}
}

// meanings are changes that Avro's own rules allow in at least one direction, with the readers that
// still read the meaning.
var meanings = map[string]struct {
	from, to          string
	backward, forward bool // new readers read old data; old readers read new data
}{
	"the scale of a renamed field": {
		price(decimal), record(field("q", scale4, `, "aliases": ["p"]`)), false, false,
	},
	"the scale of a renamed field with a default": {
		record(field("p", decimal, `, "default": ""`)),
		record(field("q", scale4, `, "aliases": ["p"], "default": ""`)), false, false,
	},
	"a renamed field": {
		price(decimal), record(field("q", decimal, `, "aliases": ["p"]`)), true, false,
	},
	"an alias that is another field's name": {
		record(field("q", nanos, `, "aliases": ["p"]`), field("p", micros, "")),
		record(field("p", micros, ""), field("q", nanos, `, "aliases": ["p"]`)), true, true,
	},
	"an alias of a field that stays": {
		price(micros),
		record(field("q", nanos, `, "aliases": ["p"], "default": 0`), field("p", micros, "")),
		false, true,
	},
	"an alias of a removed field": {
		record(field("p", micros, `, "default": 0`), field("q", nanos, "")),
		record(field("q", nanos, `, "aliases": ["p"]`)), true, true,
	},
	"the scale in a renamed record": {
		price(decimal), named(`"name": "S", "aliases": ["R"]`, field("p", scale4, "")),
		false, false,
	},
	"a renamed record": {
		price(decimal), named(`"name": "S", "aliases": ["R"]`, field("p", decimal, "")),
		true, false,
	},
	"the scale in another namespace": {
		price(decimal), named(`"name": "R", "namespace": "x"`, field("p", scale4, "")),
		false, false,
	},
	"another namespace": {
		price(decimal), named(`"name": "R", "namespace": "x"`, field("p", decimal, "")),
		true, true,
	},
	"the scale of a decimal":   {decimal, scale4, false, false},
	"the scale of an array":    {array(decimal), array(scale4), false, false},
	"the scale of a map":       {mapOf(decimal), mapOf(scale4), false, false},
	"the scale of a union":     {nullOr(decimal), nullOr(scale4), false, false},
	"the scale in a new union": {decimal, nullOr(scale4), false, false},
	"the scale in a record that contains itself": {
		chain("R", "Q", decimal), chain("R", "Q", scale4), false, false,
	},
	"a record that contains itself": {
		chain("R", "Q", decimal), chain("S", "R", decimal), true, false,
	},
	"the scale in a record of a union": {
		record(field("u", nullOr(named(`"name": "A"`, field("p", decimal, ""))), "")),
		record(
			field("u", nullOr(named(`"name": "B", "aliases": ["A"]`, field("p", scale4, ""))), ""),
		),
		false, false,
	},
	"one more branch": {nullOr(decimal), union(`"null"`, decimal, micros), true, false},
	"the same branches in another order": {
		union(`"null"`, decimal, micros, `"string"`),
		union(`"string"`, micros, decimal, `"null"`), true, true,
	},
	"a branch that an earlier branch could read": {date, union(micros, date), true, false},
	"a branch that reads another meaning":        {date, nullOr(micros), false, false},
	"records of one name in two namespaces": {
		union(
			named(`"name": "a.R"`, field("p", decimal, "")),
			named(`"name": "b.R"`, field("p", scale4, "")),
		),
		union(
			named(`"name": "b.R"`, field("p", scale4, "")),
			named(`"name": "a.R"`, field("p", decimal, "")),
		),
		true, true,
	},
	"a fixed that is defined elsewhere": {
		record(field("a", fixedDecimal("6"), ""), field("b", `"F"`, "")),
		record(field("b", fixedDecimal("6"), ""), field("a", `"F"`, "")), true, true,
	},
	"the scale of a fixed that is defined elsewhere": {
		record(field("a", fixedDecimal("6"), ""), field("b", `"F"`, "")),
		record(field("b", fixedDecimal("4"), ""), field("a", `"F"`, "")), false, false,
	},
	"an int that becomes a long":           {`"int"`, `"long"`, true, false},
	"a date that becomes a long":           {date, `"long"`, false, false},
	"an int that becomes an instant":       {`"int"`, micros, false, false},
	"a uuid that becomes bytes":            {logicalOn("string", "uuid"), `"bytes"`, false, false},
	"bytes that become a decimal":          {`"bytes"`, decimal, false, false},
	"nanoseconds that become microseconds": {nanos, micros, false, false},
	"nanoseconds that become a long":       {nanos, `"long"`, false, false},
	"a big decimal that becomes bytes": {
		logicalOn("bytes", "big-decimal"), `"bytes"`, false, false,
	},
	"a uuid that becomes a fixed": {uuid16, fixed16, false, false},
	"an unknown logical type":     {`"string"`, logicalOn("string", "shout"), true, true},
	"another unknown logical type": {
		logicalOn("string", "shout"), logicalOn("string", "whisper"), true, true,
	},
	"a logical type on the wrong type": {
		`"string"`, logicalOn("string", "timestamp-micros"), true, true,
	},
	"a decimal with an invalid scale": {
		`"bytes"`, strings.Replace(scale4, "28", "2", 1), true, true,
	},
	"a scale of zero that becomes explicit": {
		scale9, strings.Replace(scale9, "9", `9, "scale": 0`, 1), true, true,
	},
}

func TestCompatibleComparesMeaning(t *testing.T) {
	t.Parallel()
	for name, c := range meanings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full := c.backward && c.forward
			for mode, ok := range map[codec.Mode]bool{
				contract.Backward: c.backward, contract.BackwardTransitive: c.backward,
				contract.Forward: c.forward, contract.ForwardTransitive: c.forward,
				contract.Full: full, contract.FullTransitive: full, contract.None: true,
			} {
				err := codec.Compatible(mode, c.to, c.from)
				if ok {
					require.NoError(t, err, mode)
				} else {
					require.ErrorIs(t, err, codec.ErrIncompatible, mode)
				}
				require.NoError(t, codec.Compatible(mode, c.from, c.from), "%s: no change", mode)
				require.NoError(t, codec.Compatible(mode, c.to, c.to), "%s: no change", mode)
			}
		})
	}
}

// The error names the path of the field, and its logical type in the writer's and the reader's
// schema.
func TestCompatibleNamesChangedField(t *testing.T) {
	t.Parallel()
	prices := func(typ string) string {
		point := named(`"name": "P"`, field("price", nullOr(typ), ""))
		return record(field("points", array(point), ""))
	}
	err := codec.Compatible(contract.Backward, prices(scale4), prices(decimal))
	require.EqualError(t, err, "BACKWARD: schema is not compatible: points[].price: "+
		"written as decimal(28,6), read as decimal(28,4)")
	err = codec.Compatible(contract.Forward, `"bytes"`, decimal)
	require.EqualError(t, err, "FORWARD: schema is not compatible: at the root: "+
		"written as bytes, read as decimal(28,6)")
}
