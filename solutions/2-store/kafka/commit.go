package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// A request is one append on its way through an owner.
type request struct {
	ctx    context.Context
	parts  []part // one for Append
	guards []contract.Guard
	atomic bool        // a call of AppendAll
	size   int         // in bytes, about
	answer chan answer // has room for one: the caller may be gone

	mu     sync.Mutex       // protects the next two until the request is taken
	events []contract.Event // of all parts; the caller's, then a copy
	gone   bool             // the caller has given up

	receipts []contract.Receipt // the answer, once the group has landed
	err      error              // or this
	reserved bool               // its ids are reserved
	sent     bool               // the commit of a transaction with it was requested
	offset   int64              // of its group's last event, after it was sent
}

// A part is the part of a request that concerns one stream.
type part struct {
	stream   string
	expected int64
	events   int // their number
}

type answer struct {
	receipts []contract.Receipt
	err      error
}

// headersSize is the approximate size of the attributes of an event.
const headersSize = 512

// newRequest returns the request of an append. In the queue it shares the caller's events, so that
// many requests that wait need no memory of their own.
func newRequest(
	ctx context.Context, stream string, expected int64, events []contract.Event,
) *request {
	r := &request{
		ctx: ctx, parts: []part{{stream, expected, len(events)}}, events: events,
		answer: make(chan answer, 1),
	}
	return r.measured()
}

// newAtomicRequest returns the request of an append to several streams.
func newAtomicRequest(
	ctx context.Context, appends []contract.StreamAppend, guards []contract.Guard,
) *request {
	r := &request{ctx: ctx, guards: guards, atomic: true, answer: make(chan answer, 1)}
	for _, a := range appends {
		r.parts = append(r.parts, part{a.Stream, a.Expected, len(a.Events)})
		r.events = append(r.events, a.Events...)
	}
	return r.measured()
}

func (r *request) measured() *request {
	for i := range r.events {
		r.size += len(r.events[i].Data) + headersSize
	}
	return r
}

// appends returns the parts of r with their events.
func (r *request) appends() []contract.StreamAppend {
	appends, rest := make([]contract.StreamAppend, len(r.parts)), r.events
	for i, p := range r.parts {
		appends[i] = contract.StreamAppend{
			Stream: p.stream, Expected: p.expected, Events: rest[:p.events],
		}
		rest = rest[p.events:]
	}
	return appends
}

// decide decides r: see store.Decide. The receipts are those of all parts.
func (r *request) decide(known store.Known) ([]contract.Receipt, error) {
	if !r.atomic {
		return store.Decide(known, r.parts[0].stream, r.parts[0].expected, r.events)
	}
	receipts, err := store.DecideAll(known, r.appends(), r.guards)
	return slices.Concat(receipts...), err
}

// take copies the events, and reports whether the caller still waits for them. The bytes that
// owners hold are those of their groups.
func (r *request) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return false
	}
	r.events = slices.Clone(r.events)
	for i := range r.events {
		r.events[i].Data = slices.Clone(r.events[i].Data)
	}
	return true
}

// giveUp returns the error of a caller that gives up. From then on it may change its events.
func (r *request) giveUp(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
	return r.failed(err)
}

// failed wraps the error of the append.
func (r *request) failed(err error) error {
	return fmt.Errorf("append to %s: %w", store.Named(r.appends()), err)
}

// A committer commits the appends of one partition in groups.
type committer struct {
	writer
	all    *index.Index
	ctx    context.Context // ends when the partition is revoked
	stamps stamps
	group  []*request // taken from the queue and not answered
	apart  []*request // the rest of a group that was refused; each becomes a group of its own

	buffers buffers // of the group's records
}

// commit decides the group and writes its new events in one transaction. After an error the group
// holds the requests without an answer. They are decided again after the partition was taken over
// again; the index then knows whether they landed.
func (c *committer) commit() error {
	c.stamps.begin() // until the outcome is known; after an error, until the next take-over
	c.buffers.reuse()
	d := newDraft(c.all, c.index)
	d.prepare(c.group, &c.buffers, c.log.events)
	c.decide(d)
	if d.err != nil {
		return d.err
	}
	if len(c.group) == 0 {
		c.stamps.end()
		return nil
	}
	records, err := c.records(d)
	if err != nil {
		return c.refuse(err)
	}
	c.index.BeginCommit(d.ids, d.ends)
	err = c.producer.transact(c.ctx, records)
	if err != nil {
		c.buffers = buffers{} // the client may still be sending
	}
	if err != nil && !errors.Is(err, errUnconfirmed) {
		c.index.EndCommit() // nothing of it will ever land
		return c.notWritten(err)
	}
	d.place(records, c.partition)
	for _, r := range c.group {
		r.sent, r.offset = true, d.entries[len(d.entries)-1].Position.Offset
	}
	if err != nil {
		return err
	}
	// The group is durable. A crash here leaves callers without receipts; they get them when they
	// append the same events again.
	c.index.Add(d.entries)
	c.index.EndCommit()
	c.stamps.end()
	c.log.opts.Grouped(len(d.entries))
	for _, r := range c.group {
		c.reply(r, r.receipts, r.err)
	}
	c.group = nil
	c.flush()
	return nil
}

