package extract

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
)

// A schema is one version of one event type, with its text in the bundle.
type schema struct {
	SchemaOf
	text    string
	root    *node
	used    bool // an event names it by its fingerprint
	unknown bool // this program does not have it
}

type schemaKey struct {
	typ     string
	version int
}

// A catalog holds the schemas of one bundle.
type catalog map[schemaKey]*schema

// prefix is the length of the zero byte and the registry's id before the Avro body (the Confluent
// wire format). The id has no meaning outside the registry. The fingerprint, which is an attribute
// of the event, identifies the schema.
const prefix = 5

// decode reads the data of r with the schema that r names.
func (c catalog) decode(r contract.Recorded) (value, error) {
	s := c[schemaKey{r.Type, r.Schema}]
	switch {
	case s == nil:
		return value{}, fmt.Errorf("the bundle has no schema %s version %d", r.Type, r.Schema)
	case s.Fingerprint != hex.EncodeToString(r.Fingerprint[:]):
		return value{}, fmt.Errorf(
			"the fingerprint of the event is not that of schema %s version %d", r.Type, r.Schema)
	}
	s.used = true
	switch {
	case len(r.Data) < prefix || r.Data[0] != 0:
		return value{}, errors.New("raw is not in the Confluent wire format")
	}
	v, err := s.root.decode(r.Data[prefix:])
	if err != nil {
		return value{}, fmt.Errorf("raw does not fit schema %s version %d: %v",
			r.Type, r.Schema, err)
	}
	return v, nil
}

// published returns the schema of r, if this program has it.
func published(r contract.Recorded) (schemas.Schema, bool) {
	known, ok := schemas.Find(r.Type, r.Schema)
	return known, ok && known.Fingerprint == r.Fingerprint
}

// Data returns the facts of an event as JSON on one line, as an extract shows them: the fields in
// the order of its schema. The schema must be in this program's catalog.
func Data(r contract.Recorded) (json.RawMessage, error) {
	c := catalog{}
	if err := c.need(r); err != nil {
		return nil, err
	}
	v, err := c.decode(r)
	return v.json(), err
}

// need adds the schema of r to c, if this program has it.
func (c catalog) need(r contract.Recorded) error {
	key := schemaKey{r.Type, r.Schema}
	known, ok := published(r)
	if c[key] != nil || !ok {
		return nil
	}
	s, err := newSchema(r.Type, r.Schema, known.Text)
	if err != nil {
		return err
	}
	c[key] = s
	return nil
}

func newSchema(typ string, version int, text string) (*schema, error) {
	root, err := parseSchema(text)
	if err != nil {
		return nil, err
	}
	print, err := schemas.Fingerprint(text)
	if err != nil {
		return nil, err
	}
	listed := SchemaOf{typ, version, hex.EncodeToString(print[:]), schemaFile(typ, version)}
	return &schema{SchemaOf: listed, text: text, root: root}, nil
}

func schemaFile(typ string, version int) string {
	return path.Join(schemasFolder, fmt.Sprintf("%s.v%d.avsc", typ, version))
}

// sorted returns the schemas by type and version.
func (c catalog) sorted() []*schema {
	return slices.SortedFunc(maps.Values(c), func(a, b *schema) int {
		return order(a.SchemaOf, b.SchemaOf)
	})
}

func order(a, b SchemaOf) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Version, b.Version))
}

func (c catalog) list() []SchemaOf {
	var all []SchemaOf
	for _, s := range c.sorted() {
		all = append(all, s.SchemaOf)
	}
	return all
}

// openCatalog reads the schemas that a manifest names. A schema that this program has must be the
// same text: the fingerprint in an event does not bind the scale of a decimal.
func openCatalog(bundle fs.FS, m Manifest) (catalog, error) {
	c := catalog{}
	for _, listed := range m.Schemas {
		text, err := readSmall(bundle, listed.File, maxSchema)
		if err != nil {
			return nil, err
		}
		s, err := newSchema(listed.Type, listed.Version, string(text))
		if err != nil {
			return nil, fault(listed.File, 0, "%v", err)
		}
		if s.SchemaOf != listed {
			return nil, fault(listed.File, 0,
				"it is not the schema that the manifest lists as %s version %d",
				listed.Type, listed.Version)
		}
		known, ok := schemas.Find(listed.Type, listed.Version)
		if ok && known.Text != s.text {
			return nil, fault(listed.File, 0, "it differs from the published schema %s version %d",
				listed.Type, listed.Version)
		}
		s.unknown = !ok
		c[schemaKey{listed.Type, listed.Version}] = s
	}
	return c, nil
}
