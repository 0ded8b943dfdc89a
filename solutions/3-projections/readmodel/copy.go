package readmodel

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Rows are rows of a table in the text format of COPY (PostgreSQL manual, COPY, "Text Format"). For
// Postgres they are the fastest way to take rows.
type Rows struct {
	into string // the table with its columns
	text []byte
}

// NewRows returns no rows. into is the table, and its columns in parentheses.
func NewRows(into string) *Rows { return &Rows{into: into} }

// Add adds a row with one value for each column. A value is a string, an integer, a bool, a time, a
// uuid, bytes, JSON, a fmt.Stringer or nil, which is NULL.
func (r *Rows) Add(values ...any) {
	for i, v := range values {
		if i > 0 {
			r.text = append(r.text, '\t')
		}
		r.add(v)
	}
	r.text = append(r.text, '\n')
}

func (r *Rows) add(value any) {
	switch v := value.(type) {
	case nil:
		r.text = append(r.text, `\N`...)
	case string:
		r.text = appendEscaped(r.text, v)
	case JSON:
		r.text = appendEscaped(r.text, v)
	case []byte:
		r.text = hex.AppendEncode(append(r.text, `\\x`...), v)
	case int:
		r.text = strconv.AppendInt(r.text, int64(v), 10)
	case int32:
		r.text = strconv.AppendInt(r.text, int64(v), 10)
	case int64:
		r.text = strconv.AppendInt(r.text, v, 10)
	case bool:
		r.text = strconv.AppendBool(r.text, v)
	case time.Time:
		r.text = v.UTC().AppendFormat(r.text, "2006-01-02 15:04:05.999999Z")
	case uuid.UUID:
		r.text = append(r.text, v.String()...)
	case fmt.Stringer:
		r.text = appendEscaped(r.text, v.String())
	default:
		panic(fmt.Sprintf("readmodel: COPY of a %T", value)) // a mistake in a model
	}
}

// JSON is text of a column of type jsonb.
type JSON []byte

// appendEscaped appends a text with a backslash before each character that COPY reads otherwise.
func appendEscaped[T string | JSON](to []byte, text T) []byte {
	from := 0
	for i := 0; i < len(text); i++ {
		var c byte
		switch text[i] {
		case '\\':
			c = '\\'
		case '\n':
			c = 'n'
		case '\r':
			c = 'r'
		case '\t':
			c = 't'
		default:
			continue
		}
		to = append(append(to, text[from:i]...), '\\', c)
		from = i + 1
	}
	return append(to, text[from:]...)
}

// Copy inserts the rows.
func (r *Rows) Copy(ctx context.Context, tx pgx.Tx) error {
	if len(r.text) == 0 {
		return nil
	}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(r.text),
		"COPY "+r.into+" FROM STDIN")
	if err != nil {
		return fmt.Errorf("copy rows into %s: %w", r.into, err)
	}
	return nil
}
