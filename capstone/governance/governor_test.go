package governance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/governance"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
	audit "example.com/blotter/solutions/5-audit"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// atOnce is a policy by which everything may go as soon as its lock ends.
const atOnce = `{"classes":[{"class":"all","types":[""],"years":0,"from":"record","rule":"none"}],
"persons":{"years":0,"rule":"none"}}`

// A place is a log with two contracts, each in a sealed batch of its own.
type place struct {
	*governance.Governor
	archive *audit.S3
	auditor *audit.Auditor
	now     time.Time
}

func newPlace(t *testing.T, policy string, lock time.Duration) *place {
	t.Helper()
	endpoint, options := stacktest.S3(t)
	client, err := minio.New(endpoint, options)
	require.NoError(t, err)
	p := &place{now: time.Now()}
	p.archive = &audit.S3{Client: client, Bucket: stacktest.Bucket(t), Mode: minio.Governance,
		Retention: lock, Clock: time.Now}
	require.NoError(t, p.archive.CreateBucket(t.Context()))
	log := memory.New(func(context.Context) time.Time { return time.Now() })
	rules := governance.Default()
	if policy != "" {
		rules, err = governance.ParsePolicy([]byte(policy))
		require.NoError(t, err)
	}
	p.Governor = &governance.Governor{HoldFor: time.Hour, Log: log, Trades: codec.Offline(),
		Codec: domain.Offline(), Policy: rules, Clock: func() time.Time { return p.now },
		Locks: governance.Locks{Client: client, Bucket: p.archive.Bucket, Mode: minio.Governance}}
	private, public, err := note.GenerateKey(nil, "test.example/log")
	require.NoError(t, err)
	signer, err := note.NewSigner(private)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	p.auditor, err = audit.Open(audit.Options{Log: log, Archive: p.archive,
		Origin: "test.example/log", Signer: signer, Verifier: verifier, Clock: time.Now,
		LockUntil: rules.LockUntil,
		Disposed: func(ctx context.Context) (map[int64]bool, error) {
			all, err := governance.FoldDisposals(log.Stream(ctx, governance.DisposalStream))
			return all.Batches(), err
		}})
	require.NoError(t, err)
	p.Batches = func(ctx context.Context) (all []governance.Batch, err error) {
		err = p.auditor.RecordsObjects(ctx, func(o audit.RecordsObject) error {
			b := governance.Batch{Object: governance.Object{Name: o.Name}, Number: o.Number}
			for _, e := range o.Events {
				b.Events = append(b.Events, governance.Sealed(e))
			}
			all = append(all, b)
			return nil
		})
		return all, err
	}
	p.Verify = func(ctx context.Context) error {
		v, err := p.auditor.Verify(ctx)
		if err == nil && v.Fault != nil {
			err = v.Fault
		}
		return err
	}
	for n := range 2 {
		p.book(t, fmt.Sprintf("T%d", n+1), fmt.Sprintf("trader/%d", n+1))
		_, err := p.auditor.Seal(t.Context())
		require.NoError(t, err)
	}
	return p
}

// book appends a contract and its end.
func (p *place) book(t *testing.T, uti, trader string) {
	t.Helper()
	june, err := trade.ParsePeriod("2025-06")
	require.NoError(t, err)
	for version, body := range []trade.Body{
		trade.New{Book: "book-" + uti, Counterparty: "TULIP", Trader: trader, Side: trade.Buy,
			Instrument: trade.Instrument{Commodity: trade.Oil, Zone: "BRENT",
				Delivery: june}, Currency: "USD", Price: trade.Dec("71"),
			Quantity: trade.Quantity{Value: trade.Dec("5"), Unit: trade.BBL}},
		trade.Cancel{Kind: trade.Void},
	} {
		payload, err := codec.Offline().Encode(t.Context(), body)
		require.NoError(t, err)
		e := entry(fmt.Sprintf("%s-%d", uti, version))
		event, err := domain.Offline().Event(t.Context(), trade.TradeStream(uti), 0, e,
			governance.Lifted{})
		require.NoError(t, err)
		event.Type, event.Schema = payload.Type, payload.Schema
		event.Fingerprint, event.Data = payload.Fingerprint, payload.Data
		_, err = p.Log.Append(t.Context(), event.Stream, int64(version), event)
		require.NoError(t, err)
	}
}

