package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// A request is one append on its way through an owner.
type request struct {
	ctx      context.Context
	stream   string
	expected int64
	events   []contract.Event
	size     int         // in bytes, about
	answer   chan answer // room for one: the caller may have gone

	receipts []contract.Receipt // what it is told if the group lands
	err      error              // or this
	claimed  bool               // its ids are kept for it
	sent     bool               // a commit that holds it was asked for
	offset   int64              // of its last event, once sent
}

type answer struct {
	receipts []contract.Receipt
	err      error
}

// submit hands r to the owner and waits for the answer, or for the caller to give up.
func (o *owner) submit(r *request) ([]contract.Receipt, error) {
	gaveUp := func() error { return fmt.Errorf("append to %s: %w", r.stream, r.ctx.Err()) }
	select {
	case o.queue <- r:
	case <-r.ctx.Done():
		return nil, gaveUp()
	case <-o.done:
		return nil, o.away(r.stream, contract.ErrFenced)
	}
	select {
	case a := <-r.answer:
		return a.receipts, a.err
	case <-r.ctx.Done():
		return nil, gaveUp()
	}
}

// away is the error of an append that its owner can no longer take.
func (o *owner) away(stream string, err error) error {
	if o.s.ctx.Err() != nil && errors.Is(err, contract.ErrFenced) && !errors.Is(err, ErrUnknownOutcome) {
		err = ErrClosed
	}
	return fmt.Errorf("append to %s: %w", stream, err)
}

// reply answers r, once.
func (o *owner) reply(r *request, receipts []contract.Receipt, err error) {
	if r.claimed {
		o.s.index.release(r.events)
		r.claimed = false
	}
	if errors.Is(err, contract.ErrFenced) {
		err = o.away(r.stream, err)
	}
	r.answer <- answer{receipts, err}
}

// commit decides the group and writes, in one transaction, what of it is to be written. After an error the group holds what
// has no answer yet; it is decided again when the partition was taken over anew, and then the index
// knows whether it landed.
func (o *owner) commit() error {
	o.stamps.begin() // until the outcome is known: after an error that is when the partition was taken over anew
	d := &draft{all: o.s.index, index: o.index, ends: map[string]contract.Recorded{}, ids: map[uuid.UUID]contract.Recorded{}}
	o.decide(d)
	if d.err != nil {
		return d.err
	}
	if len(o.group) == 0 {
		o.stamps.end()
		return nil
	}
	records, err := o.records(d)
	if err != nil {
		return o.refuse(err)
	}
	o.index.send(d)
	err = o.producer.transact(o.ctx, records)
	if err != nil && !errors.Is(err, errUnconfirmed) {
		o.index.sent() // nothing of it, for good
		return o.turnedDown(err)
	}
	d.place(records, o.partition)
	for _, r := range o.group {
		r.sent, r.offset = true, d.events[len(d.events)-1].Position.Offset
	}
	if err != nil {
		return err
	}
	// The group is durable. A crash here leaves callers without their receipts; the same events again give them.
	if err := o.index.apply(d.events); err != nil {
		return err
	}
	o.index.sent()
	o.index.agreed(records[len(records)-1].Offset + 1)
	o.stamps.end()
	for _, r := range o.group {
		o.reply(r, r.receipts, r.err)
	}
	o.group = nil
	o.flush()
	return nil
}

// refusals are the answers to a record that no broker of this log will ever take.
var refusals = []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord}

// turnedDown is what becomes of a group that could not be written, which may be for one of its appends alone. If it is that the broker refuses
// a record, they are tried one by one, and who is refused alone is told.
func (o *owner) turnedDown(err error) error {
	if !slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) }) {
		return err
	}
	if len(o.group) == 1 {
		return errors.Join(err, o.refuse(err))
	}
	o.group, o.apart = o.group[:1:1], append(o.group[1:], o.apart...)
	return err
}

// flush writes the index to its file if it is time. Nobody waits for it but who appends next. A crash leaves a file that is
// behind the log, or one that is made anew.
func (o *owner) flush() {
	if err := o.index.flushIfFull(); err != nil {
		o.s.opts.Log.Warn("index file falls behind the log", "log", o.s.opts.Prefix, "partition", o.partition, "err", err)
	}
}

// refuse answers a group that cannot be written at all, unless that is because the partition was revoked.
func (o *owner) refuse(err error) error {
	if o.ctx.Err() != nil {
		return err
	}
	o.stamps.end()
	for _, r := range o.group {
		o.reply(r, nil, fmt.Errorf("append to %s: %w", r.stream, err))
	}
	o.group = nil
	return nil
}

