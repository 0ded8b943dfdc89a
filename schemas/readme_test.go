package schemas_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"example.com/blotter/schemas"
)

// A role says where a type is recorded, which program writes it and which programs read it. No
// schema says so.
type role struct{ typ, stream, writer, readers string }

const readers = "the desk, the follow-up process, projections, replay, audit"

// roles returns the types of the catalog in the order of the page. The types of commands and their
// operations are those of import-line.schema.json.
func roles(t *testing.T) (all []role) {
	t.Helper()
	for _, op := range operations(t) {
		article := "a"
		if strings.ContainsRune("AEIOU", rune(op.name[0])) {
			article = "an"
		}
		r := role{op.event, "`trade/<UTI>`", fmt.Sprintf("the desk, for %s %s", article, op.name),
			readers}
		switch op.event {
		case "trade.new":
			r.writer += "; the follow-up process, after a novation or an exercise"
		case "confirmation.reported":
			r.stream, r.readers = "`confirmation/<UTI>`", "`blotter confirmations`; audit"
		case "price.marked":
			r.stream, r.readers = "`curve/<name>`", "the desk, projections, replay, audit"
		}
		all = append(all, r)
	}
	return append(all,
		role{"command.refused", "`refused/<UTI>`, `refused/curve/<name>`",
			"the desk, for each command that it refuses",
			"the desk, when the command comes again; audit"},
		role{"snapshot.taken", "`snapshots`", "`blotter snapshot`, once the state is archived",
			"`blotter replay`, `snapshots` and `status`; audit"},
		role{"event.skipped", "the stream of the event that it skips", "`blotter parked skip`",
			readers},
		role{"backfill.adopted", "`backfills`", "`blotter backfill --adopt`", "audit"},
		role{"store.head", "none: a record of the store, keyed by stream",
			"the Kafka store, with every append",
			"the Kafka store, when it takes over a partition"})
}

// An operation is the name of a command in import lines, and the type of the event that it becomes.
type operation struct{ name, event string }

// operations returns the operations of import-line.schema.json, in their order.
func operations(t *testing.T) (all []operation) {
	t.Helper()
	text, err := os.ReadFile("import-line.schema.json")
	require.NoError(t, err)
	op := regexp.MustCompile(`"op": \{"const": "([A-Z]+)", "x-event": "([a-z.]+)"\}`)
	for _, m := range op.FindAllStringSubmatch(string(text), -1) {
		all = append(all, operation{m[1], m[2]})
	}
	return all
}

// generated is the first line of the part of README.md that the test writes.
const generated = "<!-- go test ./schemas -update writes the rest of this page -->\n"

// README.md lists every type, version and field of the files.
func TestReadmeIsGeneratedFromTheFiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	prose, listing, found := strings.Cut(string(readme), generated)
	require.True(t, found)
	var want strings.Builder
	listTypes(t, &want)
	for _, r := range roles(t) {
		listVersions(t, &want, r.typ)
	}
	listDomain(t, &want)
	listPublic(t, &want)
	if *update {
		require.NoError(t, os.WriteFile("README.md", []byte(prose+generated+want.String()), 0o644))
		return
	}
	require.Equal(t, want.String(), listing, "go test ./schemas -update")
}

func listTypes(t *testing.T, w *strings.Builder) {
	fmt.Fprintf(w, "\n## Types\n\n| type | versions | a fact about | on stream | written by | "+
		"read by |\n|---|---|---|---|---|---|\n")
	for _, r := range roles(t) {
		latest, ok := schemas.Latest(r.typ)
		require.True(t, ok, r.typ)
		fmt.Fprintf(w, "| `%s` | %d | %s | %s | %s | %s |\n", r.typ, latest.Version,
			strings.TrimSuffix(root(latest).Doc, "."), r.stream, r.writer, r.readers)
	}
	for _, s := range schemas.All() {
		require.True(t, slices.ContainsFunc(roles(t), func(r role) bool { return r.typ == s.Type }),
			s.Type)
	}
	fmt.Fprintf(w, "\n## Fields\n\nA type with an upper-case name is a nested record; its "+
		"fields follow. The default of an optional field is null.\n")
}

// listDomain lists the types of the domains beside trading, in order of their names.
func listDomain(t *testing.T, w *strings.Builder) {
	fmt.Fprintf(w, "\n## Domains beside trading\n\nThese types are in the folder `domain`. "+
		"`capstone/domain` encodes them.\n")
	for _, s := range schemas.Domain() {
		if s.Version == 1 {
			listVersions(t, w, s.Type)
		}
	}
}

// listVersions lists the fields of each version, and the changes since the one before.
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
			require.NotEmpty(t, append(added, dropped...), "%s version %d changes nothing", typ,
				version)
			fmt.Fprintf(w, "Since version %d: added %s; dropped %s.\n\n", version-1, names(added),
				names(dropped))
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

// missing returns the rows of a whose field is not in b.
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
