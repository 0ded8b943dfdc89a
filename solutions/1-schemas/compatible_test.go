package codec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

func avroSchema(text string) sr.Schema { return sr.Schema{Schema: text, Type: sr.TypeAvro} }

const decimal = `{"type": "bytes", "logicalType": "decimal", "precision": 28, "scale": 6}`

func record(fields ...string) string {
	return `{"type": "record", "name": "R", "fields": [` + strings.Join(fields, ",") + `]}`
}

func field(name, typ, more string) string {
	return `{"name": "` + name + `", "type": ` + typ + more + `}`
}

func TestCompatible(t *testing.T) {
	t.Parallel()
	one := record(field("a", `"string"`, ""))
	optional := record(field("a", `"string"`, ""), field("b", `["null", "string"]`, `, "default": null`))
	required := record(field("a", `"string"`, ""), field("b", `["null", "string"]`, ""))
	price := record(field("p", decimal, ""))
	for name, c := range map[string]struct {
		mode      codec.Mode
		next      string
		published []string
		ok        bool
	}{
		"the first":                         {contract.FullTransitive, one, nil, true},
		"itself":                            {contract.FullTransitive, one, []string{one}, true},
		"a field with a default, both ways": {contract.Full, optional, []string{one}, true},
		"a field without, for new readers":  {contract.Backward, required, []string{one}, false},
		"a field without, for old readers":  {contract.Forward, required, []string{one}, true},
		"a field without, both ways":        {contract.Full, required, []string{one}, false},
		"a field without, unchecked":        {contract.None, required, []string{one}, true},
		"a field gone, for new readers":     {contract.Backward, one, []string{required}, true},
		"a field gone, both ways":           {contract.Full, one, []string{required}, false},
		"a field gone, for old readers":     {contract.Forward, one, []string{required}, false},
		"only the last counts":              {contract.Backward, required, []string{one, optional}, true},
		"every one counts":                  {contract.BackwardTransitive, required, []string{one, optional}, false},
		"scale":                             {contract.Backward, record(field("p", strings.Replace(decimal, "6", "4", 1), "")), []string{price}, false},
		"precision":                         {contract.Forward, record(field("p", strings.Replace(decimal, "28", "30", 1), "")), []string{price}, false},
		"decimal no longer":                 {contract.Full, record(field("p", `"bytes"`, "")), []string{price}, false},
		"decimal that may be null":          {contract.Backward, record(field("p", `["null", `+decimal+`]`, "")), []string{price}, true},
		"scale of items":                    {contract.Backward, record(field("p", `{"type": "array", "items": `+strings.Replace(decimal, "6", "4", 1)+`}`, "")), []string{record(field("p", `{"type": "array", "items": `+decimal+`}`, ""))}, false},
		"another type":                      {contract.Backward, record(field("a", `"int"`, "")), []string{one}, false},
		"no schema":                         {contract.Backward, "{", []string{one}, false},
		"a published one that is none":      {contract.Backward, one, []string{"{"}, false},
		"a mode that is none":               {"SIDEWAYS", one, []string{one}, false},
		"a mode that is none, the first":    {"BACKWRD", one, nil, false},
		"no mode ends so":                   {"NONE_TRANSITIVE", one, nil, false},
		"no schema, the first":              {contract.Backward, "garbage", nil, false},
		"no schema, unchecked":              {contract.None, "garbage", []string{one}, false},
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
		require.NoError(t, codec.Compatible(contract.BackwardTransitive, s.Text, published[s.Type]...), "%s version %d", s.Type, s.Version)
		published[s.Type] = append(published[s.Type], s.Text)
	}
}
