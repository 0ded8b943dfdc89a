package stack_test

import (
	"strings"
	"testing"

	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
)

const (
	cents    = `{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}`
	points   = `{"type":"bytes","logicalType":"decimal","precision":18,"scale":4}`
	micros   = `{"type":"long","logicalType":"timestamp-micros"}`
	millis   = `{"type":"long","logicalType":"timestamp-millis"}`
	days     = `{"type":"int","logicalType":"date"}`
	fixedAt  = `{"type":"fixed","name":"f","size":12,"logicalType":"decimal","precision":18,"scale":2}`
	aliasOfP = `,"aliases":["p"]`
)

func of(name, typ, more string) string {
	return `{"name":"` + name + `","type":` + typ + more + `}`
}

func recordNamed(head, fields string) string {
	return `{"type":"record",` + head + `,"fields":[` + fields + `]}`
}

// What Avro's rules let pass is looked at for what it means: wherever a reader would read it.
func TestRegistryWatchesWhatBytesMean(t *testing.T) {
	t.Parallel()
	c := registryClient(t, stacktest.Shared(t))
	r := `"name":"r"`
	for _, m := range []struct {
		name, from, to    string
		backward, forward bool
	}{
		{"the scale of a field under another name", recordNamed(r, of("p", cents, "")), recordNamed(r, of("q", points, aliasOfP)), false, false},
		{"a field under another name", recordNamed(r, of("p", cents, "")), recordNamed(r, of("q", cents, aliasOfP)), true, false},
		{"an alias that is another field's name", recordNamed(r, of("q", millis, aliasOfP)+","+of("p", micros, "")), recordNamed(r, of("p", micros, "")+","+of("q", millis, aliasOfP)), true, true},
		{"an alias that reads what stays another field", recordNamed(r, of("p", micros, "")), recordNamed(r, of("q", millis, aliasOfP+`,"default":0`)+","+of("p", micros, "")), false, true},
		{"an alias of a field that goes", recordNamed(r, of("p", micros, `,"default":0`)+","+of("q", millis, "")), recordNamed(r, of("q", millis, aliasOfP)), true, true},
		{"the scale in a record under another name", recordNamed(r, of("p", cents, "")), recordNamed(`"name":"s","aliases":["r"]`, of("p", points, "")), false, false},
		{"the scale in another namespace", recordNamed(r, of("p", cents, "")), recordNamed(`"name":"x.r"`, of("p", points, "")), false, false},
		{"the scale of all", cents, points, false, false},
		{"the scale of an array that is all", `{"type":"array","items":` + cents + `}`, `{"type":"array","items":` + points + `}`, false, false},
		{"the scale of a union that is all", `["null",` + cents + `]`, `["null",` + points + `]`, false, false},
		{"milliseconds that become microseconds", millis, micros, false, false},
		{"milliseconds no longer", millis, `"long"`, false, false},
		{"days that become long", days, `"long"`, false, false},
		{"nanoseconds no longer", strings.Replace(millis, "millis", "nanos", 1), `"long"`, false, false},
		{"one branch more", `["null",` + cents + `]`, `["null",` + cents + `,` + micros + `]`, true, false},
		{"the same branches in another order", `["null",` + cents + `,"string"]`, `["string",` + cents + `,"null"]`, true, true},
		{"a branch that a branch before it could take", days, `[` + micros + `,` + days + `]`, true, false},
		{"a fixed that is defined at another place", recordNamed(r, of("a", fixedAt, "")+","+of("b", `"f"`, "")), recordNamed(r, of("b", fixedAt, "")+","+of("a", `"f"`, "")), true, true},
		{"a logical type that nobody knows", `"string"`, `{"type":"string","logicalType":"shout"}`, true, true},
	} {
		allowed := map[sr.CompatibilityLevel]bool{sr.CompatBackward: m.backward, sr.CompatForward: m.forward, sr.CompatFull: m.backward && m.forward}
		for level, ok := range allowed {
			t.Run(m.name+"/"+level.String(), func(t *testing.T) {
				t.Parallel()
				subject := stacktest.Prefix(t) + "value"
				setLevel(t, c, subject, level)
				_, err := c.CreateSchema(t.Context(), subject, sr.Schema{Schema: m.from})
				require.NoError(t, err)
				verdict, err := c.CheckCompatibility(t.Context(), subject, -1, sr.Schema{Schema: m.to})
				require.NoError(t, err)
				require.Equal(t, ok, verdict.Is, verdict.Messages)
			})
		}
	}
}

// Every place is told at once, with what it was written as and what it would be read as.
func TestRegistrySaysWhereMeaningChanges(t *testing.T) {
	t.Parallel()
	c, subject := registryClient(t, stacktest.Shared(t)), stacktest.Prefix(t)+"value"
	_, err := c.CreateSchema(t.Context(), subject, record(of("p", cents, "")+","+of("all", `{"type":"array","items":`+micros+`}`, "")))
	require.NoError(t, err)
	verdict, err := c.CheckCompatibility(t.Context(), subject, -1, record(of("p", points, "")+","+of("all", `{"type":"array","items":"long"}`, "")))
	require.NoError(t, err)
	require.Equal(t, []string{
		"version 1: the new schema takes for another value what the old one wrote: /p is written as decimal(18, 2) and read as decimal(18, 4)",
		"version 1: the new schema takes for another value what the old one wrote: /all[] is written as timestamp-micros and read as long",
	}, verdict.Messages)
}