// decide stages the events to be written, and answers the requests that write nothing. An answer
// that depends on events that were staged before, and are not yet durable, waits with the group. If
// the index cannot tell, the rest of the group stays undecided.
func (c *committer) decide(d *draft) {
	var waiting []*request
	for i, r := range c.group {
		if err := r.ctx.Err(); err != nil {
			c.reply(r, nil, r.failed(err)) // its caller is gone
			continue
		}
		var taken error
		if !r.reserved { // it is reserved if this is its second decision
			taken = c.all.Reserve(r.events)
			r.reserved = taken == nil
		}
		// AFTER the reservation: another partition releases an id after its index has the event.
		r.receipts, r.err = r.decide(d)
		isNew := r.receipts == nil && r.err == nil
		if isNew {
			r.err = taken
		}
		if d.err != nil {
			waiting = append(waiting, c.group[i:]...)
			break
		}
		if r.reserved && !isNew { // it writes nothing, so another append may have its ids at once
			c.all.Release(r.events)
			r.reserved = false
		}
		waits := d.touches(r)
		if isNew && r.err == nil {
			r.receipts = d.stage(r, func() time.Time {
				return c.stamps.stamp(c.log.opts.Clock(r.ctx))
			})
			waits = true
		}
		if waits {
			waiting = append(waiting, r)
		} else {
			c.reply(r, r.receipts, r.err)
		}
	}
	c.group = waiting
}

// reply answers r, once.
func (c *committer) reply(r *request, receipts []contract.Receipt, err error) {
	if r.reserved {
		c.all.Release(r.events)
		r.reserved = false
	}
	if errors.Is(err, contract.ErrFenced) {
		err = r.failed(c.log.closedOr(err))
	}
	r.answer <- answer{receipts, err}
}

