package schemas_test

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"example.com/blotter/schemas"
)

func everySchema() []schemas.Schema { return slices.Concat(schemas.All(), schemas.Domain()) }

// An independent library must compute the same canonical form and fingerprint.
func TestFingerprintFollowsTheStandard(t *testing.T) {
	t.Parallel()
	for _, s := range everySchema() {
		oracle, err := avro.Parse(s.Text)
		require.NoError(t, err, s.Type)
		ours, err := schemas.Canonical(s.Text)
		require.NoError(t, err)
		require.Equal(t, string(oracle.Canonical()), ours)
		require.Equal(t, oracle.Fingerprint(sha256.New()), s.Fingerprint[:])
	}
}

func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`{"type": "long"}`, `"long"`},
		{`{"type": "long", "logicalType": "timestamp-micros"}`, `"long"`},
		{`["null", {"type": "string", "doc": "x"}]`, `["null","string"]`},
		{
			`{"size": 32, "name": "D", "namespace": "a.b", "type": "fixed"}`,
			`{"name":"a.b.D","type":"fixed","size":32}`,
		},
		{
			`{"items": {"type": "map", "values": "int"}, "type": "array"}`,
			`{"type":"array","items":{"type":"map","values":"int"}}`,
		},
		{
			`{"type": "enum", "name": "a.E", "namespace": "b", "symbols": ["x", "y"]}`,
			`{"name":"a.E","type":"enum","symbols":["x","y"]}`,
		},
		{
			`{"type": "record", "name": "R", "namespace": "n", "fields": [{"doc": "x", "name": "f",
				"type": {"type": "fixed", "name": "F", "size": 1}, "default": "0"},
				{"name": "g", "type": "F"}]}`,
			`{"name":"n.R","type":"record","fields":[` +
				`{"name":"f","type":{"name":"n.F","type":"fixed","size":1}},` +
				`{"name":"g","type":"n.F"}]}`,
		},
	} {
		got, err := schemas.Canonical(c.text)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, broken := range []string{``, `{`, `7`, `{"type": 7}`} {
		_, err := schemas.Canonical(broken)
		require.Error(t, err, broken)
	}
}

func TestFindAndLatest(t *testing.T) {
	t.Parallel()
	latest, ok := schemas.Latest("trade.new")
	require.True(t, ok)
	found, ok := schemas.Find("trade.new", latest.Version)
	require.True(t, ok)
	require.Equal(t, latest, found)
	_, ok = schemas.Find("trade.new", latest.Version+1)
	require.False(t, ok)
	_, ok = schemas.Latest("trade.unheard")
	require.False(t, ok)
}

// The fingerprint ignores a decimal's scale, so it alone never identifies a schema.
func TestIdentifySeesScaleAndIgnoresLayout(t *testing.T) {
	t.Parallel()
	settled, _ := schemas.Latest("trade.settled")
	var plain any
	require.NoError(t, json.Unmarshal([]byte(settled.Text), &plain))
	compact, err := json.Marshal(plain)
	require.NoError(t, err)
	found, ok := schemas.Identify(string(compact))
	require.True(t, ok)
	require.Equal(t, settled, found)

	rescaled := strings.ReplaceAll(settled.Text, `"scale": 6`, `"scale": 4`)
	require.NotEqual(t, settled.Text, rescaled)
	same, err := schemas.Fingerprint(rescaled)
	require.NoError(t, err)
	require.Equal(t, settled.Fingerprint, same)
	_, ok = schemas.Identify(rescaled)
	require.False(t, ok)
	_, ok = schemas.Identify("{")
	require.False(t, ok)
}

// namespace is the beginning of the namespace of each schema.
const namespace = "blotter"

// TestSchemasFollowTheRules checks the rules of README.md that a program can check.
func TestSchemasFollowTheRules(t *testing.T) {
	t.Parallel()
	for _, s := range everySchema() {
		root := avro.MustParse(s.Text).Root()
		head, tail, _ := strings.Cut(s.Type, ".")
		form, err := schemas.Canonical(s.Text)
		require.NoError(t, err)
		name := namespace + "." + head + "."
		for word := range strings.SplitSeq(tail, "-") { // account-opened is AccountOpened
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		require.True(t, strings.HasPrefix(form, `{"name":"`+name+`"`), s.Type)
		follow(t, s.Type, *root)
	}
}

// A published file is never edited, because a registry holds its bytes. A new version is a new line
// of the golden file, which also fixes the list of types.
func TestPublishedFilesAreNeverEdited(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("testdata/published.golden")
	require.NoError(t, err)
	var now strings.Builder
	for _, s := range everySchema() {
		fmt.Fprintf(&now, "%s %d %x\n", s.Type, s.Version, sha256.Sum256([]byte(s.Text)))
		if s.HasJSON() && !s.Domain {
			fmt.Fprintf(&now, "%s %d json %x\n", s.Type, s.Version, sha256.Sum256([]byte(s.JSON())))
		}
	}
	for _, s := range schemas.Public() {
		fmt.Fprintf(&now, "public %s %d %x\n", s.Name, s.Version, sha256.Sum256([]byte(s.Text)))
	}
	if *update {
		require.NoError(t, os.WriteFile("testdata/published.golden", []byte(now.String()), 0o644))
		return
	}
	require.Equal(t, string(golden), now.String(),
		"a published file must not change: add a version, then go test ./schemas -update")
}

var update = flag.Bool("update", false, "rewrite the golden file")

func follow(t *testing.T, path string, n avro.SchemaNode) {
	t.Helper()
	switch n.Type {
	case "map", "float", "double":
		t.Errorf("%s is a %s", path, n.Type)
	case "record", "enum", "fixed":
		require.NotEmpty(t, n.Doc, "%s has no doc", path)
	case "union":
		require.Len(t, n.Branches, 2, path)
		require.Equal(t, "null", n.Branches[0].Type, path)
	}
	if n.LogicalType == "decimal" {
		require.Equal(t, 28, n.Precision, path)
		require.Contains(t, []int{4, 6, 10}, n.Scale, path)
	}
	for _, f := range n.Fields {
		at := path + "/" + f.Name
		require.NotEmpty(t, f.Doc, "%s has no doc", at)
		require.Equal(t, f.Type.Type == "union", f.HasDefault && f.Default == nil,
			"%s: null must be the default of an optional field", at)
		follow(t, at, f.Type)
	}
	for _, b := range n.Branches {
		follow(t, path, b)
	}
	if n.Items != nil {
		follow(t, path+"[]", *n.Items)
	}
}
