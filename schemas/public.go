package schemas

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A PublicSchema is one version of the data of a public event, as a JSON Schema. Other systems read
// these events, which capstone/publication makes. A version may only add optional fields to the
// one before it. Any other change needs another name.
type PublicSchema struct {
	Name    string // such as entry-posted
	Version int    // 1-based
	Text    string // the file, byte for byte
}

// File returns the name of the schema's file in the folder public.
func (s PublicSchema) File() string {
	return fmt.Sprintf("%s.v%d%s", s.Name, s.Version, publicSuffix)
}

const publicSuffix = ".schema.json"

// Public returns the schemas of public events, sorted by name and version.
func Public() []PublicSchema { return slices.Clone(public()) }

// LatestPublic returns the last version of a public event, by which it is written.
func LatestPublic(name string) (last PublicSchema, ok bool) {
	for _, s := range public() {
		if s.Name == name {
			last = s
		}
	}
	return last, last.Version > 0
}

// public reads the files once. They are part of the program, so an unreadable file is a broken
// invariant.
var public = sync.OnceValue(func() (all []PublicSchema) {
	err := fs.WalkDir(files, "public", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, version, _ := strings.Cut(strings.TrimSuffix(d.Name(), publicSuffix), ".v")
		n, err := strconv.Atoi(version)
		if err != nil || n < 1 {
			return fmt.Errorf("%s: want a name like entry-posted.v1%s", path, publicSuffix)
		}
		text, err := files.ReadFile(path)
		all = append(all, PublicSchema{name, n, string(text)})
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("schemas: the embedded files: %v", err))
	}
	slices.SortFunc(all, func(a, b PublicSchema) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), a.Version-b.Version)
	})
	return all
})
