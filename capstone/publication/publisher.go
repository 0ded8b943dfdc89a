// Package publication tells other systems about the ledgers of a log. For each event of a ledger
// that concerns them it publishes a smaller public event on a Kafka topic of its own.
//
//	log ──▶ ledger.Fact ──▶ Event (CloudEvents, JSON) ──▶ <log>.public ──▶ other systems
//	 ▲                                                          │ acknowledged
//	 └──────────────────────── cursor ◀─────────────────────────┘
//
// The log is the outbox: no table of events to send is written beside the events. A Publisher reads
// the feed from its cursor, and keeps the cursor only after the brokers have the events before it.
//
//	a crash                               the next run
//	before the events are sent            sends them
//	after it, before the cursor is kept   sends them again: the same ids, the same bytes
//	after the cursor is kept              goes on after them
//
// So each event comes at least once, and a consumer leaves out the ids that it knows. The key of a
// record is its ledger. Events of a ledger lie in one partition, and first come in their order.
package publication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/ledger"
	"example.com/blotter/labs/kit/contract"
)

// A Publisher publishes the events of all ledgers of a log. It is for one goroutine. Two of them on
// one log publish events twice, and change no order.
type Publisher struct {
	Log    contract.Reader
	Name   string // of the log
	Topic  *Topic
	Cursor capstone.SavedCursor
	Of     SavedID // the topic that has the events before the cursor

	found bool // the cursor is that of the topic
}

// A SavedID keeps the id of a topic.
type SavedID interface {
	Load() (string, error) // empty if there is none
	Save(string) error
}

// maxChunk is the size of the events that are sent together. They fit into
// one batch, also with an event that is as long as one can be.
const maxChunk = 64 << 10

// maxRead is the number of events of the log after which the cursor is kept, however few of them
// are public.
const maxRead = 10_000

// A chunk has the events that are sent together.
type chunk struct {
	records []*kgo.Record
	size    int
	read    int // events of the log, public or not
}

// full reports whether c is sent before the next record, which may be nil.
func (c chunk) full(next *kgo.Record) bool {
	return c.read >= maxRead || next != nil && c.size > 0 && c.size+len(next.Value) > maxChunk
}

func (c *chunk) add(record *kgo.Record) {
	c.read++
	if record != nil {
		c.records, c.size = append(c.records, record), c.size+len(record.Value)
	}
}

// CatchUp publishes the events up to the end of the log. It returns the number of public events.
// After an error the next call begins at the cursor. The events before an event that cannot be read
// or published are published, and none after it.
func (p *Publisher) CatchUp(ctx context.Context) (n int, err error) {
	defer func() { p.found = p.found && err == nil }()
	if err := p.findTopic(ctx); err != nil {
		return 0, err
	}
	return p.catchUp(ctx, p.Cursor)
}

// Again publishes all events again, up to the end of the log. The cursor stays: it may be that of a
// service that publishes meanwhile.
func (p *Publisher) Again(ctx context.Context) (n int, err error) {
	if _, err := p.Topic.find(ctx); err != nil {
		return 0, err
	}
	return p.catchUp(ctx, new(inMemory))
}

// inMemory is the cursor of one run. It begins at the beginning.
type inMemory struct{ at contract.Cursor }

func (m *inMemory) Load() (contract.Cursor, error) { return m.at, nil }

func (m *inMemory) Save(at contract.Cursor) error {
	m.at = at
	return nil
}

func (p *Publisher) catchUp(ctx context.Context, kept capstone.SavedCursor) (n int, err error) {
	at, err := kept.Load()
	if err != nil {
		return 0, err
	}
	end, err := p.Log.End(ctx) // AFTER the cursor
	if err != nil {
		return 0, err
	}
	if err := at.Ahead("the publication", end); err != nil || at.Equal(end) {
		return 0, err
	}
	var c chunk
	for r, err := range p.Log.Read(ctx, at, end) {
		var record *kgo.Record
		if err == nil {
			record, err = p.recordOf(r)
		}
		if err != nil || c.full(record) {
			var failed error
			n, failed = p.publish(ctx, kept, c.records, at, n)
			if err = errors.Join(err, failed); err != nil {
				return n, err
			}
			c = chunk{}
		}
		c.add(record)
		at = at.After(r.Position)
	}
	return p.publish(ctx, kept, c.records, end, n)
}

// findTopic creates the topic if it is not there. Another topic than before gets all events: it is
// the first one, or the last one was lost, and was made again by this process or another.
func (p *Publisher) findTopic(ctx context.Context) error {
	if p.found {
		return nil
	}
	id, err := p.Topic.find(ctx)
	if err != nil {
		return err
	}
	kept, err := p.Of.Load()
	if err != nil {
		return err
	}
	if kept != id {
		if err := p.Cursor.Save(nil); err != nil {
			return err
		}
		// A crash here leaves the id of another topic: the next run does the same.
		if err := p.Of.Save(id); err != nil {
			return err
		}
	}
	p.found = true
	return nil
}

// recordOf returns the record of the public event of r; nil if it has none.
func (p *Publisher) recordOf(r contract.Recorded) (*kgo.Record, error) {
	if _, _, ok := ledger.Of(r.Stream); !ok {
		return nil, nil
	}
	f, ok, err := ledger.FactOf(r)
	if !ok || err != nil {
		return nil, err
	}
	e, ok, err := Of(p.Name, f)
	if !ok || err != nil {
		return nil, err
	}
	text, err := json.Marshal(e)
	return &kgo.Record{Key: []byte(e.PartitionKey), Value: text, Headers: []kgo.RecordHeader{
		{Key: "content-type", Value: []byte(contentType)}}}, err
}

// publish sends a chunk and then keeps the cursor after it.
func (p *Publisher) publish(
	ctx context.Context, kept capstone.SavedCursor, chunk []*kgo.Record, to contract.Cursor, n int,
) (int, error) {
	if err := p.Topic.send(ctx, chunk); err != nil {
		return n, fmt.Errorf("publish to topic %s: %w", p.Topic.name, err)
	}
	// A crash here leaves events that the cursor does not know of: the next run sends them again.
	return n + len(chunk), kept.Save(to)
}
