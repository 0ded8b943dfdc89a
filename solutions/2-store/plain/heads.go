package store

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// repairHeads makes the heads agree with the log. It reads them up to offset to, which is the
// offset of our own mark in the topic of heads. Heads and events are written in one transaction, so
// they differ only if a broker broke its promise, or if another program wrote to the topic. The log
// is the truth.
func (o *owner) repairHeads(ctx context.Context, p *producer, to int64) error {
	found, err := o.readHeads(ctx, to)
	if err != nil {
		return err
	}
	var repairs []*kgo.Record
	for _, last := range o.lastEvents() {
		if found[last.Stream].Head != headOf(last) {
			record, err := o.headRecord(ctx, last)
			if err != nil {
				return err
			}
			repairs = append(repairs, record)
		}
		delete(found, last.Stream)
	}
	for stream, head := range found { // heads of streams that do not exist
		if !head.deleted {
			repairs = append(repairs, o.tombstone(stream))
		}
	}
	if len(repairs) == 0 {
		return nil
	}
	return p.transact(ctx, repairs)
}
