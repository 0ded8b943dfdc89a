package stack_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
)

func registryClient(t *testing.T, s stack.Stack) *sr.Client {
	t.Helper()
	url, err := s.Registry(t.Context())
	require.NoError(t, err)
	c, err := sr.NewClient(sr.URLs(url))
	require.NoError(t, err)
	return c
}

func record(fields string) sr.Schema {
	return sr.Schema{Schema: `{"type":"record","name":"r","fields":[` + fields + `]}`}
}

const (
	fieldA        = `{"name":"a","type":"string"}`
	fieldB        = `{"name":"b","type":"string"}`
	fieldBDefault = `{"name":"b","type":"string","default":""}`
)

func decimal(precision, scale string) string {
	return `{"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":` + precision + `,"scale":` + scale + `}],"default":null}`
}

func TestCompatibilityInEveryMode(t *testing.T) {
	t.Parallel()
	c := registryClient(t, stacktest.Shared(t))
	// Each history is legal step by step or not, judged by each level on its last step.
	for _, h := range []struct {
		name    string
		history []sr.Schema
		next    sr.Schema
		allowed []sr.CompatibilityLevel
	}{
		{"a field more, without default", []sr.Schema{record(fieldA)}, record(fieldA + "," + fieldB),
			levels(sr.CompatNone, sr.CompatForward, sr.CompatForwardTransitive)},
		{"a field less", []sr.Schema{record(fieldA + "," + fieldB)}, record(fieldA),
			levels(sr.CompatNone, sr.CompatBackward, sr.CompatBackwardTransitive)},
		{"a field more, with default", []sr.Schema{record(fieldA)}, record(fieldA + "," + fieldBDefault),
			levels(sr.CompatNone, sr.CompatBackward, sr.CompatBackwardTransitive, sr.CompatForward, sr.CompatForwardTransitive,
				sr.CompatFull, sr.CompatFullTransitive)},
		{"a default taken away, which the first version misses", []sr.Schema{record(fieldA), record(fieldA + "," + fieldBDefault)},
			record(fieldA + "," + fieldB), levels(sr.CompatNone, sr.CompatBackward, sr.CompatForward, sr.CompatForwardTransitive, sr.CompatFull)},
		{"another scale", []sr.Schema{record(decimal("18", "2"))}, record(decimal("18", "4")), levels(sr.CompatNone)},
		{"another precision", []sr.Schema{record(decimal("18", "2"))}, record(decimal("20", "2")), levels(sr.CompatNone)},
		{"another type", []sr.Schema{record(fieldA)}, record(`{"name":"a","type":"long"}`), levels(sr.CompatNone)},
	} {
		for _, level := range allLevels {
			t.Run(h.name+"/"+level.String(), func(t *testing.T) {
				t.Parallel()
				subject := stacktest.Prefix(t) + "value"
				setLevel(t, c, subject, sr.CompatNone)
				for _, s := range h.history {
					_, err := c.CreateSchema(t.Context(), subject, s)
					require.NoError(t, err)
				}
				setLevel(t, c, subject, level)
				_, err := c.CreateSchema(t.Context(), subject, h.next)
				if contains(h.allowed, level) {
					require.NoError(t, err)
					return
				}
				var refused *sr.ResponseError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, http.StatusConflict, refused.StatusCode)
				verdict, err := c.CheckCompatibility(t.Context(), subject, -2, h.next) // all that the level counts
				require.NoError(t, err)
				require.False(t, verdict.Is)
				require.NotEmpty(t, verdict.Messages)
			})
		}
	}
}

var allLevels = levels(sr.CompatNone, sr.CompatBackward, sr.CompatBackwardTransitive, sr.CompatForward, sr.CompatForwardTransitive,
	sr.CompatFull, sr.CompatFullTransitive)

func levels(l ...sr.CompatibilityLevel) []sr.CompatibilityLevel { return l }

func contains(all []sr.CompatibilityLevel, l sr.CompatibilityLevel) bool {
	for _, x := range all {
		if x == l {
			return true
		}
	}
	return false
}

