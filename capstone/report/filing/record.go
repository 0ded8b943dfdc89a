package filing

import (
	"context"
	"errors"
	"fmt"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/contract"
)

// ErrOvertaken is an event that another process has appended to the stream of the filings since the
// log was read.
var ErrOvertaken = errors.New("another report was put on record meanwhile: look again")

// Record appends the next event of the life cycle of a report. A life cycle has one order: at is
// the number of events that were read. The same event again changes nothing.
func Record(
	ctx context.Context, log contract.Store, codec *domain.Codec, rules string, at int64,
	entry domain.Entry, body domain.Body,
) error {
	e, err := codec.Event(ctx, report.FilingStreams+rules, 0, entry, body)
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, e.Stream, at, e)
	if conflict := new(contract.ConflictError); errors.As(err, &conflict) {
		err = fmt.Errorf("%w: %w", ErrOvertaken, err)
	}
	return err
}

// State appends reference data to the stream of its subject. Data with another form or a wrong
// check digit is refused.
func State(
	ctx context.Context, log contract.Store, codec *domain.Codec, entry domain.Entry,
	body report.Stated,
) error {
	if err := body.Check(); err != nil {
		return err
	}
	e, err := codec.Event(ctx, body.Stream(), 0, entry, body)
	if err == nil {
		_, err = log.Append(ctx, e.Stream, contract.Any, e)
	}
	return err
}
