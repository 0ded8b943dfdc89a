package lines

import (
	"io"
	"iter"

	"example.com/blotter/labs/kit/trade"
)

// ReadForeign is Read for the history of another system. Each line has a command, and the time at
// which that system recorded it:
//
//	{"source_recorded_at":"2024-03-01T08:00:04Z","command":{"command_id":"c-0001",…}}
func ReadForeign(r io.Reader) iter.Seq2[Line, error] {
	return read(r, func(number int, text []byte) (Line, error) {
		return parse(number, text, (*parser).foreign)
	})
}

func (p *parser) foreign(text []byte) (trade.Command, []string) {
	o := p.wholeLine(text)
	if p.err != nil {
		return trade.Command{}, nil
	}
	recorded, inner := o.time(o.need("source_recorded_at")), o.need("command")
	o.done("a line of a backfill")
	if p.err != nil {
		return trade.Command{}, nil
	}
	c, names := p.command(inner.value)
	c.SourceRecordedAt = recorded
	return c, names
}
