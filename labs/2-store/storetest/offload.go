package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// payloads are the checks of a store without offloading: it records the digests of offloaded
// payloads, and refuses payloads that are too large.
var payloads = []spec{{
	Check: check.Check{
		ID: "L2.57", Points: 1, Invariant: "L2.I6",
		Title: "an offloaded event is recorded with its digest, and is the same content " +
			"as with its payload",
		Misconception: "that the place of a payload is a part of the event",
		Hint: "store Event.BodyDigest like any attribute; Event.ContentDigest is the " +
			"same with the payload and without it",
	},
	try: func(t *trial) {
		batch := t.events.batch(stream, 2)
		stored := slices.Clone(batch)
		stored[1].Data, stored[1].BodyDigest = batch[1].Data[:5], sha256.Sum256(batch[1].Data[5:])
		first := t.append(stream, 0, stored...)
		requireEvents(t, 1, stored, t.stream(stream))
		require.Equal(t, first, t.append(stream, 0, batch...),
			"receipts of the same content with its payload")
	},
}, {
	Check: check.Check{
		ID: "L2.58", Points: 1, Invariant: "L2.I2",
		Title: "data that is larger than contract.MaxData is refused",
		Misconception: "that data that is too large may be cut, or that the caller has checked " +
			"its size",
		Hint: "call Event.Validate before anything is written",
	},
	try: func(t *trial) {
		batch := t.events.batch(stream, 2)
		batch[1].Data = make([]byte, contract.MaxData+1)
		require.ErrorIs(t, t.refused(stream, 0, batch...), contract.ErrInvalid)
	},
}}

// limit is the limit of the offload checks in bytes of Avro body. Larger bodies are offloaded.
const limit = 64

// onlyOverLimit is the hint for a body that is offloaded too early.
const onlyOverLimit = "only a body of more than the limit is offloaded: one of exactly the limit " +
	"stays in the log. The body is Data without its first five bytes"

type offloadSpec struct {
	check.Check
	try   func(t *offloadTrial)
	parts []offloadPart
}

type offloadPart struct {
	hint string
	try  func(t *offloadTrial)
}

// An offloadTrial is one running offload check. Its store is the offloading store; log.Store is the
// store under it.
type offloadTrial struct {
	*trial
	blobs *fakeBlobs
	wrap  func(contract.Store, contract.Blobs, int) contract.Store
}

func (c offloadSpec) bind(f Fixture, wrap func(
	contract.Store, contract.Blobs, int,
) contract.Store) check.Check {
	over := func(try func(*offloadTrial)) func(*trial) {
		return func(t *trial) {
			blobs := &fakeBlobs{stored: map[[32]byte][]byte{}}
			ct := &offloadTrial{trial: t, blobs: blobs, wrap: wrap}
			ct.wrapLog(t.log.Store, limit)
			try(ct)
		}
	}
	s := spec{Check: c.Check}
	if c.try != nil {
		s.try = over(c.try)
	}
	for _, p := range c.parts {
		s.parts = append(s.parts, part{p.hint, over(p.try)})
	}
	return s.bind(f)
}

// wrapLog makes the store of the trial an offloading store over s with the given limit.
func (t *offloadTrial) wrapLog(s contract.Store, limit int) {
	t.store = watched{t.wrap(s, t.blobs, limit), t.T}
}

// logged returns the events of the log under the offloading store, in the form that it records.
func (t *offloadTrial) logged() []contract.Recorded {
	return collect(t, t.log.Store.Stream(t.Context(), stream))
}

// notLogged requires that the append fails and leaves the log under the offloading store unchanged.
func (t *offloadTrial) notLogged(expected int64, events ...contract.Event) error {
	before := t.logged()
	receipts, err := t.store.Append(t.Context(), stream, expected, events...)
	require.Error(t, err, "append of %d events to %s at %d", len(events), stream, expected)
	require.Empty(t, receipts, "receipts with an error")
	require.Equal(t, before, t.logged(), "the log after an append that failed")
	return err
}

// large returns the next event of the stream with a body of n bytes.
func (t *offloadTrial) large(stream string, n int) contract.Event {
	e := t.events.next(stream)
	body := bytes.Repeat(e.Data[5:], n/len(e.Data[5:])+1)[:n]
	e.Data = slices.Concat(e.Data[:5], body)
	return e
}

