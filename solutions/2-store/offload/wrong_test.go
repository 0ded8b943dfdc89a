package offload_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/offload"
)

// Each wrong answer breaks one rule, and keeps the others.
func TestSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct {
		name  string
		wrap  func(contract.Store, contract.Blobs, int) contract.Store
		fails []string
	}{
		{"appends before it stores the payload", func(
			s contract.Store, b contract.Blobs, n int,
		) contract.Store {
			later := &deferred{Blobs: b}
			return &eager{offload.Wrap(s, later, n), later}
		}, []string{"L2.32", "L2.32"}},
		{"does not check the digest", func(
			s contract.Store, b contract.Blobs, n int,
		) contract.Store {
			return &trusting{s, offload.Wrap(s, b, n), b}
		}, []string{"L2.34"}},
		{"passes on the error of object storage", func(
			s contract.Store, b contract.Blobs, n int,
		) contract.Store {
			return offload.Wrap(s, untyped{b}, n)
		}, []string{"L2.34"}},
		{"takes an outage as a loss", func(
			s contract.Store, b contract.Blobs, n int,
		) contract.Store {
			return offload.Wrap(s, hasty{b}, n)
		}, []string{"L2.35"}},
		{"Find does not fetch the payload", func(
			s contract.Store, b contract.Blobs, n int,
		) contract.Store {
			return &unfound{offload.Wrap(s, b, n), s}
		}, []string{"L2.33", "L2.34", "L2.34"}},
		{"offloads every payload", func(s contract.Store, b contract.Blobs, _ int) contract.Store {
			return offload.Wrap(s, b, -1)
		}, []string{"L2.33"}},
		{"offloads nothing", func(s contract.Store, _ contract.Blobs, _ int) contract.Store {
			return s
		},
			strings.Fields("L2.33 L2.32 L2.34 L2.35 L2.42")},
	} {
		t.Run(wrong.name, func(t *testing.T) {
			t.Parallel()
			require.Subset(t, verdicts(t, wrong.wrap)[check.Failed], wrong.fails)
		})
	}
}

func TestStubIsTodoAndDoesNotFail(t *testing.T) {
	t.Parallel()
	got := verdicts(t, func(contract.Store, contract.Blobs, int) contract.Store { return stub{} })
	require.Empty(t, got[check.Failed])
	require.Empty(t, got[check.Passed])
}

func verdicts(
	t *testing.T, wrap func(contract.Store, contract.Blobs, int) contract.Store,
) map[check.Outcome][]string {
	suite := storetest.Offload(onMemory, wrap)
	got := map[check.Outcome][]string{}
	for _, c := range suite.Checks {
		v := check.Judge(t.Context(), suite, c)
		got[v.Outcome] = append(got[v.Outcome], c.ID)
	}
	return got
}

// eager appends the event before it stores the payload.
type eager struct {
	*offload.Store
	blobs *deferred
}

func (e *eager) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	receipts, err := e.Store.Append(ctx, stream, expected, events...)
	if err != nil {
		return receipts, err
	}
	return receipts, e.blobs.flush(ctx)
}

type deferred struct {
	contract.Blobs
	waiting [][]byte
}

func (d *deferred) Put(_ context.Context, data []byte) ([32]byte, error) {
	d.waiting = append(d.waiting, data)
	return sha256.Sum256(data), nil
}

func (d *deferred) flush(ctx context.Context) error {
	for _, data := range d.waiting {
		if _, err := d.Blobs.Put(ctx, data); err != nil {
			return err
		}
	}
	d.waiting = nil
	return nil
}

// trusting takes the bytes from object storage without a comparison with the digest.
type trusting struct {
	log contract.Store
	*offload.Store
	blobs contract.Blobs
}

func (w *trusting) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	r, err := w.log.Find(ctx, id)
	if err != nil || !r.Offloaded() {
		return r, err
	}
	body, err := w.blobs.Get(ctx, r.BodyDigest)
	r.Data, r.BodyDigest = append(r.Data[:5:5], body...), [32]byte{}
	return r, err
}

type untyped struct{ contract.Blobs }

func (b untyped) Get(ctx context.Context, digest [32]byte) ([]byte, error) {
	data, err := b.Blobs.Get(ctx, digest)
	if err != nil {
		err = errors.New("404")
	}
	return data, err
}

type hasty struct{ contract.Blobs }

func (b hasty) Get(ctx context.Context, digest [32]byte) ([]byte, error) {
	data, err := b.Blobs.Get(ctx, digest)
	if err != nil {
		err = contract.ErrNoBlob
	}
	return data, err
}

type unfound struct {
	*offload.Store
	log contract.Store
}

func (w *unfound) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	return w.log.Find(ctx, id)
}

// stub is an offloading store that is still to do.
type stub struct{ contract.Store }

var errTodo = check.TODO("L2.offload")

func (stub) Append(context.Context, string, int64, ...contract.Event) ([]contract.Receipt, error) {
	return nil, errTodo
}

func (stub) End(context.Context) (contract.Cursor, error) { return nil, errTodo }

func (stub) Find(context.Context, uuid.UUID) (contract.Recorded, error) {
	return contract.Recorded{}, errTodo
}

func (stub) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) { yield(contract.Recorded{}, errTodo) }
}

func (stub) Read(
	context.Context, contract.Cursor, contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) { yield(contract.Recorded{}, errTodo) }
}