func entry(id string) domain.Entry {
	return domain.Entry{CommandID: id, Actor: "legal/1", Approver: "legal/2", Reason: "case 17",
		Source: "test", EnteredAt: time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)}
}

// object returns the archived records of a batch.
func (p *place) object(t *testing.T, batch int) governance.Item {
	t.Helper()
	items, err := p.Plan(t.Context())
	require.NoError(t, err)
	return items[batch-1]
}

func (p *place) remove(ctx context.Context, i governance.Item, bypass bool) error {
	return p.archive.Client.RemoveObject(ctx, p.archive.Bucket, i.Name,
		minio.RemoveObjectOptions{VersionID: i.Version, GovernanceBypass: bypass})
}

// unlock ends the lock of an object in two seconds, as only a test may.
func (p *place) unlock(t *testing.T, i governance.Item) {
	t.Helper()
	mode, until := minio.Governance, time.Now().Add(2*time.Second).UTC()
	require.NoError(t, p.archive.Client.PutObjectRetention(t.Context(), p.archive.Bucket, i.Name,
		minio.PutObjectRetentionOptions{VersionID: i.Version, Mode: &mode,
			RetainUntilDate: &until, GovernanceBypass: true}))
}

// expired returns once the locks of before have ended: an object that was locked after them can be
// removed.
func (p *place) expired(t *testing.T) {
	t.Helper()
	require.NoError(t, p.archive.Put(t.Context(), "control", []byte("control")))
	control, err := p.Locks.Find(t.Context(), "control")
	require.NoError(t, err)
	require.Error(t, p.Locks.Delete(t.Context(), "control", control.Version), "it is locked")
	require.Eventually(t, func() bool {
		at, err := p.Locks.Now(t.Context(), control) // whole seconds
		return err == nil && at.After(control.Until)
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, p.Locks.Delete(t.Context(), "control", control.Version))
	p.now = time.Now()
}

// A legal hold that is placed a moment before the lock ends keeps the object: against the removal
// of its version, a bypass of governance, a clock that jumps, and the lifting of another hold.
func TestHeldObjectStays(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), newPlace(t, atOnce, 2*time.Second)
	_, err := p.Place(ctx, entry("c-1"), governance.Placed{Hold: "h1", Trade: "T1"})
	require.NoError(t, err)
	_, err = p.Place(ctx, entry("c-2"), governance.Placed{Hold: "h2", Book: "book-T1"})
	require.NoError(t, err)
	p.expired(t)

	held := p.object(t, 1)
	require.Equal(t, []string{"h1", "h2"}, held.Holds)
	require.True(t, held.Held)
	stays := func() {
		t.Helper()
		require.Error(t, p.remove(ctx, held, false))
		require.Error(t, p.remove(ctx, held, true), "a bypass of governance")
		_, err := p.archive.Get(ctx, held.Name)
		require.NoError(t, err)
	}
	stays()
	p.now = p.now.AddDate(100, 0, 0)
	done, err := p.Dispose(ctx, entry("c-3"))
	require.NoError(t, err)
	require.Len(t, done.Deleted, 1, "the other object is due")
	require.NotContains(t, done.Deleted, held.Name)
	require.WithinDuration(t, time.Now(), p.object(t, 1).Until, 2*time.Hour, "not for a century")
	stays()
	_, err = p.Lift(ctx, entry("c-4"), "h1")
	require.NoError(t, err)
	stays()

	_, err = p.Lift(ctx, entry("c-5"), "h2")
	require.NoError(t, err)
	require.False(t, p.object(t, 1).Held)
	p.unlock(t, held)
	p.expired(t)
	done, err = p.Dispose(ctx, entry("c-6"))
	require.NoError(t, err)
	require.Equal(t, []string{held.Name}, done.Deleted)
	_, err = p.archive.Get(ctx, held.Name)
	require.ErrorIs(t, err, audit.ErrAbsent)
}

