package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/cmd/lab/grade/gradetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/memory"
)

// A wrongOffloading is the reference OffloadingStore with one step replaced. A nil step is that of
// the reference.
type wrongOffloading struct {
	*OffloadingStore
	// offloadAs and fetchAs replace offload and fetch.
	offloadAs func(context.Context, *OffloadingStore, contract.Event) (contract.Event, error)
	fetchAs   func(context.Context, *OffloadingStore, contract.Recorded) (contract.Recorded, error)
	late      bool // store payloads after the append
	loose     bool // accept a limit above MaxData
}

// offloadWrongs are tested over the store in memory.
var offloadWrongs = []struct {
	wrongAnswer
	store wrongOffloading
}{
	{
		wrongAnswer{name: "offloads at the limit", finds: "L2.32 L2.33",
			hint: "one of exactly the limit stays in the log"},
		wrongOffloading{offloadAs: func(
			ctx context.Context, c *OffloadingStore, e contract.Event,
		) (contract.Event, error) {
			c = &OffloadingStore{c.Store, c.blobs, max(0, c.limit-1)}
			return c.offload(ctx, e)
		}},
	},
	{
		wrongAnswer{name: "stores the payload after the event", finds: "L2.32",
			hint: "write to object storage first"},
		wrongOffloading{late: true},
	},
	{
		wrongAnswer{name: "refuses an existing object", finds: "L2.32", also: "L2.40",
			hint: "the retry finds the same payload under the same digest"},
		wrongOffloading{offloadAs: func(
			ctx context.Context, c *OffloadingStore, e contract.Event,
		) (contract.Event, error) {
			if _, err := c.blobs.Get(ctx, sha256.Sum256(e.Data[prefix:])); err == nil {
				return e, errors.New("the object is there already")
			}
			return c.offload(ctx, e)
		}},
	},
	{
		wrongAnswer{name: "a lost payload is empty", finds: "L2.34",
			hint: "turn contract.ErrNoBlob into *contract.OffloadError"},
		wrongOffloading{fetchAs: func(
			ctx context.Context, c *OffloadingStore, e contract.Recorded,
		) (contract.Recorded, error) {
			fetched, err := c.fetch(ctx, e)
			if offload := new(contract.OffloadError); errors.As(err, &offload) &&
				offload.Found == nil {
				e.BodyDigest = [32]byte{}
				return e, nil
			}
			return fetched, err
		}},
	},
	{
		wrongAnswer{name: "does not check the digest", finds: "L2.34",
			hint: "compute the SHA-256 of the fetched bytes each time"},
		wrongOffloading{fetchAs: func(
			ctx context.Context, c *OffloadingStore, e contract.Recorded,
		) (contract.Recorded, error) {
			fetched, err := c.fetch(ctx, e)
			if offload := new(contract.OffloadError); errors.As(err, &offload) &&
				offload.Found != nil {
				body, err := c.blobs.Get(ctx, e.BodyDigest)
				e.Data, e.BodyDigest = slices.Concat(e.Data, body), [32]byte{}
				return e, err
			}
			return fetched, err
		}},
	},
	{
		wrongAnswer{name: "takes an outage as a loss", finds: "L2.35",
			hint: "treat only contract.ErrNoBlob as missing"},
		wrongOffloading{fetchAs: func(
			ctx context.Context, c *OffloadingStore, e contract.Recorded,
		) (contract.Recorded, error) {
			fetched, err := c.fetch(ctx, e)
			if offload := new(contract.OffloadError); err != nil && !errors.As(err, &offload) {
				err = &contract.OffloadError{
					ID: e.ID, Stream: e.Stream, Version: e.Version, Position: e.Position,
					Digest: e.BodyDigest,
				}
			}
			return fetched, err
		}},
	},
	{
		wrongAnswer{name: "shows readers the digest", finds: "L2.41", also: "L2.33 L2.40 L2.42",
			hint: "clear BodyDigest for readers"},
		wrongOffloading{fetchAs: func(
			ctx context.Context, c *OffloadingStore, e contract.Recorded,
		) (contract.Recorded, error) {
			fetched, err := c.fetch(ctx, e)
			fetched.BodyDigest = e.BodyDigest
			return fetched, err
		}},
	},
	{
		wrongAnswer{name: "accepts a limit above MaxData", finds: "L2.42",
			hint: "use contract.MaxData"},
		wrongOffloading{loose: true},
	},
}

