package storetest

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// watched reports every answer of a store to its check (check.T.Answered). So a TODO counts neither
// as a failure nor as a success.
type watched struct {
	store contract.Store
	t     check.T
}

var _ contract.Store = watched{}

func (w watched) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	receipts, err := w.store.Append(ctx, stream, expected, events...)
	w.t.Answered("Append", err)
	return receipts, err
}

func (w watched) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, err := w.store.Find(ctx, id)
	w.t.Answered("Find", err)
	return e, err
}

func (w watched) End(ctx context.Context) (contract.Cursor, error) {
	c, err := w.store.End(ctx)
	w.t.Answered("End", err)
	return c, err
}

func (w watched) Frontier(ctx context.Context) (time.Time, error) {
	f, err := w.store.Frontier(ctx)
	w.t.Answered("Frontier", err)
	return f, err
}

func (w watched) Timeline(ctx context.Context) (contract.Timeline, error) {
	t, err := w.store.Timeline(ctx)
	w.t.Answered("Timeline", err)
	return t, err
}

func (w watched) CommitFrontier(ctx context.Context) (time.Time, error) {
	f, err := w.store.CommitFrontier(ctx)
	w.t.Answered("CommitFrontier", err)
	return f, err
}

func (w watched) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return w.seq("Stream", w.store.Stream(ctx, stream))
}

func (w watched) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return w.seq("Read", w.store.Read(ctx, from, to))
}

func (w watched) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return w.seq("Follow", w.store.Follow(ctx, from))
}

func (w watched) seq(
	operation string, events iter.Seq2[contract.Recorded, error],
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			w.t.Answered(operation, err)
			if !yield(e, err) {
				return
			}
		}
		w.t.Answered(operation, nil) // the end of a sequence is an answer, too
	}
}

// watchedBlobs does the same for object storage.
type watchedBlobs struct {
	blobs contract.Blobs
	t     check.T
}

func (w watchedBlobs) Put(ctx context.Context, data []byte) ([32]byte, error) {
	digest, err := w.blobs.Put(ctx, data)
	w.t.Answered("Put", err)
	return digest, err
}

func (w watchedBlobs) Get(ctx context.Context, digest [32]byte) ([]byte, error) {
	data, err := w.blobs.Get(ctx, digest)
	w.t.Answered("Get", err)
	return data, err
}