// A disposal touches no proof. The certificate excuses its objects alone: an object that somebody
// removed without one is missed.
func TestDisposalTouchesNoProof(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), newPlace(t, atOnce, 2*time.Second)
	event, err := p.Log.Find(ctx, trade.EventID("T1-0", 0))
	require.NoError(t, err)
	proof, err := p.auditor.Prove(ctx, event)
	require.NoError(t, err)
	before, err := p.archive.List(ctx, "")
	require.NoError(t, err)
	_, err = p.Place(ctx, entry("c-1"), governance.Placed{Hold: "h1", Trade: "T2"})
	require.NoError(t, err)
	p.expired(t)
	other, log := *p.Governor, p.Log
	p.Log = &contested{log, func() { // a hold that the plan did not see
		_, err := other.Place(ctx, entry("c-7"), governance.Placed{Hold: "h2", Trade: "T1"})
		require.NoError(t, err)
	}}
	done, err := p.Dispose(ctx, entry("c-8"))
	require.NoError(t, err)
	require.Empty(t, done.Order, "nothing is due")
	_, err = p.Lift(ctx, entry("c-9"), "h2")
	require.NoError(t, err)
	p.unlock(t, p.object(t, 1))
	p.expired(t)
	done, err = p.Dispose(ctx, entry("c-2"))
	require.NoError(t, err)
	require.Equal(t, []string{"records/000000000001"}, done.Deleted)
	require.Empty(t, done.Kept)

	after, err := p.archive.List(ctx, "")
	require.NoError(t, err)
	require.ElementsMatch(t, before, append(after, done.Deleted...))
	again, err := p.auditor.Prove(ctx, event)
	require.NoError(t, err)
	require.Equal(t, proof, again)
	_, err = p.auditor.Seal(ctx) // the certificate, too
	require.NoError(t, err)
	v, err := p.auditor.Verify(ctx)
	require.NoError(t, err)
	require.Nil(t, v.Fault)

	_, err = p.Lift(ctx, entry("c-3"), "h1")
	require.NoError(t, err)
	require.NoError(t, p.remove(ctx, p.object(t, 2), true))
	v, err = p.auditor.Verify(ctx)
	require.NoError(t, err)
	require.ErrorContains(t, v.Fault, "records/000000000002")
}

// A clock that jumps ahead removes nothing: the earlier of two clocks counts, ours and the
// server's, and the lock is that of the policy. A lock is extended and never shortened.
func TestClockJumpRemovesNothing(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), newPlace(t, "", 2*time.Second)
	sealed := p.object(t, 1)
	require.WithinDuration(t, p.now.AddDate(7, 0, 0), sealed.Until, 24*time.Hour,
		"a seal locks the records by the policy at once")
	items, err := p.Apply(ctx)
	require.NoError(t, err)
	require.Equal(t, governance.StateKept, items[0].State)
	until := items[0].Until
	require.WithinDuration(t, p.now.AddDate(7, 0, 0), until, 24*time.Hour)

	p.Policy, err = governance.ParsePolicy([]byte(atOnce))
	require.NoError(t, err)
	items, err = p.Apply(ctx)
	require.NoError(t, err)
	require.Equal(t, until, items[0].Until, "never shortened")

	p.Policy, p.now = governance.Default(), p.now.AddDate(80, 0, 0)
	done, err := p.Dispose(ctx, entry("c-1"))
	require.NoError(t, err)
	require.Empty(t, done.Order)
	require.Equal(t, until, p.object(t, 1).Until)
	says, err := p.ErasureOf(ctx, entry("c-2"), "trader/1")
	require.NoError(t, err)
	require.False(t, says.Allowed, "the person stays as well")
	require.True(t, says.Until.After(time.Now()))
	require.Error(t, p.Locks.Delete(ctx, items[0].Name, items[0].Version))
	_, err = p.archive.Get(ctx, items[0].Name)
	require.NoError(t, err)
}

