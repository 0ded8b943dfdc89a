package stack_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func registryClient(t *testing.T, s stack.Stack) *sr.Client {
	t.Helper()
	at, err := s.Registry(t.Context())
	require.NoError(t, err)
	options, err := at.Options()
	require.NoError(t, err)
	c, err := sr.NewClient(options...)
	require.NoError(t, err)
	return c
}

type compatible = func(mode, next string, published ...string) error

// startRegistry returns a client of a new registry that judges schemas by the given check.
func startRegistry(t *testing.T, check compatible) *sr.Client {
	t.Helper()
	s := stack.Embedded(stack.EmbeddedOptions{Dir: stacktest.Dir(t), Compatible: check})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return registryClient(t, s)
}

func record(fields string) sr.Schema {
	return sr.Schema{Schema: `{"type":"record","name":"r","fields":[` + fields + `]}`}
}

const (
	fieldA        = `{"name":"a","type":"string"}`
	fieldB        = `{"name":"b","type":"string"}`
	fieldBDefault = `{"name":"b","type":"string","default":""}`
)

func setLevel(t *testing.T, c *sr.Client, subject string, level sr.CompatibilityLevel) {
	t.Helper()
	for _, r := range c.SetCompatibility(t.Context(), sr.SetCompatibility{Level: level}, subject) {
		require.NoError(t, r.Err)
	}
}

func create(t *testing.T, c *sr.Client, subject, text string) error {
	t.Helper()
	_, err := c.CreateSchema(t.Context(), subject, sr.Schema{Schema: text})
	return err
}

func requireStatus(t *testing.T, status int, err error) {
	t.Helper()
	var refused *sr.ResponseError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, status, refused.StatusCode, err)
}

// A checker is a compatibility check that refuses texts by a word in them, and records the
// questions that it was asked.
type checker struct {
	mu    sync.Mutex
	asked []string
}

func (c *checker) check(mode, next string, published ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, strings.Join(append([]string{mode, next}, published...), " "))
	switch {
	case strings.Contains(next, "garbage"):
		return errors.New("no schema")
	case mode != "NONE" && strings.Contains(next, "breaking"):
		return errors.New("breaks readers")
	}
	return nil
}

// take returns the questions since the last call.
func (c *checker) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

// The registry asks its check with the mode of the subject and all published versions, and passes
// the answer on.
func TestRegistryAsksItsCheck(t *testing.T) {
	t.Parallel()
	var judge checker
	c := startRegistry(t, judge.check)
	setLevel(t, c, "one", sr.CompatFullTransitive)
	require.NoError(t, create(t, c, "one", `"string"`))
	require.NoError(t, create(t, c, "one", `"bytes"`))
	judge.take()

	err := create(t, c, "one", `"breaking"`)
	requireStatus(t, http.StatusConflict, err)
	require.ErrorContains(t, err, "breaks readers")
	require.Equal(t, []string{
		`NONE "breaking"`, `FULL_TRANSITIVE "breaking" "string" "bytes"`,
	}, judge.take())

	verdict, err := c.CheckCompatibility(t.Context(), "one", 1, sr.Schema{Schema: `"breaking"`})
	require.NoError(t, err)
	require.False(t, verdict.Is)
	require.Equal(t, []string{"breaks readers"}, verdict.Messages)
	require.Equal(t, []string{
		`NONE "breaking"`, `FULL_TRANSITIVE "breaking" "string"`,
	}, judge.take())

	const allVersions = -2
	long := sr.Schema{Schema: `"long"`}
	verdict, err = c.CheckCompatibility(t.Context(), "one", allVersions, long)
	require.NoError(t, err)
	require.True(t, verdict.Is)
	require.Equal(t, []string{
		`NONE "long"`, `FULL_TRANSITIVE "long" "string" "bytes"`,
	}, judge.take())

	setLevel(t, c, "one", sr.CompatNone)
	require.NoError(t, create(t, c, "one", `"breaking"`))
	judge.take()
	require.NoError(t, create(t, c, "one", `"string"`))
	require.Empty(t, judge.take(), "a schema that is registered already is not judged again")
}

// A subject without a mode of its own has the mode of the registry.
func TestRegistryModeOfASubject(t *testing.T) {
	t.Parallel()
	var judge checker
	c := startRegistry(t, judge.check)
	require.NoError(t, create(t, c, "one", `"string"`))
	require.Equal(t, []string{`NONE "string"`, `BACKWARD "string"`}, judge.take())
	forward := sr.SetCompatibility{Level: sr.CompatForward}
	for _, r := range c.SetCompatibility(t.Context(), forward) {
		require.NoError(t, r.Err)
	}
	require.NoError(t, create(t, c, "one", `"bytes"`))
	require.Equal(t, []string{`NONE "bytes"`, `FORWARD "bytes" "string"`}, judge.take())
}

func TestRegistryRefusesGarbage(t *testing.T) {
	t.Parallel()
	c := startRegistry(t, new(checker).check)
	setLevel(t, c, "one", sr.CompatNone)
	requireStatus(t, http.StatusUnprocessableEntity, create(t, c, "one", "garbage"))
	for want, schema := range map[string]sr.Schema{
		"only Avro and JSON Schema": {Schema: `syntax = "proto3";`, Type: sr.TypeProtobuf},
		"no references": {
			Schema:     `"id"`,
			References: []sr.SchemaReference{{Name: "id", Subject: "id", Version: 1}},
		},
	} {
		_, err := c.CreateSchema(t.Context(), "one", schema)
		requireStatus(t, http.StatusUnprocessableEntity, err)
		require.ErrorContains(t, err, want)
	}
}