// decide stages what is to be written, and answers what is not. An answer that rests on what was staged before it, and
// is not yet durable, waits with the group. Where the index could not tell, the group stays as it is from there on.
func (o *owner) decide(d *draft) {
	var waiting []*request
	for i, r := range o.group {
		if err := r.ctx.Err(); err != nil {
			o.reply(r, nil, fmt.Errorf("append to %s: %w", r.stream, err)) // nobody waits for it
			continue
		}
		r.receipts, r.err = store.Decide(d, r.stream, r.expected, r.events)
		if r.receipts == nil && r.err == nil {
			r.err = o.claim(r)
		}
		if errors.Is(r.err, errCannotTell) {
			d.err = r.err
		}
		if d.err != nil {
			waiting = append(waiting, o.group[i:]...)
			break
		}
		rests := d.touches(r)
		if r.receipts == nil && r.err == nil {
			r.receipts = d.stage(r, func() time.Time { return o.stamps.stamp(o.s.opts.Clock(r.ctx)) })
			rests = true
		}
		if rests {
			waiting = append(waiting, r)
		} else {
			o.reply(r, r.receipts, r.err)
		}
	}
	o.group = waiting
}

// claim keeps the ids of r for it until it is answered.
func (o *owner) claim(r *request) error {
	if r.claimed {
		return nil // since it was decided for the first time
	}
	err := o.s.index.claim(r.events)
	r.claimed = err == nil
	return err
}

// known is the receipts of r if the log has it.
func (o *owner) known(r *request) ([]contract.Receipt, error) {
	d := &draft{all: o.s.index, index: o.index}
	receipts, err := store.Decide(d, r.stream, contract.Any, r.events)
	return receipts, errors.Join(err, d.err)
}

// A draft is a group before it is committed: the index, and what the group adds to it.
type draft struct {
	all    *index
	index  *part // of the group's partition
	events []contract.Recorded
	ends   map[string]contract.Recorded // the last event of each stream that the group writes to
	ids    map[uuid.UUID]contract.Recorded
	err    error // the index cannot tell what it was asked
}

// Version of a stream, with the earlier appends of the group.
func (d *draft) Version(stream string) (int64, bool) {
	if last, ok := d.ends[stream]; ok {
		return last.Version, last.Ends
	}
	v, ended, err := d.index.version(stream)
	if err != nil {
		d.err = err
	}
	return v, ended
}

// Outcome of an id, in the log or in the group.
func (d *draft) Outcome(id uuid.UUID) (store.Outcome, bool) {
	if e, ok := d.ids[id]; ok {
		return outcome(e), true
	}
	e, ok, unusable := d.all.find(id)
	if len(unusable) > 0 {
		d.err = errCannotTell
	}
	if !ok {
		return store.Outcome{}, false
	}
	return outcome(e), true
}

// touches says whether a decision on r rests on an earlier append of the group.
func (d *draft) touches(r *request) bool {
	if _, ok := d.ends[r.stream]; ok {
		return true
	}
	return slices.ContainsFunc(r.events, func(e contract.Event) bool { _, ok := d.ids[e.ID]; return ok })
}

// stage adds an append to the group.
func (d *draft) stage(r *request, stamp func() time.Time) []contract.Receipt {
	var receipts []contract.Receipt
	version, _ := d.Version(r.stream)
	for _, e := range r.events {
		version++
		e.EffectiveAt = e.EffectiveAt.UTC()
		recorded := contract.Recorded{Event: e, Version: version, RecordedAt: stamp()}
		d.events = append(d.events, recorded)
		d.ids[e.ID] = recorded
		d.ends[r.stream] = recorded
		receipts = append(receipts, receipt(recorded))
	}
	return receipts
}

// records is one for each event of the group, in order, then the head of each stream that it touches.
func (o *owner) records(d *draft) ([]*kgo.Record, error) {
	records := make([]*kgo.Record, 0, 2*len(d.events))
	for _, e := range d.events {
		record := encode(e)
		record.Topic = o.s.events
		records = append(records, record)
	}
	for _, e := range d.ends {
		record, err := o.s.head(o.ctx, e)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// place gives the events the positions that their records got.
func (d *draft) place(records []*kgo.Record, partition int32) {
	for i := range d.events {
		d.events[i].Position = contract.Position{Partition: partition, Offset: records[i].Offset}
	}
}
