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

// Record appends the next step of the life cycle of a report of a regime. A life cycle has one
// order: at is the number of events that were read. The same step again changes nothing. A step
// with long lists is several events in one append: a crash leaves all of them on record, or none.
func Record(
	ctx context.Context, log contract.Store, codec *domain.Codec, regime string, at int64,
	entry domain.Entry, body domain.Body,
) error {
	stream := report.FilingStreams + regime
	var events []contract.Event
	for i, b := range bodies(body) {
		e, err := codec.Event(ctx, stream, uint32(i), entry, b)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	_, err := log.Append(ctx, stream, at, events...)
	if conflict := new(contract.ConflictError); errors.As(err, &conflict) {
		err = fmt.Errorf("%w: %w", ErrOvertaken, err)
	}
	return err
}

// bodies returns the bodies of the events of one step.
func bodies(body domain.Body) (all []domain.Body) {
	switch b := body.(type) {
	case report.Made:
		for _, part := range b.Parts() {
			all = append(all, part)
		}
	case report.Answered:
		for _, part := range b.Parts() {
			all = append(all, part)
		}
	default:
		all = append(all, body)
	}
	return all
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
