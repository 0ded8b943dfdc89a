package codec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
)

// A Mode says which programs a new schema must not break.
type Mode = contract.Mode

// ErrIncompatible is wrapped with what breaks.
var ErrIncompatible = contract.ErrIncompatible

// Compatible says whether next may follow the published versions, which are given oldest first. To Avro's own rules it adds
// one: a logical type never changes, nor a decimal's precision or scale. Under another scale the same bytes are
// another number, and Avro's rules let that pass.
func Compatible(mode Mode, next string, published ...string) error {
	kind, transitive := strings.CutSuffix(string(mode), "_TRANSITIVE")
	if !transitive && len(published) > 1 {
		published = published[len(published)-1:]
	}
	for _, old := range published {
		if err := follows(Mode(kind), next, old); err != nil {
			return fmt.Errorf("%w (%s): %w", ErrIncompatible, mode, err)
		}
	}
	return nil
}

func follows(mode Mode, next, old string) error {
	switch mode {
	case contract.None:
		return nil
	case contract.Backward:
		return cmp.Or(readable(next, old), sameMeaning(next, old))
	case contract.Forward:
		return cmp.Or(readable(old, next), sameMeaning(next, old))
	case contract.Full:
		return cmp.Or(readable(next, old), readable(old, next), sameMeaning(next, old))
	}
	return fmt.Errorf("unknown mode %q", mode)
}

// sameMeaning compares the logical types of the fields that both schemas have.
func sameMeaning(next, old string) error {
	after, err := logicalTypes(next)
	if err != nil {
		return err
	}
	before, err := logicalTypes(old)
	if err != nil {
		return err
	}
	for _, field := range slices.Sorted(maps.Keys(before)) {
		was := before[field]
		if is, ok := after[field]; ok && is != was {
			return fmt.Errorf("%s was %q and would become %q: the same bytes would be another value", field, was, is)
		}
	}
	return nil
}

// logicalTypes are those of every field, by record and field: "decimal(28,6)" for blotter.Quantity.value, "" where there is none.
func logicalTypes(text string) (map[string]string, error) {
	meaning, err := schemas.Meaning(text)
	if err != nil {
		return nil, err
	}
	var root any
	if err := json.Unmarshal([]byte(meaning), &root); err != nil {
		return nil, err
	}
	found := map[string]string{}
	collect(found, root)
	return found, nil
}

// collect notes the fields of every record in node, and gives the logical types of node itself: those of all its branches or items.
func collect(found map[string]string, node any) string {
	switch n := node.(type) {
	case []any: // a union
		var all string
		for _, branch := range n {
			all += collect(found, branch)
		}
		return all
	case map[string]any:
		fields, _ := n["fields"].([]any)
		for _, f := range fields {
			field, _ := f.(map[string]any)
			found[fmt.Sprintf("%v.%v", n["name"], field["name"])] = collect(found, field["type"])
		}
		switch logical := n["logicalType"]; logical {
		case nil:
			return collect(found, n["items"]) + collect(found, n["values"])
		case "decimal":
			return fmt.Sprintf("decimal(%v,%v)", n["precision"], cmp.Or(n["scale"], any(0.0))) // scale 0 may be left out
		default:
			return fmt.Sprint(logical)
		}
	}
	return ""
}