var offloads = []offloadSpec{{
	Check: check.Check{
		ID: "L2.33", Points: 3, Invariant: "L2.I13",
		Title: "a payload over the limit goes to object storage, and every reader gets " +
			"it as it was appended",
		Misconception: "that a payload of exactly the limit is offloaded, or that readers must " +
			"fetch payloads themselves",
		Hint: "put Data[5:] into object storage, append the event with Data[:5] and the " +
			"digest as BodyDigest, and reverse both for each reader: Data whole again, and " +
			"BodyDigest zero",
	},
	try: func(t *offloadTrial) {
		batch := []contract.Event{
			t.large(stream, 1), t.large(stream, limit),
			t.large(stream, limit+1), t.large(stream, 100*limit),
		}
		followed := t.follow(nil, len(batch))
		receipts := t.append(stream, 0, batch...)
		requireEvents(t.T, 1, batch, t.stream(stream))
		requireEvents(t.T, 1, batch, t.read(nil, t.end()))
		requireEvents(t.T, 1, batch, <-followed)
		for i, e := range batch {
			got, err := t.store.Find(t.Context(), e.ID)
			require.NoError(t, err)
			require.Equal(t, e, got.Event)
			require.Equal(t, receipts[i].Version, got.Version)
		}
		for i, e := range t.logged() {
			require.Equal(t.Hint(onlyOverLimit), i >= 2, e.Offloaded(),
				"event %d is offloaded in the log", i+1)
			require.LessOrEqual(t, len(e.Data), 5+limit, "bytes of event %d in the log", i+1)
		}
		require.Len(t, t.blobs.stored, 2, "objects")
	},
}, {
	Check: check.Check{
		ID: "L2.32", Points: 4, Invariant: "L2.I13",
		Title: "an event commits only after its payload is stored, and a crash between the two " +
			"leaves an unused object",
		Misconception: "that a payload may be stored after its event: a crash in between leaves " +
			"an " +
			"event that nobody can read",
		Hint: "write to object storage first, to the log second",
	},
	parts: []offloadPart{{
		hint: "write to object storage first, to the log second",
		try: func(t *offloadTrial) {
			t.wrapLog(&hookedStore{Store: t.log.Store, before: func(events []contract.Event) error {
				for _, e := range events {
					if _, stored := t.blobs.stored[e.BodyDigest]; e.Offloaded() && !stored {
						return errors.New("its payload is not stored yet")
					}
				}
				return nil
			}}, limit)
			t.append(stream, 0, t.large(stream, 2*limit), t.large(stream, 3*limit))
			t.blobs.full = true
			err := t.notLogged(2, t.events.next(stream), t.large(stream, 2*limit))
			require.ErrorIs(t, err, errBlobsFull)
			_, err = t.store.Append(t.Context(), stream, 2, t.large(stream, limit))
			require.NoError(t.Hint(onlyOverLimit), err,
				"append of a body of exactly the limit, while object storage is full")
		},
	}, {
		hint: "do not clean up; the retry finds the same payload under the same digest",
		try: func(t *offloadTrial) {
			crash := errors.New("the process crashed here")
			stop := func([]contract.Event) error { return crash }
			t.wrapLog(&hookedStore{Store: t.log.Store, before: stop}, limit)
			e := t.large(stream, 2*limit)
			require.ErrorIs(t, t.notLogged(0, e), crash)
			require.Len(t, t.blobs.stored, 1)
			t.wrapLog(t.log.Store, limit)
			t.append(stream, 0, e)
			require.Len(t, t.blobs.stored, 1)
			digest := sha256.Sum256(e.Data[5:])
			logged := t.logged()
			require.Len(t, logged, 1)
			require.Equal(t, digest, logged[0].BodyDigest, "BodyDigest of the event in the log")
		},
	}},
}, {
	Check: check.Check{
		ID: "L2.40", Points: 2, Invariant: "L2.I4",
		Title: "the same content again gets the receipts of the first time, also under " +
			"another limit",
		Misconception: "that the limit never changes: the same event may come once inline and " +
			"once offloaded",
		Hint: "compare Event.ContentDigest: it is the same for an inline and for an " +
			"offloaded payload",
	},
	try: func(t *offloadTrial) {
		batch := []contract.Event{t.large(stream, limit/2), t.large(stream, 2*limit)}
		first := t.append(stream, 0, batch...)
		for _, limit := range []int{0, limit, 3 * limit} {
			t.wrapLog(t.log.Store, limit)
			require.Equal(t, first, t.append(stream, 0, batch...),
				"receipts with a limit of %d bytes", limit)
		}
		other := batch[1]
		other.Data = slices.Concat(other.Data, []byte("x"))
		reused := new(contract.ReusedError)
		require.ErrorAs(t, t.refused(stream, 0, other), &reused)
		requireEvents(t.T, 1, batch, t.stream(stream))
	},
}, {
	Check: check.Check{
		ID: "L2.34", Points: 3, Invariant: "L2.I13",
		Title: "a payload that is missing or altered is *OffloadError, with the digest of the " +
			"bytes that were found, and a reader ends there",
		Misconception: "that object storage returns the bytes that were stored: a disk, a policy " +
			"or a " +
			"colleague may remove or replace them",
		Hint: "turn contract.ErrNoBlob into *contract.OffloadError, and compare the SHA-256 " +
			"of fetched bytes each time",
	},
	parts: []offloadPart{{
		hint: "turn contract.ErrNoBlob into *contract.OffloadError, which names the event, " +
			"its position and the digest",
		try: func(t *offloadTrial) {
			bad := t.damage(func(digest [32]byte) { delete(t.blobs.stored, digest) })
			require.Nil(t, bad.Found)
		},
	}, {
		hint: "compute the SHA-256 of the fetched bytes each time, and compare it",
		try: func(t *offloadTrial) {
			another := []byte("another payload")
			bad := t.damage(func(digest [32]byte) { t.blobs.stored[digest] = another })
			require.NotNil(t, bad.Found)
			require.Equal(t, sha256.Sum256(another), *bad.Found)
		},
	}},
}, {
	Check: check.Check{
		ID: "L2.35", Points: 1, Invariant: "L2.I13",
		Title: "an outage of object storage says nothing about a payload",
		Misconception: "that no answer means a missing object: then an outage looks like a loss, " +
			"and somebody repairs an intact log",
		Hint: "treat only contract.ErrNoBlob as missing; wrap every other error",
	},
	try: func(t *offloadTrial) {
		e := t.large(stream, 2*limit)
		t.append(stream, 0, e)
		t.blobs.away = true
		_, err := t.store.Find(t.Context(), e.ID)
		require.ErrorIs(t, err, errBlobsAway)
		offload := new(contract.OffloadError)
		require.False(t, errors.As(err, &offload), "%v", err)
	},
}, {
	Check: check.Check{
		ID: "L2.41", Points: 1, Invariant: "L5.I1",
		Title: "an audit of the log needs no object storage: digest and leaf are the " +
			"same with and without the payload",
		Misconception: "that an auditor needs the payloads: the leaf contains their digest",
		Hint: "use contract.Event.ContentDigest and contract.Recorded.Leaf unchanged, " +
			"and clear BodyDigest for readers",
	},
	try: func(t *offloadTrial) {
		t.append(stream, 0, t.large(stream, 1), t.large(stream, 2*limit))
		inLog := t.logged()
		for i, e := range t.stream(stream) {
			require.Equal(t, inLog[i].ContentDigest(), e.ContentDigest())
			require.Equal(t, inLog[i].Leaf(), e.Leaf())
			require.False(t, e.Offloaded(), "BodyDigest is set in an event for a reader")
		}
	},
}, {
	Check: check.Check{
		ID: "L2.42", Points: 1, Invariant: "L2.I13",
		Title: "a payload over contract.MaxData is offloaded, and one over " +
			"contract.MaxOffload is refused",
		Misconception: "that a configured limit always holds: the log has a lower limit of its own",
		Hint:          "if the configured limit is above contract.MaxData, use contract.MaxData",
	},
	try: func(t *offloadTrial) {
		t.wrapLog(t.log.Store, 2*contract.MaxData)
		e := t.large(stream, contract.MaxData-4)
		t.append(stream, 0, e)
		requireEvents(t.T, 1, []contract.Event{e}, t.stream(stream))
		e.Data = make([]byte, 5+contract.MaxOffload+1)
		require.ErrorIs(t, t.refused(stream, 1, e), contract.ErrInvalid)
		e = t.large(stream, limit)
		e.BodyDigest = sha256.Sum256(nil)
		require.ErrorIs(t, t.refused(stream, 1, e), contract.ErrInvalid,
			"BodyDigest set by the caller")
		require.Len(t, t.blobs.stored, 1, "objects: none for an invalid event")
	},
}}

