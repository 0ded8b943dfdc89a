package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// JSON renders a body as one object on one line. It has the fields of the schema in their order,
// without those that are null. Decimals are strings, times are in UTC, a delivery has its short
// form, and a digest is hexadecimal. The same body gives the same text.
//
//	{"quantity":{"value":"2160","unit":"MWh"},"price":"83.1"}
//
// JSON fails with ErrUnencodable for a text that is not UTF-8, a decimal with more places than its
// schema has, and a symbol that its schema does not have, because these cannot be recorded. The
// inverse is format.readJSON. Logs keep data as Avro only.
func JSON(body trade.Body) ([]byte, error) {
	typ := typeOf(body)
	if typ == "" {
		return nil, fmt.Errorf("%w: no event type for body %T", contract.ErrUnencodable, body)
	}
	p := &printer{}
	f := latest(typ)
	p.object(func() { f.walk(p, f.fromBody(body)) })
	if p.err != nil {
		return nil, fmt.Errorf("render %s: %w", typ, p.err)
	}
	return p.out.Bytes(), nil
}

// A printer renders the fields of a walk.
type printer struct {
	out bytes.Buffer
	err error
}

var _ fields = (*printer)(nil)

// reject records the first value that cannot be rendered.
func (p *printer) reject(name, format string, args ...any) {
	if p.err == nil {
		reason := fmt.Sprintf(format, args...)
		p.err = fmt.Errorf("%s: %w: %s", name, contract.ErrUnencodable, reason)
	}
}

// separate writes a comma, unless an object or a list has just begun.
func (p *printer) separate() {
	if n := p.out.Len(); n > 0 {
		if last := p.out.Bytes()[n-1]; last != '{' && last != '[' {
			p.out.WriteByte(',')
		}
	}
}

func (p *printer) key(name string) {
	p.separate()
	p.quoted(name)
	p.out.WriteByte(':')
}

// quoted writes a JSON string. It keeps < and &, which encoding/json would escape for HTML, because
// people read the text on a terminal.
func (p *printer) quoted(s string) {
	encoder := json.NewEncoder(&p.out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string into a buffer: cannot fail
	p.out.Truncate(p.out.Len() - 1)
}

func (p *printer) object(walk func()) {
	p.out.WriteByte('{')
	walk()
	p.out.WriteByte('}')
}

func (p *printer) text(name string, v *string) {
	if !utf8.ValidString(*v) {
		p.reject(name, "%q is not UTF-8", *v)
	}
	p.key(name)
	p.quoted(*v)
}

func (p *printer) literal(name, v string) {
	p.key(name)
	p.out.WriteString(v)
}

func (p *printer) string(name, v string) { p.text(name, &v) }

func (p *printer) decimal(name string, v *trade.Decimal, scale int32) {
	if v.Places() > scale {
		p.reject(name, "%s has more than %d decimal places", v, scale)
	}
	p.string(name, v.String())
}

func (p *printer) flag(name string, v *bool)    { p.literal(name, strconv.FormatBool(*v)) }
func (p *printer) number(name string, v *int64) { p.literal(name, strconv.FormatInt(*v, 10)) }
func (p *printer) instant(name string, v *time.Time) {
	p.string(name, v.UTC().Format(time.RFC3339Nano))
}
func (p *printer) period(name string, v *trade.Period) { p.string(name, v.String()) }
func (p *printer) id(name string, v *uuid.UUID)        { p.string(name, v.String()) }
func (p *printer) digest(name string, v *[32]byte)     { p.string(name, hex.EncodeToString(v[:])) }
func (p *printer) present(_ string, has bool) bool     { return has }

func (p *printer) spelled(_, text string) string { return text }

func (p *printer) symbol(name, text string, i, _ int) int {
	if i < 0 {
		p.reject(name, "%q is not one of its symbols", text)
	}
	p.string(name, text)
	return i
}

func (p *printer) record(name string, walk func()) {
	p.key(name)
	p.object(walk)
}

func (p *printer) list(name string, n int, _ func(), item func(i int)) {
	p.key(name)
	p.out.WriteByte('[')
	for i := range n {
		p.separate()
		p.object(func() { item(i) })
	}
	p.out.WriteByte(']')
}