// closedOr returns ErrClosed for an append that was fenced because the store is closed, else err.
func (l *log) closedOr(err error) error {
	fenced := errors.Is(err, contract.ErrFenced) && !errors.Is(err, ErrUnknownOutcome)
	if fenced && l.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// notWritten handles a group that could not be written. If the broker refuses a record, one append
// of the group may be the cause: each append becomes a group of its own, and only the caller of the
// refused one gets the error.
func (c *committer) notWritten(err error) error {
	if !isRefused(err) {
		return err
	}
	if len(c.group) == 1 {
		return errors.Join(err, c.refuse(err))
	}
	c.group, c.apart = c.group[:1:1], append(c.group[1:], c.apart...)
	return err
}

// refuse answers a group that can never be written, unless the partition was revoked.
func (c *committer) refuse(err error) error {
	if c.ctx.Err() != nil {
		return err
	}
	c.stamps.end()
	for _, r := range c.group {
		c.reply(r, nil, r.failed(err))
	}
	c.group = nil
	return nil
}

// recorded returns the receipts of r if the log has it.
func (c *committer) recorded(r *request) ([]contract.Receipt, error) {
	d := newDraft(c.all, c.index)
	receipts, err := r.decide(d)
	return receipts, errors.Join(err, d.err)
}

// records returns a record for each event of the group, in order, then the head of each stream.
func (c *committer) records(d *draft) ([]*kgo.Record, error) {
	records := d.records
	for _, e := range d.ends {
		record, err := c.log.headRecord(c.ctx, headOf(e.Recorded, e.Digest))
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

// A draft is a group before it is committed: the index, and the events that the group adds.
type draft struct {
	all     *index.Index
	index   *index.Partition     // of the group
	found   map[string]index.End // of the streams that decisions have asked for
	entries []*index.Entry       // the events
	room    []index.Entry        // for them
	records []*kgo.Record        // of the events
	buffers *buffers             // of the records
	topic   string
	ends    map[string]*index.Entry // the last event of each stream of the group
	ids     map[uuid.UUID]*index.Entry
	err     error // the index could not answer
}

var _ store.Known = (*draft)(nil)

func newDraft(all *index.Index, partition *index.Partition) *draft {
	return &draft{
		all: all, index: partition, found: map[string]index.End{},
		ends: map[string]*index.Entry{}, ids: map[uuid.UUID]*index.Entry{},
	}
}

// prepare makes room for the events of a group.
func (d *draft) prepare(group []*request, b *buffers, topic string) {
	events := 0
	for _, r := range group {
		events += len(r.events)
	}
	d.buffers, d.topic = b, topic
	d.ids = make(map[uuid.UUID]*index.Entry, events)
	d.ends = make(map[string]*index.Entry, len(group))
	d.room = make([]index.Entry, events)
	d.entries = make([]*index.Entry, 0, events)
	d.records = make([]*kgo.Record, 0, 2*events) // with the heads
}

// Version returns the version of a stream after the earlier appends of the group.
func (d *draft) Version(stream string) (int64, bool) {
	if last, ok := d.ends[stream]; ok {
		return last.Version, last.Ends
	}
	end, err := d.index.End(stream)
	if err != nil {
		d.err = err
	}
	d.found[stream] = end
	return end.Version, end.Ended
}

// Outcome returns the outcome of an id, in the log or in the group.
func (d *draft) Outcome(id uuid.UUID) (store.Outcome, bool) {
	if e, ok := d.ids[id]; ok {
		return outcome(e.Recorded), true
	}
	e, ok, err := d.all.Find(id)
	if err != nil {
		d.err = err
	}
	if !ok {
		return store.Outcome{}, false
	}
	return outcome(e), true
}

func outcome(e contract.Recorded) store.Outcome {
	return store.Outcome{
		Stream: e.Stream, Digest: e.ContentDigest(), Receipt: receipt(e), Group: e.AppendGroup,
	}
}

// touches reports whether the decision on r depends on an earlier append of the group.
func (d *draft) touches(r *request) bool {
	for _, p := range r.parts {
		if _, ok := d.ends[p.stream]; ok {
			return true
		}
	}
	for _, g := range r.guards {
		if _, ok := d.ends[g.Stream]; ok {
			return true
		}
	}
	return slices.ContainsFunc(r.events, func(e contract.Event) bool {
		_, ok := d.ids[e.ID]
		return ok
	})
}

// stage adds an append to the group, and returns the receipts that it gets if the group lands. All
// events of an atomic append get one time.
func (d *draft) stage(r *request, stamp func() time.Time) []contract.Receipt {
	receipts := make([]contract.Receipt, 0, len(r.events))
	var at time.Time
	for i := range r.events {
		if !r.atomic || i == 0 {
			at = stamp()
		}
		receipts = append(receipts, d.add(r.events[i], at))
	}
	return receipts
}

// add adds an event to the group.
func (d *draft) add(e contract.Event, at time.Time) contract.Receipt {
	end := d.found[e.Stream] // the decision on this append has asked for the version
	if last, ok := d.ends[e.Stream]; ok {
		end = last.End()
	}
	entry := &d.room[0]
	d.room = d.room[1:]
	entry.Event, entry.Version, entry.RecordedAt = e, end.Version+1, at
	entry.EffectiveAt = entry.EffectiveAt.UTC()
	record := d.buffers.encode(&entry.Recorded)
	record.Topic = d.topic
	d.buffers.entries = entry.Follow(end.Digest, d.buffers.entries,
		func(dst []byte) []byte { return appendRecord(dst, record) })
	d.records, d.entries = append(d.records, record), append(d.entries, entry)
	d.ids[entry.ID], d.ends[e.Stream] = entry, entry
	return receipt(entry.Recorded)
}

// place sets the positions of the events from the offsets of their records.
func (d *draft) place(records []*kgo.Record, partition int32) {
	for i, e := range d.entries {
		e.Position = contract.Position{Partition: partition, Offset: records[i].Offset}
	}
}

func receipt(e contract.Recorded) contract.Receipt {
	return contract.Receipt{Version: e.Version, RecordedAt: e.RecordedAt}
}

// stamps gives the events of one partition their recorded_at (L2.I8), and knows the frontier.
type stamps struct {
	mu       sync.Mutex
	last     time.Time // the latest that was given or promised
	frontier time.Time // no event that has yet to commit is stamped at or before it
	inFlight bool      // a group is being committed
}

// resume continues from the last time in the log, but never from before the announced frontier: a
// reader may rely on it.
func (s *stamps) resume(last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last.Before(s.frontier) {
		last = s.frontier
	}
	s.last, s.frontier, s.inFlight = last, last, false
}

// begin comes BEFORE the first stamp of a group, end AFTER the outcome of its commit.
func (s *stamps) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight = true
}

func (s *stamps) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frontier, s.inFlight = s.last, false
}

func (s *stamps) stamp(clock time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = contract.Stamp(clock, s.last)
	return s.last
}

// promise returns the frontier: the time just before the earliest time that the next event could
// get. The partition keeps the promise even if the clock is set back.
func (s *stamps) promise(clock time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inFlight {
		s.last = contract.Stamp(clock, s.last).Add(-time.Microsecond)
		s.frontier = s.last
	}
	return s.frontier
}
