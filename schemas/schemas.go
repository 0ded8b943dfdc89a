// Package schemas is the event catalog: every version of every event type as an Avro schema, one
// file each.
//
// The files are the catalog. A program embeds them, and a registry gets their exact text. Nothing
// here asks a registry. A file is named <type>.v<version>.avsc. Its record is blotter.<type> with
// the last part in upper case: trade.new is blotter.trade.New. README.md lists their fields, and
// the changes that a new version may make.
//
// The folder domain has the events of the domains beside trading, such as the ledger. They follow
// the same rules. The codec of Lab 1 neither publishes nor reads them: capstone/domain does.
//
// The folder public has the JSON Schemas of the events that other systems read: see PublicSchema.
package schemas

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed *.avsc domain/*.avsc public/*.schema.json
var files embed.FS

// A Schema is one version of one event type.
type Schema struct {
	Type    string // stable dotted name, such as trade.new
	Version int    // 1-based
	Text    string // the file, byte for byte
	// Fingerprint is SHA-256 of the Parsing Canonical Form. It does not depend on layout, docs or a
	// registry. It also does not depend on logical types, so two scales of a decimal have one
	// fingerprint. Identify distinguishes them.
	Fingerprint [32]byte
	Domain      bool // it is of a domain beside trading

	meaning string // see Meaning
}

// All returns the catalog of trading, sorted by type and version.
func All() []Schema { return slices.Clone(catalog().trading) }

// Domain returns the schemas of the domains beside trading, in the same order.
func Domain() []Schema { return slices.Clone(catalog().domain) }

// Find returns one version of a type.
func Find(typ string, version int) (Schema, bool) {
	named := func(s Schema) bool { return s.Type == typ && s.Version == version }
	if s, ok := first(catalog().trading, named); ok {
		return s, true
	}
	return first(catalog().domain, named)
}

// Latest returns the last version of a type, which writers use.
func Latest(typ string) (Schema, bool) {
	var last Schema
	all := catalog()
	for _, list := range [][]Schema{all.trading, all.domain} {
		for _, s := range list {
			if s.Type == typ {
				last = s
			}
		}
	}
	return last, last.Version > 0
}

// Identify returns the schema of trading with the same meaning as text: the same canonical form and
// the same logical types. It recognises a schema that comes from a registry in another layout.
func Identify(text string) (Schema, bool) {
	meaning, err := Meaning(text)
	if err != nil {
		return Schema{}, false
	}
	return first(catalog().trading, func(s Schema) bool { return s.meaning == meaning })
}

func first(all []Schema, match func(Schema) bool) (Schema, bool) {
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i], true
	}
	return Schema{}, false
}

// catalog reads the files once. They are part of the program, so an unreadable file is a broken
// invariant.
var catalog = sync.OnceValue(func() (all struct{ trading, domain []Schema }) {
	all.trading, all.domain = mustLoad("."), mustLoad(domainFolder)
	for i := range all.domain {
		all.domain[i].Domain = true
	}
	return all
})

const domainFolder = "domain"

func mustLoad(folder string) (all []Schema) {
	names, err := fs.Glob(files, path.Join(folder, "*.avsc"))
	if err != nil {
		panic(fmt.Sprintf("schemas: the embedded files: %v", err))
	}
	for _, name := range names {
		s, err := load(name)
		if err != nil {
			panic(fmt.Sprintf("schemas: %s: %v", name, err))
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Schema) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), a.Version-b.Version)
	})
	return all
}

func load(file string) (Schema, error) {
	typ, version, ok := strings.Cut(strings.TrimSuffix(path.Base(file), path.Ext(file)), ".v")
	n, err := strconv.Atoi(version)
	if !ok || err != nil || n < 1 {
		return Schema{}, fmt.Errorf("want a name like trade.new.v1.avsc")
	}
	text, err := files.ReadFile(file)
	if err != nil {
		return Schema{}, err
	}
	s := Schema{Type: typ, Version: n, Text: string(text)}
	if s.Fingerprint, err = Fingerprint(s.Text); err != nil {
		return Schema{}, err
	}
	s.meaning, err = Meaning(s.Text)
	return s, err
}