func setLevel(t *testing.T, c *sr.Client, subject string, level sr.CompatibilityLevel) {
	t.Helper()
	for _, r := range c.SetCompatibility(t.Context(), sr.SetCompatibility{Level: level}, subject) {
		require.NoError(t, r.Err)
	}
}

func TestGarbageIsNoSchema(t *testing.T) {
	t.Parallel()
	c := registryClient(t, stacktest.Shared(t))
	for _, s := range []string{`{}`, `{"type":"rekord"}`, `not json`, `{"type":"record","name":"r","fields":[{"name":"a","type":"nothing"}]}`} {
		_, err := c.CreateSchema(t.Context(), stacktest.Prefix(t)+"value", sr.Schema{Schema: s})
		var refused *sr.ResponseError
		require.ErrorAs(t, err, &refused, s)
		require.Equal(t, http.StatusUnprocessableEntity, refused.StatusCode)
	}
	_, err := c.CreateSchema(t.Context(), stacktest.Prefix(t)+"value", sr.Schema{Schema: `syntax = "proto3";`, Type: sr.TypeProtobuf})
	require.ErrorContains(t, err, "takes Avro")
}

func TestASchemaMayReferToAnother(t *testing.T) {
	t.Parallel()
	c := registryClient(t, stacktest.Shared(t))
	subject := stacktest.Prefix(t)
	inner, err := c.CreateSchema(t.Context(), subject+"inner", sr.Schema{Schema: `{"type":"fixed","name":"id","size":16}`})
	require.NoError(t, err)
	outer := record(`{"name":"id","type":"id"}`)
	_, err = c.CreateSchema(t.Context(), subject+"outer", outer)
	require.Error(t, err, "the type is not known")
	outer.References = []sr.SchemaReference{{Name: "id", Subject: inner.Subject, Version: inner.Version}}
	_, err = c.CreateSchema(t.Context(), subject+"outer", outer)
	require.NoError(t, err)
}

func TestRegistryKeepsIDsAndLevels(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	s := embedded(dir)
	c := registryClient(t, s)
	first, err := c.CreateSchema(t.Context(), "one", record(fieldA))
	require.NoError(t, err)
	gone, err := c.CreateSchema(t.Context(), "gone", record(fieldB))
	require.NoError(t, err)
	_, err = c.DeleteSubject(t.Context(), "gone", sr.SoftDelete)
	require.NoError(t, err)
	second, err := c.CreateSchema(t.Context(), "one", record(fieldA+","+fieldBDefault))
	require.NoError(t, err)
	setLevel(t, c, "one", sr.CompatFullTransitive)
	require.NoError(t, s.Close())

	journal := filepath.Join(dir, "registry", "changes.jsonl")
	before, err := os.ReadFile(journal)
	require.NoError(t, err)
	tear(t, journal)

	s = embedded(dir)
	defer func() { require.NoError(t, s.Close()) }()
	c = registryClient(t, s)
	for _, want := range []sr.SubjectSchema{first, second} {
		got, err := c.SchemaByVersion(t.Context(), "one", want.Version)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Equal(t, sr.CompatFullTransitive, c.Compatibility(t.Context(), "one")[0].Level)
	_, err = c.SchemaByVersion(t.Context(), "gone", gone.Version)
	require.Error(t, err)
	again, err := c.CreateSchema(t.Context(), "one", record(fieldA))
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	after, err := os.ReadFile(journal)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "the same schema again is no change, and the torn line is gone")
}

// tear appends the beginning of a line, as a crash leaves it.
func tear(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(`{"method":"POST","uri":"/subj`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestADamagedRegistryIsRefusedByLine(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	s := embedded(dir)
	_, err := registryClient(t, s).CreateSchema(t.Context(), "one", record(fieldA))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	path := filepath.Join(dir, "registry", "changes.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("{}\n"), 0o600))
	_, err = embedded(dir).Registry(t.Context())
	require.ErrorContains(t, err, "line 1")
}
