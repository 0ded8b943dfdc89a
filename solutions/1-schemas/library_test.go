package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/twmb/avro"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// library leaves the bytes to twmb/avro. It checks every value before and after, because the
// library does not check all that the contract requires.
type library struct{ parsed *sync.Map } // each schema by its text: it takes long to parse

func (l library) schema(text string) *avro.Schema {
	if s, ok := l.parsed.Load(text); ok {
		return s.(*avro.Schema)
	}
	s := avro.MustParse(text)
	l.parsed.Store(text, s)
	return s
}

func (l library) write(text string, t tree) ([]byte, error) {
	s := l.schema(text)
	v, err := lower(*s.Root(), t)
	if err != nil {
		return nil, err
	}
	return s.Encode(v)
}

func (l library) read(text string, body []byte) (tree, error) {
	s := l.schema(text)
	var v any
	rest, err := s.Decode(body, &v)
	var short *avro.ShortBufferError
	switch {
	case errors.As(err, &short), err != nil && strings.Contains(err.Error(), "exceeds remaining"):
		return nil, fmt.Errorf("%w: %w", contract.ErrTruncated, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", contract.ErrMalformed, err)
	case len(rest) > 0:
		return nil, contract.ErrTrailing
	}
	// The library ignores the size of a block, so the value is written again and compared.
	if again, err := s.Encode(v); err != nil || !bytes.Equal(again, body) {
		return nil, fmt.Errorf("%w: it is not the one encoding of its value", contract.ErrMalformed)
	}
	t, err := lift(*s.Root(), v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", contract.ErrMalformed, err)
	}
	return t.(tree), nil
}

// lower turns a tree into the library's form.
func lower(n avro.SchemaNode, v any) (any, error) {
	if n.Type == "union" && v != nil {
		n = n.Branches[1]
	}
	switch v := v.(type) {
	case tree:
		record := map[string]any{}
		for _, f := range n.Fields {
			var err error
			if record[f.Name], err = lower(f.Type, v[f.Name]); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
		}
		return record, nil
	case []any:
		items := make([]any, len(v))
		for i := range v {
			var err error
			if items[i], err = lower(*n.Items, v[i]); err != nil {
				return nil, err
			}
		}
		return items, nil
	}
	return lowerLeaf(n, v)
}

func lowerLeaf(n avro.SchemaNode, v any) (any, error) {
	switch v := v.(type) {
	case trade.Decimal:
		_, err := trade.ParseDecimal(v.Fixed(int32(n.Scale)))
		if err != nil || v.Places() > int32(n.Scale) {
			return nil, fmt.Errorf("%s does not fit", v)
		}
		r, _ := new(big.Rat).SetString(v.String())
		return r, nil
	case time.Time:
		if year := v.Year(); !v.Equal(v.Truncate(time.Microsecond)) || year < 1 || year > 9999 {
			return nil, fmt.Errorf("%s does not fit", v)
		}
	case [32]byte:
		return v[:], nil
	case int64:
		if n.LogicalType == "date" {
			return trade.Day(v).UTC(), nil
		}
	case string:
		if !utf8.ValidString(v) || n.Type == "enum" && !slices.Contains(n.Symbols, v) {
			return nil, fmt.Errorf("%q does not fit", v)
		}
	}
	return v, nil
}

// lift is the inverse of lower.
func lift(n avro.SchemaNode, v any) (any, error) {
	if n.Type == "union" && v != nil {
		n = n.Branches[1]
	}
	switch v := v.(type) {
	case map[string]any:
		t := tree{}
		for _, f := range n.Fields {
			var err error
			if t[f.Name], err = lift(f.Type, v[f.Name]); err != nil {
				return nil, err
			}
		}
		return t, nil
	case []any:
		for i := range v {
			var err error
			if v[i], err = lift(*n.Items, v[i]); err != nil {
				return nil, err
			}
		}
		return v, nil
	case *big.Rat:
		return trade.ParseDecimal(v.FloatString(n.Scale))
	case json.Number:
		return trade.ParseDecimal(v.String())
	case time.Time:
		if n.LogicalType == "date" {
			return int64(trade.DayOf(v)), nil
		}
		return v.UTC(), nil
	case []byte:
		return [32]byte(v), nil
	case string:
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("%q is not UTF-8", v)
		}
	case int32:
		return int64(v), nil
	}
	return v, nil
}

// compatibleByLibrary uses the library's rules for bytes, and compares the logical types at every
// path.
func compatibleByLibrary(mode contract.Mode, next string, published ...string) error {
	plain, transitive := strings.CutSuffix(string(mode), "_TRANSITIVE")
	known := slices.Contains([]string{"BACKWARD", "FORWARD", "FULL", "NONE"}, plain)
	if _, err := avro.Parse(next); err != nil || !known {
		return contract.ErrIncompatible
	}
	if !transitive && len(published) > 1 {
		published = published[len(published)-1:]
	}
	for _, old := range published {
		n, o := avro.MustParse(next), avro.MustParse(old)
		ok := plain == "NONE" || sameMeaning(*n.Root(), *o.Root())
		if plain == "BACKWARD" || plain == "FULL" {
			ok = ok && readableByLibrary(next, old) == nil
		}
		if plain == "FORWARD" || plain == "FULL" {
			ok = ok && readableByLibrary(old, next) == nil
		}
		if !ok {
			return contract.ErrIncompatible
		}
	}
	return nil
}

func readableByLibrary(reader, writer string) error {
	r, readerErr := avro.Parse(reader)
	w, writerErr := avro.Parse(writer)
	if readerErr != nil || writerErr != nil || avro.CheckCompatibility(w, r) != nil ||
		!sameMeaning(*r.Root(), *w.Root()) {
		return contract.ErrIncompatible
	}
	return nil
}

// sameMeaning reports whether the logical types of two schemas are equal at every path that both
// have.
func sameMeaning(next, old avro.SchemaNode) bool {
	before, after := map[string]string{}, map[string]string{}
	logicalTypes(before, "", old)
	logicalTypes(after, "", next)
	for path, was := range before {
		if is, ok := after[path]; ok && is != was {
			return false
		}
	}
	return true
}

// logicalTypes adds the logical type at each path of a schema to found.
func logicalTypes(found map[string]string, path string, n avro.SchemaNode) {
	found[path] += fmt.Sprint(n.LogicalType, n.Precision, n.Scale)
	for _, b := range n.Branches {
		if b.Type != "null" {
			found[path] = ""
			logicalTypes(found, path, b)
		}
	}
	if n.Items != nil {
		logicalTypes(found, path+"[]", *n.Items)
	}
	for _, f := range n.Fields {
		logicalTypes(found, path+"."+f.Name, f.Type)
	}
}
