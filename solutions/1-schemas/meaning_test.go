package codec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	codec "example.com/blotter/solutions/1-schemas"
)

const (
	scale4 = `{"type": "bytes", "logicalType": "decimal", "precision": 28, "scale": 4}`
	micros = `{"type": "long", "logicalType": "timestamp-micros"}`
	nanos  = `{"type": "long", "logicalType": "timestamp-nanos"}`
	date   = `{"type": "int", "logicalType": "date"}`
)

func named(head string, fields ...string) string {
	return `{"type": "record", ` + head + `, "fields": [` + strings.Join(fields, ",") + `]}`
}

func array(items string) string { return `{"type": "array", "items": ` + items + `}` }

func odd(typ, logical string) string {
	return `{"type": "` + typ + `", "logicalType": "` + logical + `"}`
}

func fixed(name, scale string) string {
	return `{"type": "fixed", "name": "` + name + `", "size": 12, "logicalType": "decimal", "precision": 28, "scale": ` + scale + `}`
}

// chain is a record that contains itself, and a decimal behind that.
func chain(name, alias, typ string) string {
	return named(`"name": "`+name+`", "aliases": ["`+alias+`"]`, field("next", `["null", "`+name+`"]`, ""), field("p", typ, ""))
}

// meanings are changes that Avro's rules for bytes allow in one direction at least, and who reads what was meant then.
var meanings = map[string]struct {
	from, to          string
	backward, forward bool // new readers read old data; old readers read new data
}{
	"the scale of a field under another name":        {record(field("p", decimal, "")), record(field("q", scale4, `, "aliases": ["p"]`)), false, false},
	"the same, and old readers have a default":       {record(field("p", decimal, `, "default": ""`)), record(field("q", scale4, `, "aliases": ["p"], "default": ""`)), false, false},
	"a field under another name":                     {record(field("p", decimal, "")), record(field("q", decimal, `, "aliases": ["p"]`)), true, false},
	"an alias that is another field's name":          {record(field("q", nanos, `, "aliases": ["p"]`), field("p", micros, "")), record(field("p", micros, ""), field("q", nanos, `, "aliases": ["p"]`)), true, true},
	"an alias that reads what stays another field":   {record(field("p", micros, "")), record(field("q", nanos, `, "aliases": ["p"], "default": 0`), field("p", micros, "")), false, true},
	"an alias of a field that goes":                  {record(field("p", micros, `, "default": 0`), field("q", nanos, "")), record(field("q", nanos, `, "aliases": ["p"]`)), true, true},
	"the scale in a record under another name":       {record(field("p", decimal, "")), named(`"name": "S", "aliases": ["R"]`, field("p", scale4, "")), false, false},
	"a record under another name":                    {record(field("p", decimal, "")), named(`"name": "S", "aliases": ["R"]`, field("p", decimal, "")), true, false},
	"the scale in a record of another namespace":     {record(field("p", decimal, "")), named(`"name": "R", "namespace": "x"`, field("p", scale4, "")), false, false},
	"a record of another namespace":                  {record(field("p", decimal, "")), named(`"name": "R", "namespace": "x"`, field("p", decimal, "")), true, true},
	"the scale of all":                               {decimal, scale4, false, false},
	"the scale of an array that is all":              {array(decimal), array(scale4), false, false},
	"the scale of a map that is all":                 {`{"type": "map", "values": ` + decimal + `}`, `{"type": "map", "values": ` + scale4 + `}`, false, false},
	"the scale of a union that is all":               {`["null", ` + decimal + `]`, `["null", ` + scale4 + `]`, false, false},
	"the scale where there was no union":             {decimal, `["null", ` + scale4 + `]`, false, false},
	"the scale in a record that contains itself":     {chain("R", "Q", decimal), chain("R", "Q", scale4), false, false},
	"a record that contains itself":                  {chain("R", "Q", decimal), chain("S", "R", decimal), true, false},
	"the scale in a record of a union":               {record(field("u", `["null", `+named(`"name": "A"`, field("p", decimal, ""))+`]`, "")), record(field("u", `["null", `+named(`"name": "B", "aliases": ["A"]`, field("p", scale4, ""))+`]`, "")), false, false},
	"one branch more":                                {`["null", ` + decimal + `]`, `["null", ` + decimal + `, ` + micros + `]`, true, false},
	"the same branches in another order":             {`["null", ` + decimal + `, ` + micros + `, "string"]`, `["string", ` + micros + `, ` + decimal + `, "null"]`, true, true},
	"a branch that a branch before it could take":    {date, `[` + micros + `, ` + date + `]`, true, false},
	"a branch that takes what it does not mean":      {date, `["null", ` + micros + `]`, false, false},
	"records of one name in two namespaces":          {`[` + named(`"name": "a.R"`, field("p", decimal, "")) + `,` + named(`"name": "b.R"`, field("p", scale4, "")) + `]`, `[` + named(`"name": "b.R"`, field("p", scale4, "")) + `,` + named(`"name": "a.R"`, field("p", decimal, "")) + `]`, true, true},
	"a fixed that is defined at another place":       {record(field("a", fixed("F", "6"), ""), field("b", `"F"`, "")), record(field("b", fixed("F", "6"), ""), field("a", `"F"`, "")), true, true},
	"the scale of a fixed that is defined elsewhere": {record(field("a", fixed("F", "6"), ""), field("b", `"F"`, "")), record(field("b", fixed("F", "4"), ""), field("a", `"F"`, "")), false, false},
	"int that becomes long":                          {`"int"`, `"long"`, true, false},
	"days that become long":                          {date, `"long"`, false, false},
	"int that becomes an instant":                    {`"int"`, micros, false, false},
	"a uuid that becomes bytes":                      {odd("string", "uuid"), `"bytes"`, false, false},
	"bytes that become a decimal":                    {`"bytes"`, decimal, false, false},
	"nanoseconds that become microseconds":           {nanos, micros, false, false},
	"nanoseconds no longer":                          {nanos, `"long"`, false, false},
	"a big decimal no longer":                        {odd("bytes", "big-decimal"), `"bytes"`, false, false},
	"a uuid of 16 bytes no longer":                   {`{"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"}`, `{"type": "fixed", "name": "F", "size": 16}`, false, false},
	"a logical type that nobody knows":               {`"string"`, odd("string", "shout"), true, true},
	"another one that nobody knows":                  {odd("string", "shout"), odd("string", "whisper"), true, true},
	"a logical type on what it cannot be on":         {`"string"`, odd("string", "timestamp-micros"), true, true},
	"a decimal that cannot be":                       {`"bytes"`, strings.Replace(scale4, "28", "2", 1), true, true},
	"a scale of zero, said and not said":             {`{"type": "bytes", "logicalType": "decimal", "precision": 9}`, `{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 0}`, true, true},
}

func TestCompatibleWatchesWhatBytesMean(t *testing.T) {
	t.Parallel()
	for name, c := range meanings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for mode, ok := range map[codec.Mode]bool{
				contract.Backward: c.backward, contract.BackwardTransitive: c.backward, contract.Forward: c.forward, contract.ForwardTransitive: c.forward,
				contract.Full: c.backward && c.forward, contract.FullTransitive: c.backward && c.forward, contract.None: true,
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

// Whoever must mend a schema is told where, and what stands there on either side.
func TestCompatibleSaysWhereTheMeaningChanges(t *testing.T) {
	t.Parallel()
	prices := func(typ string) string {
		return record(field("points", array(named(`"name": "P"`, field("price", `["null", `+typ+`]`, ""))), ""))
	}
	err := codec.Compatible(contract.Backward, prices(scale4), prices(decimal))
	require.EqualError(t, err, "schema is not compatible (BACKWARD): points[].price: written as decimal(28,6), read as decimal(28,4)")
	err = codec.Compatible(contract.Forward, `"bytes"`, decimal)
	require.EqualError(t, err, "schema is not compatible (FORWARD): at the root: written as bytes, read as decimal(28,6)")
}
