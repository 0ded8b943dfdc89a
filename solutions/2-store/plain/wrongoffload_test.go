package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/google/uuid"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/memory"
)

// bentOffload is the offload check with one step done otherwise. What is nil is done right.
type bentOffload struct {
	*Offload
	offloadAs func(context.Context, *Offload, contract.Event) (contract.Event, error)
	redeemAs  func(context.Context, *Offload, contract.Recorded) (contract.Recorded, error)
	late      bool // what is offloaded is kept behind the append
	loose     bool // the limit is taken as it is given
}

// Beliefs about offloads, over the store in memory.
var wrongOffloads = []struct {
	wrong
	bent bentOffload
}{
	{wrong{name: "large begins at the limit", finds: "L2.37", also: "L2.38"}, bentOffload{offloadAs: func(ctx context.Context, c *Offload, e contract.Event) (contract.Event, error) {
		c = &Offload{c.Store, c.blobs, max(0, c.limit-1)}
		return c.offload(ctx, e)
	}}},
	{wrong{name: "first the event, then its payload", finds: "L2.38", also: "L2.39"}, bentOffload{late: true}},
	{wrong{name: "an object that is there is somebody else's", finds: "L2.39", also: "L2.40"}, bentOffload{offloadAs: func(ctx context.Context, c *Offload, e contract.Event) (contract.Event, error) {
		if _, err := c.blobs.Get(ctx, sha256.Sum256(e.Data[wireHead:])); err == nil {
			return e, errors.New("the object is there already")
		}
		return c.offload(ctx, e)
	}}},
	{wrong{name: "what is gone is empty", finds: "L2.41"}, bentOffload{redeemAs: func(ctx context.Context, c *Offload, e contract.Recorded) (contract.Recorded, error) {
		redeemed, err := c.redeem(ctx, e)
		if offload := new(contract.OffloadError); errors.As(err, &offload) && offload.Found == nil {
			e.BodyDigest = [32]byte{}
			return e, nil
		}
		return redeemed, err
	}}},
	{wrong{name: "object storage gives what it was given", finds: "L2.42"}, bentOffload{redeemAs: func(ctx context.Context, c *Offload, e contract.Recorded) (contract.Recorded, error) {
		redeemed, err := c.redeem(ctx, e)
		if offload := new(contract.OffloadError); errors.As(err, &offload) && offload.Found != nil {
			body, err := c.blobs.Get(ctx, e.BodyDigest)
			e.Data, e.BodyDigest = slices.Concat(e.Data, body), [32]byte{}
			return e, err
		}
		return redeemed, err
	}}},
	{wrong{name: "no answer means that it is gone", finds: "L2.43"}, bentOffload{redeemAs: func(ctx context.Context, c *Offload, e contract.Recorded) (contract.Recorded, error) {
		redeemed, err := c.redeem(ctx, e)
		if offload := new(contract.OffloadError); err != nil && !errors.As(err, &offload) {
			err = &contract.OffloadError{ID: e.ID, Stream: e.Stream, Version: e.Version, Position: e.Position, Digest: e.BodyDigest}
		}
		return redeemed, err
	}}},
	{wrong{name: "who reads may see where it lies", finds: "L2.44", also: "L2.37 L2.39 L2.40 L2.45"}, bentOffload{redeemAs: func(ctx context.Context, c *Offload, e contract.Recorded) (contract.Recorded, error) {
		redeemed, err := c.redeem(ctx, e)
		redeemed.BodyDigest = e.BodyDigest
		return redeemed, err
	}}},
	{wrong{name: "a limit is a limit", finds: "L2.45"}, bentOffload{loose: true}},
}

func (b bentOffload) over(log contract.Store, blobs contract.Blobs, limit int) contract.Store {
	b.Offload = NewOffload(log, blobs, limit)
	if b.loose {
		b.limit = limit
	}
	if b.offloadAs == nil {
		b.offloadAs = func(ctx context.Context, c *Offload, e contract.Event) (contract.Event, error) {
			return c.offload(ctx, e)
		}
	}
	if b.redeemAs == nil {
		b.redeemAs = func(ctx context.Context, c *Offload, e contract.Recorded) (contract.Recorded, error) {
			return c.redeem(ctx, e)
		}
	}
	return b
}

func (b bentOffload) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if err := offloadable(stream, events); err != nil {
		return nil, err
	}
	c, kept := b.Offload, &pile{}
	if b.late {
		c = &Offload{b.Store, kept, b.limit}
	}
	offloaded := make([]contract.Event, len(events))
	for i, e := range events {
		var err error
		if offloaded[i], err = b.offloadAs(ctx, c, e); err != nil {
			return nil, err
		}
	}
	receipts, err := b.Store.Append(ctx, stream, expected, offloaded...)
	for _, body := range kept.bodies {
		if err == nil {
			_, err = b.blobs.Put(ctx, body)
		}
	}
	return receipts, err
}

// pile is where payloads wait.
type pile struct {
	contract.Blobs
	bodies [][]byte
}

func (p *pile) Put(_ context.Context, body []byte) ([32]byte, error) {
	p.bodies = append(p.bodies, body)
	return sha256.Sum256(body), nil
}

func (b bentOffload) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, err := b.Store.Find(ctx, id)
	if err != nil {
		return e, err
	}
	return b.redeemAs(ctx, b.Offload, e)
}

func (b bentOffload) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return b.each(ctx, b.Store.Stream(ctx, stream))
}

func (b bentOffload) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return b.each(ctx, b.Store.Read(ctx, from, to))
}

func (b bentOffload) Follow(ctx context.Context, from contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return b.each(ctx, b.Store.Follow(ctx, from))
}

func (b bentOffload) each(ctx context.Context, events iter.Seq2[contract.Recorded, error]) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			if err == nil {
				e, err = b.redeemAs(ctx, b.Offload, e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func TestSuiteFindsWrongOffload(t *testing.T) {
	t.Parallel()
	for _, w := range wrongOffloads {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			found(t, w.wrong, storetest.Offload(storetest.Fixture{Open: func(_ check.T, clock contract.Clock) storetest.Log {
				return storetest.Log{Store: memory.New(clock)}
			}}, w.bent.over))
		})
	}
}

// A check that no wrong answer fails proves nothing.
func TestEveryCheckIsFailedByAWrongAnswer(t *testing.T) {
	t.Parallel()
	all := slices.Clone(wrongs)
	for _, w := range wrapped {
		all = append(all, w.wrong)
	}
	for _, w := range wrongOffloads {
		all = append(all, w.wrong)
	}
	finders(t, all)
}
