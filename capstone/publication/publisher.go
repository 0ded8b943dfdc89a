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

	found bool // the topic was there, or this publisher has created it
}

// maxChunk is the size of the events that are sent together. They fit into
// one batch, also with an event that is as long as one can be.
const maxChunk = 64 << 10

// CatchUp publishes the events up to the end of the log. It returns the number of public events.
// After an error the next call begins at the cursor.
func (p *Publisher) CatchUp(ctx context.Context) (n int, err error) {
	defer func() { p.found = p.found && err == nil }()
	if err := p.findTopic(ctx); err != nil {
		return 0, err
	}
	at, err := p.Cursor.Load()
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
	var chunk []*kgo.Record
	size := 0
	for r, err := range p.Log.Read(ctx, at, end) {
		if err != nil {
			return n, err
		}
		record, err := p.recordOf(r)
		if err != nil {
			return n, err
		}
		if record != nil {
			if size > 0 && size+len(record.Value) > maxChunk {
				if n, err = p.publish(ctx, chunk, at, n); err != nil {
					return n, err
				}
				chunk, size = nil, 0
			}
			chunk, size = append(chunk, record), size+len(record.Value)
		}
		at = at.After(r.Position)
	}
	return p.publish(ctx, chunk, end, n)
}

// findTopic creates the topic if it is not there. A new topic gets all events: it is the first one,
// or the last one was lost.
func (p *Publisher) findTopic(ctx context.Context) error {
	if p.found {
		return nil
	}
	exists, err := p.Topic.exists(ctx)
	if err != nil {
		return err
	}
	if !exists {
		// A crash here leaves no topic: the next run finds none, and does the same.
		if err := p.Cursor.Save(nil); err != nil {
			return err
		}
		if err := p.Topic.create(ctx); err != nil {
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
	ctx context.Context, chunk []*kgo.Record, to contract.Cursor, n int,
) (int, error) {
	if err := p.Topic.send(ctx, chunk); err != nil {
		return n, fmt.Errorf("publish to topic %s: %w", p.Topic.name, err)
	}
	// A crash here leaves events that the cursor does not know of: the next run sends them again.
	return n + len(chunk), p.Cursor.Save(to)
}
