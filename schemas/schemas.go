// Package schemas is the event catalog: every version of every event type as an Avro schema, one file each.
//
// The files are the catalog. A program embeds them, a registry is given their own text, and nothing here asks a registry.
// A file is named <type>.v<version>.avsc; its record is blotter.<type> with the last part in upper case, so trade.new is
// blotter.trade.New. README.md lists what is in them and says what may change.
package schemas

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed *.avsc
var files embed.FS

// A Schema is one version of one event type.
type Schema struct {
	Type    string // stable dotted name, such as trade.new
	Version int    // 1-based
	Text    string // the file, byte for byte
	// Fingerprint is SHA-256 of the Parsing Canonical Form: it does not depend on layout, docs or a registry. Neither does it
	// depend on a logical type, so it cannot tell one scale of a decimal from another; Identify can.
	Fingerprint [32]byte

	meaning string // see Meaning
}

// All is the catalog, sorted by type and version.
func All() []Schema { return slices.Clone(catalog()) }

// Find is one version of a type.
func Find(typ string, version int) (Schema, bool) {
	return first(func(s Schema) bool { return s.Type == typ && s.Version == version })
}

// Latest is the last version of a type: the one that is written.
func Latest(typ string) (Schema, bool) {
	var last Schema
	for _, s := range catalog() {
		if s.Type == typ {
			last = s
		}
	}
	return last, last.Version > 0
}

// Identify is the schema of the catalog that reads and means the same as text: same canonical form, same logical types. It
// is how a schema that a registry handed out is recognised, whatever layout the registry gave it.
func Identify(text string) (Schema, bool) {
	meaning, err := Meaning(text)
	if err != nil {
		return Schema{}, false
	}
	return first(func(s Schema) bool { return s.meaning == meaning })
}

func first(match func(Schema) bool) (Schema, bool) {
	all := catalog()
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i], true
	}
	return Schema{}, false
}

// catalog is read once. The files are part of the program, so one that cannot be read is a broken invariant.
var catalog = sync.OnceValue(func() []Schema {
	names, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("schemas: the embedded files: %v", err))
	}
	all := make([]Schema, 0, len(names))
	for _, name := range names {
		s, err := load(name.Name())
		if err != nil {
			panic(fmt.Sprintf("schemas: %s: %v", name.Name(), err))
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Schema) int {
		if by := strings.Compare(a.Type, b.Type); by != 0 {
			return by
		}
		return a.Version - b.Version
	})
	return all
})

func load(file string) (Schema, error) {
	typ, version, ok := strings.Cut(strings.TrimSuffix(file, path.Ext(file)), ".v")
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
