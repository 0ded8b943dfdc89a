package store

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// repairHeads makes the heads before the offset `to`, that of our own mark in the topic of heads, say what the log says. Heads and events
// are written in one transaction, so they differ only where a broker broke its promise, or where somebody else wrote there. The log is the truth.
func (o *owner) repairHeads(ctx context.Context, p *producer, to int64) error {
	found, err := o.readHeads(ctx, to)
	if err != nil {
		return err
	}
	var mend []*kgo.Record
	for _, last := range o.lastEvents() {
		if found[last.Stream].Head != headOf(last) {
			record, err := o.headRecord(ctx, last)
			if err != nil {
				return err
			}
			mend = append(mend, record)
		}
		delete(found, last.Stream)
	}
	for stream, head := range found { // of streams that do not exist: a null head says there never was one
		if !head.null {
			mend = append(mend, o.tombstone(stream))
		}
	}
	if len(mend) == 0 {
		return nil
	}
	return p.transact(ctx, mend)
}
