package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// generated is the events of a log with one partition.
type generated []contract.Recorded

func generate(n int) generated {
	noon := time.Date(2025, 3, 31, 12, 0, 0, 0, time.UTC)
	log := make(generated, n)
	for i := range log {
		r := &log[i]
		r.Version = int64(1 + i/1000)
		r.Position = contract.Position{Offset: int64(i)}
		r.RecordedAt = noon.Add(time.Duration(i) * time.Microsecond)
		r.Event = contract.Event{
			Stream: fmt.Sprintf("trade/UTI-%03d", i%1000), Type: "trade.amended",
			EffectiveAt: noon, EnteredAt: noon, CommandID: "c-1",
			Actor: "desk-7", Reason: "agreed", Source: "bench", Data: make([]byte, 200),
		}
		r.Event.ID = uuid.UUID{}
		binary.BigEndian.PutUint64(r.Event.ID[:], uint64(i))
	}
	return log
}

// growing is a log whose first events are there.
type growing struct {
	generated
	end int
}

func (l *growing) End(context.Context) (contract.Cursor, error) {
	return contract.Cursor{int64(l.end)}, nil
}

func (l *growing) Read(
	_ context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for _, r := range l.generated[from.At(0):to.At(0)] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (l *growing) Timeline(context.Context) (contract.Timeline, error) {
	return contract.Timeline{}, nil
}

// CommitFrontier implements contract.SealableLog. The log has no frontier.
func (l *growing) CommitFrontier(context.Context) (time.Time, error) { return time.Time{}, nil }

// Frontier is not called by an auditor.
func (l *growing) Frontier(context.Context) (time.Time, error) { return time.Time{}, nil }

// Follow is not called by an auditor.
func (l *growing) Follow(
	context.Context, contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(func(contract.Recorded, error) bool) {}
}