func (b wrongOffloading) over(log contract.Store, blobs contract.Blobs, limit int) contract.Store {
	b.OffloadingStore = NewOffloadingStore(log, blobs, limit)
	if b.loose {
		b.limit = limit
	}
	if b.offloadAs == nil {
		b.offloadAs = func(
			ctx context.Context, c *OffloadingStore, e contract.Event,
		) (contract.Event, error) {
			return c.offload(ctx, e)
		}
	}
	if b.fetchAs == nil {
		b.fetchAs = func(
			ctx context.Context, c *OffloadingStore, e contract.Recorded,
		) (contract.Recorded, error) {
			return c.fetch(ctx, e)
		}
	}
	return b
}

func (b wrongOffloading) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if err := validateUnlimited(stream, events); err != nil {
		return nil, err
	}
	c, later := b.OffloadingStore, &pile{}
	if b.late {
		c = &OffloadingStore{b.Store, later, b.limit}
	}
	offloaded := make([]contract.Event, len(events))
	for i, e := range events {
		var err error
		if offloaded[i], err = b.offloadAs(ctx, c, e); err != nil {
			return nil, err
		}
	}
	receipts, err := b.Store.Append(ctx, stream, expected, offloaded...)
	for _, body := range later.bodies {
		if err == nil {
			_, err = b.blobs.Put(ctx, body)
		}
	}
	return receipts, err
}

// pile collects payloads that are stored later.
type pile struct {
	contract.Blobs
	bodies [][]byte
}

func (p *pile) Put(_ context.Context, body []byte) ([32]byte, error) {
	p.bodies = append(p.bodies, body)
	return sha256.Sum256(body), nil
}

func (b wrongOffloading) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, err := b.Store.Find(ctx, id)
	if err != nil {
		return e, err
	}
	return b.fetchAs(ctx, b.OffloadingStore, e)
}

func (b wrongOffloading) Stream(ctx context.Context, stream string) eventSeq {
	return b.each(ctx, b.Store.Stream(ctx, stream))
}

func (b wrongOffloading) Read(ctx context.Context, from, to contract.Cursor) eventSeq {
	return b.each(ctx, b.Store.Read(ctx, from, to))
}

func (b wrongOffloading) Follow(ctx context.Context, from contract.Cursor) eventSeq {
	return b.each(ctx, b.Store.Follow(ctx, from))
}

func (b wrongOffloading) each(ctx context.Context, events eventSeq) eventSeq {
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			if err == nil {
				e, err = b.fetchAs(ctx, b.OffloadingStore, e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func TestSuiteFindsWrongOffload(t *testing.T) {
	t.Parallel()
	for _, w := range offloadWrongs {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			f := storetest.Fixture{Open: func(_ check.T, clock contract.Clock) storetest.Log {
				return storetest.Log{Store: memory.New(clock)}
			}}
			requireFound(t, w.wrongAnswer, storetest.Offload(f, w.store.over))
		})
	}
}

// A check that never fails proves nothing.
func TestEveryCheckFindsAWrongAnswer(t *testing.T) {
	t.Parallel()
	requireFinders(t, allWrongs())
}

func allWrongs() []wrongAnswer {
	all := slices.Clone(kafkaWrongs)
	for _, w := range anyStoreWrongs {
		all = append(all, w.wrongAnswer)
	}
	for _, w := range offloadWrongs {
		all = append(all, w.wrongAnswer)
	}
	return all
}

// The lists of each wrong answer are exact, so its score is, too.
func TestScoresOfWrongAnswers(t *testing.T) {
	t.Parallel()
	var scores gradetest.Scores
	for _, w := range allWrongs() {
		scores.Add(w.name, kafkatest.Suites(kafkatest.Fixture{}),
			strings.Fields(w.finds+" "+w.also))
	}
	scores.Compare(t, *Update)
}