// broken is a log whose n-th append is its last one. That append lands, and its caller sees an
// error.
type broken struct {
	contract.Store
	left int
}

var errBroken = errors.New("the process dies")

func (b *broken) Append(ctx context.Context, stream string, at int64, e ...contract.Event) (
	[]contract.Receipt, error) {
	got, err := b.Store.Append(ctx, stream, at, e...)
	if b.left--; err == nil && b.left <= 0 {
		err = errBroken
	}
	return got, err
}

// A disposal that dies after its certificate is continued, and a hold that was placed in between
// keeps its object. After its outcome nothing is left to do. Nobody destroys alone.
func TestDisposalContinues(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), newPlace(t, atOnce, 2*time.Second)
	alone := entry("c-0")
	alone.Approver = alone.Actor
	refused := new(governance.Refusal)
	_, err := p.Dispose(ctx, alone)
	require.ErrorAs(t, err, &refused)
	p.expired(t)
	log := p.Log
	for appends := range 2 { // after the permission, after the certificate
		p.Log = &broken{log, appends + 1}
		_, err = p.Dispose(ctx, entry(fmt.Sprint("c-1", appends)))
		require.ErrorIs(t, err, errBroken)
	}

	p.Log = log
	_, err = p.Place(ctx, entry("c-2"), governance.Placed{Hold: "h1", Trade: "T2"})
	require.NoError(t, err)
	p.Log = &broken{log, 2}
	_, err = p.Dispose(ctx, entry("c-3"))
	require.ErrorIs(t, err, errBroken)
	p.Log = log
	done, err := p.Dispose(ctx, entry("c-4"))
	require.NoError(t, err)
	require.Empty(t, done.Order, "the outcome is on record, and nothing is due")

	all, err := governance.FoldDisposals(log.Stream(ctx, governance.DisposalStream))
	require.NoError(t, err)
	require.Len(t, all.Orders, 1)
	require.True(t, all.Orders[0].Done)
	require.Len(t, all.Orders[0].Objects, 2)
	require.Len(t, all.Orders[0].Objects[0].SHA256, 64)
	require.True(t, strings.HasPrefix(all.Orders[0].Objects[0].Object, "records/"))
	require.Equal(t, governance.StateGone, p.object(t, 1).State)
	require.Equal(t, governance.StateHeld, p.object(t, 2).State)
}

// rude answers the next requests that remove an object with an error.
type rude struct {
	http.RoundTripper
	removals int
	answer   func(*http.Request) (*http.Response, error)
}

func (r *rude) RoundTrip(in *http.Request) (*http.Response, error) {
	if in.Method == http.MethodDelete && r.removals > 0 {
		r.removals--
		return r.answer(in)
	}
	return r.RoundTripper.RoundTrip(in)
}

// An object is kept only if the server says so. After a lost answer the order stays open, and
// excuses its objects. After the outcome, it excuses those alone that are gone.
func TestCertificateExcusesTheGone(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), newPlace(t, atOnce, 2*time.Second)
	endpoint, options := stacktest.S3(t)
	between := &rude{RoundTripper: options.Transport, removals: 1}
	if between.RoundTripper == nil {
		between.RoundTripper = http.DefaultTransport
	}
	options.Transport, options.MaxRetries = between, 1
	client, err := minio.New(endpoint, options)
	require.NoError(t, err)
	p.expired(t)
	p.Locks.Client = client
	between.answer = func(in *http.Request) (*http.Response, error) {
		answer, err := between.RoundTripper.RoundTrip(in) // it is removed, and nobody hears of it
		if err == nil {
			err = errors.Join(errBroken, answer.Body.Close())
		}
		return nil, err
	}
	_, err = p.Dispose(ctx, entry("c-1"))
	require.ErrorIs(t, err, errBroken)
	excused := func() map[int64]bool {
		all, err := governance.FoldDisposals(p.Log.Stream(ctx, governance.DisposalStream))
		require.NoError(t, err)
		return all.Batches()
	}
	require.Equal(t, map[int64]bool{1: true, 2: true}, excused())
	_, err = p.auditor.Seal(ctx)
	require.NoError(t, err)

	between.removals, between.answer = 1, func(in *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusForbidden, Request: in, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader("<Error><Code>AccessDenied</Code></Error>"))}, nil
	}
	done, err := p.Dispose(ctx, entry("c-2"))
	require.NoError(t, err)
	require.Equal(t, []string{"records/000000000001"}, done.Deleted)
	require.Len(t, done.Kept, 1)
	require.Equal(t, map[int64]bool{1: true}, excused())
	require.NoError(t, p.remove(ctx, p.object(t, 2), true))
	fault := new(contract.Fault)
	_, err = p.Dispose(ctx, entry("c-3"))
	require.ErrorAs(t, err, &fault, "a disposal verifies first")
	require.ErrorContains(t, err, "records/000000000002")
}

