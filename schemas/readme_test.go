package schemas_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"example.com/blotter/schemas"
)

// roles are what no schema says: where a type is recorded, who writes it and who reads it.
var roles = []struct{ typ, stream, writer, readers string }{
	{"trade.new", "`trade/<UTI>`", "the desk, for a NEW; the follow-up process, after a novation or an exercise", everyone},
	{"trade.amended", "`trade/<UTI>`", "the desk, for an AMEND", everyone},
	{"trade.cancelled", "`trade/<UTI>`", "the desk, for a CANCEL", everyone},
	{"trade.novated", "`trade/<UTI>`", "the desk, for a NOVATE", everyone + ", the follow-up process"},
	{"trade.settled", "`trade/<UTI>`", "the desk, for a SETTLE", everyone},
	{"trade.exercised", "`trade/<UTI>`", "the desk, for an EXERCISE", everyone + ", the follow-up process"},
	{"command.refused", "`refused/<UTI>`, `refused/curve/<name>`", "the desk, for whatever it decides against", "the desk, when the command comes again; audit"},
	{"price.marked", "`curve/<name>`", "the desk, for a MARK", "projections, replay, audit"},
	{"store.head", "none: a record of the store, keyed by stream", "the Kafka store, with every append", "the Kafka store, when it takes a partition over"},
}

const everyone = "the desk, projections, replay, audit"

// generated is where the part of the README begins that is rendered from the files.
const generated = "<!-- What follows is written by: go test ./schemas -update -->\n"

// The README lists every type, every version and every field, as the files have them.
func TestReadmeIsGeneratedFromTheFiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	prose, listing, found := strings.Cut(string(readme), generated)
	require.True(t, found)
	var want strings.Builder
	listTypes(t, &want)
	for _, r := range roles {
		listVersions(t, &want, r.typ)
	}
	if *update {
		require.NoError(t, os.WriteFile("README.md", []byte(prose+generated+want.String()), 0o644))
		return
	}
	require.Equal(t, want.String(), listing, "go test ./schemas -update")
}

func listTypes(t *testing.T, w *strings.Builder) {
	fmt.Fprintf(w, "\n## Types\n\n| type | versions | a fact about | on stream | written by | read by |\n|---|---|---|---|---|---|\n")
	for _, r := range roles {
		latest, ok := schemas.Latest(r.typ)
		require.True(t, ok, r.typ)
		fmt.Fprintf(w, "| `%s` | %d | %s | %s | %s | %s |\n", r.typ, latest.Version, strings.TrimSuffix(root(latest).Doc, "."), r.stream, r.writer, r.readers)
	}
	for _, s := range schemas.All() {
		require.True(t, slices.ContainsFunc(roles, func(r struct{ typ, stream, writer, readers string }) bool { return r.typ == s.Type }), s.Type)
	}
	fmt.Fprintf(w, "\n## Fields\n\nA type with an upper-case name is a nested record, whose fields follow below it; of what may be null, null is the default.\n")
}

// listVersions lists the fields of the first version, and of each later one what became of them.
func listVersions(t *testing.T, w *strings.Builder, typ string) {
	var before []row
	for version := 1; ; version++ {
		s, ok := schemas.Find(typ, version)
		if !ok {
			return
		}
		now := rows("", root(s))
		fmt.Fprintf(w, "\n### %s, version %d\n\n%s\n\n", typ, version, root(s).Doc)
		if version > 1 {
			added, dropped := missing(now, before), missing(before, now)
			require.NotEmpty(t, append(added, dropped...), "%s version %d changes nothing", typ, version)
			fmt.Fprintf(w, "Since version %d: added %s; dropped %s.\n\n", version-1, names(added), names(dropped))
		}
		fmt.Fprintf(w, "| field | type | meaning |\n|---|---|---|\n")
		for _, r := range now {
			fmt.Fprintf(w, "| `%s` | %s | %s |\n", r.field, r.typ, r.doc)
		}
		before = now
	}
}

func root(s schemas.Schema) avro.SchemaNode { return *avro.MustParse(s.Text).Root() }

type row struct{ field, typ, doc string }

func rows(path string, n avro.SchemaNode) []row {
	var all []row
	for _, f := range n.Fields {
		typ, orNull := f.Type, ""
		if typ.Type == "union" {
			typ, orNull = typ.Branches[1], " or null"
		}
		all = append(all, row{path + f.Name, typeName(typ) + orNull, f.Doc})
		if typ.Items != nil {
			all = append(all, rows(path+f.Name+"[].", *typ.Items)...)
		}
		all = append(all, rows(path+f.Name+".", typ)...)
	}
	return all
}

func typeName(n avro.SchemaNode) string {
	switch {
	case n.LogicalType == "decimal":
		return fmt.Sprintf("decimal, %d places", n.Scale)
	case n.LogicalType != "":
		return n.LogicalType
	case n.Type == "enum":
		return "`" + strings.Join(n.Symbols, "`, `") + "`"
	case n.Type == "fixed":
		return fmt.Sprintf("fixed, %d bytes", n.Size)
	case n.Type == "array":
		return "array of " + typeName(*n.Items)
	case n.Type == "record":
		return n.Name[strings.LastIndexByte(n.Name, '.')+1:]
	}
	return n.Type
}

// missing are the rows of a whose field b does not have.
func missing(a, b []row) []row {
	return slices.DeleteFunc(slices.Clone(a), func(r row) bool {
		return slices.ContainsFunc(b, func(other row) bool { return other.field == r.field })
	})
}

func names(all []row) string {
	var list []string
	for _, r := range all {
		list = append(list, "`"+r.field+"`")
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}
