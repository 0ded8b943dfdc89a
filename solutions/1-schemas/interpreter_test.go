package codec_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// interpreter visits the schema's JSON beside the tree, and implements Avro's binary encoding
// itself.
type interpreter struct{}

func (i interpreter) write(text string, t tree) ([]byte, error) {
	p, root, err := i.program(text)
	if err == nil {
		p.put(root, t)
	}
	return p.out, p.err
}

func (i interpreter) read(text string, body []byte) (tree, error) {
	p, root, _ := i.program(text)
	p.in = body
	v := p.take(root)
	if p.err == nil && len(p.in) > 0 {
		p.err = contract.ErrTrailing
	}
	if p.err != nil {
		return nil, p.err
	}
	return v.(tree), nil
}

type process struct {
	in, out []byte
	err     error
	named   map[string]any
}

func (interpreter) program(text string) (*process, any, error) {
	var root any
	err := json.Unmarshal([]byte(text), &root)
	return &process{named: map[string]any{}}, root, err
}

func (p *process) fail(err error, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", err, fmt.Sprintf(format, args...))
	}
}

// kindOf returns the kind of a node, and the node that a name stands for.
func (p *process) kindOf(node any) (string, map[string]any) {
	switch n := node.(type) {
	case string:
		if known, ok := p.named[n]; ok {
			return p.kindOf(known)
		}
		return n, nil
	case map[string]any:
		if name, ok := n["name"].(string); ok {
			p.named[name], p.named[fmt.Sprint(n["namespace"], ".", name)] = n, n
		}
		if logical, ok := n["logicalType"].(string); ok {
			return logical, n
		}
		return n["type"].(string), n
	}
	return "union", nil
}

func (p *process) put(node, v any) {
	kind, n := p.kindOf(node)
	switch kind {
	case "union":
		if v == nil {
			p.out = append(p.out, 0)
			return
		}
		p.out = append(p.out, 2)
		p.put(node.([]any)[1], v)
	case "record":
		for _, f := range n["fields"].([]any) {
			field := f.(map[string]any)
			p.put(field["type"], v.(tree)[field["name"].(string)])
		}
	case "array":
		items := v.([]any)
		for i, item := range items {
			if i == 0 {
				p.out = binary.AppendVarint(p.out, int64(len(items)))
			}
			p.put(n["items"], item)
		}
		p.out = append(p.out, 0)
	case "enum":
		i := slices.Index(n["symbols"].([]any), v)
		if i < 0 {
			p.fail(contract.ErrUnencodable, "%v is not a symbol", v)
		}
		p.out = binary.AppendVarint(p.out, int64(i))
	case "decimal":
		p.putDecimal(v.(trade.Decimal), int32(n["scale"].(float64)))
	case "fixed":
		digest := v.([32]byte)
		p.out = append(p.out, digest[:]...)
	case "boolean":
		p.out = append(p.out, map[bool]byte{true: 1}[v.(bool)])
	case "timestamp-micros":
		at := v.(time.Time)
		year := at.Year() >= 1 && at.Year() <= 9999
		if !at.Equal(at.Truncate(time.Microsecond)) || !year {
			p.fail(contract.ErrUnencodable, "%s", at)
		}
		p.out = binary.AppendVarint(p.out, at.UnixMicro())
	case "string", "uuid":
		if !utf8.ValidString(v.(string)) {
			p.fail(contract.ErrUnencodable, "%q", v)
		}
		b := []byte(v.(string))
		p.out = append(binary.AppendVarint(p.out, int64(len(b))), b...)
	default: // int, long, date
		p.out = binary.AppendVarint(p.out, v.(int64))
	}
}

func (p *process) putDecimal(d trade.Decimal, scale int32) {
	b, err := d.Unscaled(scale)
	if _, tooLong := trade.ParseDecimal(d.Fixed(scale)); err != nil || tooLong != nil {
		p.fail(contract.ErrUnencodable, "%s", d)
	}
	p.out = append(binary.AppendVarint(p.out, int64(len(b))), b...)
}

func (p *process) take(node any) any {
	kind, n := p.kindOf(node)
	switch kind {
	case "union":
		switch branch := p.long(); branch {
		case 0:
			return nil
		case 1:
			return p.take(node.([]any)[1])
		default:
			p.fail(contract.ErrMalformed, "branch %d", branch)
			return nil
		}
	case "record":
		t := tree{}
		for _, f := range n["fields"].([]any) {
			field := f.(map[string]any)
			t[field["name"].(string)] = p.take(field["type"])
		}
		return t
	case "array":
		items := []any{}
		for count := p.length(); count > 0 && p.err == nil; count = p.length() {
			for range count {
				if p.err == nil {
					items = append(items, p.take(n["items"]))
				}
			}
		}
		return items
	case "enum":
		symbols := n["symbols"].([]any)
		if i := p.long(); i >= 0 && i < int64(len(symbols)) {
			return symbols[i]
		}
		p.fail(contract.ErrMalformed, "symbol out of range")
		return ""
	case "decimal":
		b := p.bytes(p.length())
		scale := int32(n["scale"].(float64))
		d, err := trade.FromUnscaled(b, scale)
		if err == nil { // ParseDecimal refuses too many digits
			_, err = trade.ParseDecimal(d.Fixed(scale))
		}
		if err != nil {
			p.fail(contract.ErrMalformed, "%v", err)
		}
		return d
	case "fixed":
		var digest [32]byte
		copy(digest[:], p.bytes(int64(len(digest))))
		return digest
	case "boolean":
		b := p.bytes(1)
		if p.err == nil && b[0] > 1 {
			p.fail(contract.ErrMalformed, "a boolean of %d", b[0])
		}
		return p.err == nil && b[0] != 0
	case "timestamp-micros":
		return time.UnixMicro(p.long()).UTC()
	case "string", "uuid":
		b := p.bytes(p.length())
		if !utf8.Valid(b) {
			p.fail(contract.ErrMalformed, "%q", b)
		}
		return string(b)
	case "date":
		day := p.long()
		if day != int64(int32(day)) {
			p.fail(contract.ErrMalformed, "day %d", day)
		}
		return int64(int32(day))
	}
	return p.long()
}

func (p *process) long() int64 {
	v, n := binary.Varint(p.in)
	switch {
	case p.err != nil:
		return 0
	case n == 0:
		p.fail(contract.ErrTruncated, "in an integer")
		return 0
	case n < 0:
		p.fail(contract.ErrMalformed, "an integer of more than 64 bits")
		return 0
	}
	p.in = p.in[n:]
	return v
}

func (p *process) length() int64 {
	n := p.long()
	if n < 0 || n > contract.MaxData {
		p.fail(contract.ErrMalformed, "a length of %d", n)
		return 0
	}
	return n
}

func (p *process) bytes(n int64) []byte {
	if int64(len(p.in)) < n {
		p.fail(contract.ErrTruncated, "%d bytes of %d", len(p.in), n)
	}
	if p.err != nil {
		return make([]byte, 0)
	}
	b := p.in[:n]
	p.in = p.in[n:]
	return b
}
