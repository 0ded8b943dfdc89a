package codec

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// The wrong answers share these with the reference.
var (
	EventOf = eventOf
	Park    = (*Consumer).park
)

// RecordOf returns an event in Avro as a record.
func RecordOf(e contract.Event) *kgo.Record { return recordOf(e, dataType) }

// IsPoison reports whether the reference parks a record for an error.
func IsPoison(err error) bool {
	return slices.ContainsFunc(poison, func(p error) bool { return errors.Is(err, p) })
}

// Data returns a text in the frame of a type's JSON Schema.
func (j *JSONForm) Data(typ, text string) []byte { return append(prefixOf(j.ids[typ]), text...) }

// The formats match the catalog. Every published schema can be walked, the latest version of each
// type has a body, and each older version has a step to the next.
func TestEverySchemaHasAFormat(t *testing.T) {
	t.Parallel()
	for _, s := range schemas.All() {
		f, ok := findFormat(s.Type, s.Version)
		require.True(t, ok, "%s version %d has no format", s.Type, s.Version)
		latest, _ := schemas.Latest(s.Type)
		require.Equal(t, s.Version == latest.Version, f.toBody != nil && f.fromBody != nil,
			"%s version %d: only the latest version has a body", s.Type, s.Version)
		require.Equal(t, s.Version < latest.Version, f.next != nil,
			"%s version %d: only an older version has a next one", s.Type, s.Version)
	}
	require.Len(t, schemas.All(), len(currentFormats)+len(oldFormats))
}

// Each kind of event has a format, whose values are bodies of that kind.
func TestEveryKindHasAFormat(t *testing.T) {
	t.Parallel()
	for _, kind := range trade.Kinds() {
		f := latest(kind.Type)
		value := f.walk(&printer{}, f.fromBody(kind.Zero))
		require.Equal(t, kind.Zero, f.upcast(value), kind.Type)
	}
}