// A disposal removes each version of an object. One that is locked keeps all.
func TestDisposalRemovesEveryVersion(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), newPlace(t, atOnce, 2*time.Second)
	for batch, lock := range []time.Duration{time.Hour, 2 * time.Second} {
		text, mode := "another version", minio.Governance
		_, err := p.archive.Client.PutObject(ctx, p.archive.Bucket, p.object(t, batch+1).Name,
			strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{Mode: mode,
				RetainUntilDate: time.Now().Add(lock).UTC(), SendContentMd5: true})
		require.NoError(t, err)
	}
	p.expired(t)
	done, err := p.Dispose(ctx, entry("c-1"))
	require.NoError(t, err)
	require.Equal(t, []string{"records/000000000002"}, done.Deleted)
	require.Len(t, done.Kept, 1)
	require.Equal(t, governance.StateGone, p.object(t, 2).State)
	require.NoError(t, p.Verify(ctx), "the first version of the other object is there")
}

// A contested log has a hold that another process places while an act is decided.
type contested struct {
	contract.Store
	hold func() // nil once it is placed
}

func (l *contested) Append(ctx context.Context, stream string, at int64, events ...contract.Event) (
	[]contract.Receipt, error) {
	if l.hold != nil && events[0].Type == (governance.Cleared{}).EventType() {
		hold := l.hold
		l.hold = nil
		hold()
	}
	return l.Store.Append(ctx, stream, at, events...)
}

// A hold that is placed while an erasure is decided refuses it. The permission of one without a
// hold is on record among the holds.
func TestHoldComesBeforeTheErasure(t *testing.T) {
	t.Parallel()
	inner := memory.NewSimulated()
	g := &governance.Governor{Log: inner, Trades: codec.Offline(), Codec: domain.Offline(),
		Policy: governance.Default(), Clock: time.Now,
		Batches: func(context.Context) ([]governance.Batch, error) { return nil, nil }}
	other := *g
	g.Log = &contested{inner, func() {
		_, err := other.Place(t.Context(), entry("c-1"),
			governance.Placed{Hold: "h1", Principal: "client/1"})
		require.NoError(t, err)
	}}
	says, err := g.ErasureOf(t.Context(), entry("c-2"), "client/1")
	require.NoError(t, err)
	require.False(t, says.Allowed)
	require.Equal(t, "legal hold h1 covers it", says.Detail)
	says, err = g.ErasureOf(t.Context(), entry("c-3"), "client/2")
	require.NoError(t, err)
	require.True(t, says.Allowed)
	var types []string
	for r, err := range inner.Stream(t.Context(), governance.HoldStream) {
		require.NoError(t, err)
		types = append(types, r.Type)
	}
	require.Equal(t, []string{"hold.placed", "hold.cleared"}, types)
	holds, err := governance.FoldHolds(inner.Stream(t.Context(), governance.HoldStream))
	require.NoError(t, err)
	require.Len(t, holds.All, 1)
}