// Without a check a registry cannot tell which schema is compatible: it refuses every change.
func TestRegistryWithoutACheck(t *testing.T) {
	t.Parallel()
	c := startRegistry(t, nil)
	require.NoError(t, create(t, c, "one", `"string"`))
	require.NoError(t, create(t, c, "one", `"string"`), "the same schema again")
	err := create(t, c, "one", `"bytes"`)
	requireStatus(t, http.StatusConflict, err)
	require.ErrorContains(t, err, "no compatibility check")
	setLevel(t, c, "one", sr.CompatNone)
	require.NoError(t, create(t, c, "one", `"bytes"`))
}

func TestRegistryKeepsIDsAndLevels(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	open := func() stack.Stack {
		return stack.Embedded(stack.EmbeddedOptions{Dir: dir, Compatible: new(checker).check})
	}
	s := open()
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

	s = open()
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
	require.Equal(t, string(before), string(after),
		"the torn line is removed, and registering the same schema again records no change")
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

func TestDamagedRegistryIsRefusedByLine(t *testing.T) {
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

// Confluent's clients ask for a schema's id with a subject of their own making. It selects a
// context, not a schema.
func TestRegistryFindsIDsForAnySubject(t *testing.T) {
	t.Parallel()
	s := stack.Embedded(stack.EmbeddedOptions{Dir: stacktest.Dir(t)})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	c := registryClient(t, s)
	made, err := c.CreateSchema(t.Context(), "trade.new", record(fieldA))
	require.NoError(t, err)
	at, err := s.Registry(t.Context())
	require.NoError(t, err)
	status := func(path string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.URL+path, nil)
		require.NoError(t, err)
		req.SetBasicAuth(at.User, at.Password)
		answer, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	id := fmt.Sprintf("/schemas/ids/%d", made.ID)
	require.Equal(t, http.StatusOK, status(id+"?subject=blotter.events-value"))
	require.Equal(t, http.StatusOK, status(id+"/schema?subject=blotter.events-value"))
	require.Equal(t, http.StatusOK, status(id+"?subject=trade.new&fetchMaxId=false"))
	require.Equal(t, http.StatusNotFound, status("/schemas/ids/999?subject=trade.new"))
}

// A JSON Schema has a subject beside Avro's. The answers state its type, as Confluent's do, which
// leave Avro's out. One subject does not mix the two, and a restart keeps the type.
func TestRegistryKeepsJSONSchemas(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	open := func() (stack.Stack, *sr.Client) {
		options := stack.EmbeddedOptions{Dir: dir, Compatible: new(checker).check}
		s := stack.Embedded(options)
		return s, registryClient(t, s)
	}
	s, c := open()
	types, err := c.SupportedTypes(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, []sr.SchemaType{sr.TypeAvro, sr.TypeJSON}, types)
	first := sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"object","additionalProperties":false,` +
		`"properties":{"a":{"type":"string"}}}`}
	one, err := c.CreateSchema(t.Context(), "json", first)
	require.NoError(t, err)
	require.Equal(t, sr.TypeJSON, one.Type)
	next := first
	next.Schema = strings.Replace(first.Schema, `"a":`, `"b":{"type":"string"},"a":`, 1)
	two, err := c.CreateSchema(t.Context(), "json", next)
	require.NoError(t, err, "an optional property of a closed object")
	require.Greater(t, two.ID, one.ID)

	for text, status := range map[string]int{
		`{"type":"text"}`: http.StatusUnprocessableEntity, `{"type":"string"}`: http.StatusConflict,
	} {
		_, err = c.CreateSchema(t.Context(), "json", sr.Schema{Type: sr.TypeJSON, Schema: text})
		requireStatus(t, status, err)
	}
	err = create(t, c, "json", `"string"`)
	requireStatus(t, http.StatusConflict, err)
	require.ErrorContains(t, err, "AVRO follows JSON in one subject")
	require.NoError(t, create(t, c, "avro", `"string"`))
	verdict, err := c.CheckCompatibility(t.Context(), "json", 1, first)
	require.NoError(t, err)
	require.True(t, verdict.Is)
	require.NoError(t, s.Close())

	s, c = open()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	kept, err := c.SchemaByID(t.Context(), one.ID)
	require.NoError(t, err)
	require.Equal(t, first, kept)
	again, err := c.LookupSchema(t.Context(), "json", next)
	require.NoError(t, err)
	require.Equal(t, two.ID, again.ID)
	require.Equal(t, sr.TypeJSON, again.Type)
}

// A mode that is not transitive looks at the last version only: its type counts, and not the types
// of earlier versions.
func TestRegistryJudgesTheLastVersion(t *testing.T) {
	t.Parallel()
	c := startRegistry(t, new(checker).check)
	setLevel(t, c, "one", sr.CompatNone)
	require.NoError(t, create(t, c, "one", `"string"`))
	second := sr.Schema{Type: sr.TypeJSON, Schema: `{"type":"object"}`}
	_, err := c.CreateSchema(t.Context(), "one", second)
	require.NoError(t, err)
	third := second
	third.Schema = `{"type":"object","title":"the same"}`
	setLevel(t, c, "one", sr.CompatBackwardTransitive)
	_, err = c.CreateSchema(t.Context(), "one", third)
	requireStatus(t, http.StatusConflict, err)
	setLevel(t, c, "one", sr.CompatBackward)
	_, err = c.CreateSchema(t.Context(), "one", third)
	require.NoError(t, err)
	requireStatus(t, http.StatusConflict, create(t, c, "one", `"bytes"`))
}