// damage appends events with large payloads, damages one object by do, and returns the error that
// every reader of its event must get.
func (t *offloadTrial) damage(do func(digest [32]byte)) (bad contract.OffloadError) {
	var batch []contract.Event
	for size := range 3 {
		batch = append(batch, t.large(stream, (2+size)*limit))
	}
	t.append(stream, 0, batch...)
	t.append("trade/UTI-2", 0, t.large("trade/UTI-2", 2*limit))
	before := t.stream(stream)
	digest := sha256.Sum256(batch[1].Data[5:])
	do(digest)

	want := contract.OffloadError{
		ID: batch[1].ID, Stream: stream, Version: 2, Position: before[1].Position, Digest: digest,
	}
	requireError := func(operation string, err error) {
		offload, damaged := new(contract.OffloadError), new(contract.DamagedError)
		require.ErrorAs(t, err, &offload, operation)
		require.ErrorAs(t, err, &damaged, operation)
		require.Equal(t, want.Position, damaged.Position)
		bad, want.Found = *offload, offload.Found
		require.Equal(t, want, bad, operation)
	}
	_, err := t.store.Find(t.Context(), batch[1].ID)
	requireError("Find", err)
	end := t.end()
	for operation, events := range map[string]iter.Seq2[contract.Recorded, error]{
		"Stream": t.store.Stream(t.Context(), stream),
		"Read":   t.store.Read(t.Context(), nil, end),
		"Follow": t.store.Follow(t.Context(), nil),
	} {
		var errs []error
		for e, err := range events {
			if err != nil {
				errs = append(errs, err)
			} else if e.Stream == stream {
				require.Equal(t, before[0], e, "%s: the event before the damaged one", operation)
			}
		}
		require.Len(t, errs, 1, "%s: errors", operation)
		requireError(operation, errs[0])
	}
	require.Len(t, t.stream("trade/UTI-2"), 1, "another stream")
	return bad
}

// A hookedStore calls before at the start of each append. An error of before fails the append.
type hookedStore struct {
	contract.Store
	before func([]contract.Event) error
}

func (s *hookedStore) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if err := s.before(events); err != nil {
		return nil, err
	}
	return s.Store.Append(ctx, stream, expected, events...)
}
