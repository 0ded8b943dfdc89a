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

// bounds are what a store by itself does about large payloads: it keeps their offloads, and refuses them.
var bounds = []spec{{
	Check: check.Check{ID: "L2.35", Points: 1, Invariant: "L2.I6", Title: "an event whose payload is offloaded is kept with its offload, and is the same event as with its payload",
		Misconception: "that where a payload lies is a part of what the event says",
		Hint:          "Event.BodyDigest is an attribute like the others; ContentDigest covers the payload's digest, wherever the payload is"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 2)
		stored := slices.Clone(batch)
		stored[1].Data, stored[1].BodyDigest = batch[1].Data[:5], sha256.Sum256(batch[1].Data[5:])
		first := t.append(stream, 0, stored...)
		holds(t, 1, stored, t.stream(stream))
		require.Equal(t, first, t.append(stream, 0, batch...), "receipts of the same content, not offloaded")
	},
}, {
	Check: check.Check{ID: "L2.36", Points: 1, Invariant: "L2.I2", Title: "data that is larger than contract.MaxData is refused",
		Misconception: "that what is too large can be cut, or that somebody else has looked",
		Hint:          "call Event.Validate before anything is written"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 2)
		batch[1].Data = make([]byte, contract.MaxData+1)
		require.ErrorIs(t, t.refused(stream, 0, batch...), contract.ErrInvalid)
	},
}}

// limit is over which the checks of offloads have payloads go to object storage, in bytes of Avro body.
const limit = 64

type offloadSpec struct {
	check.Check
	try func(t *offloadTrial)
}

// A offloadTrial is a check of offloads under way. Its store is the one that is tried; log.Store is beneath it.
type offloadTrial struct {
	*trial
	shelf *shelf
	wrap  func(contract.Store, contract.Blobs, int) contract.Store
}

func (c offloadSpec) bind(f Fixture, wrap func(contract.Store, contract.Blobs, int) contract.Store) check.Check {
	return spec{c.Check, func(t *trial) {
		ct := &offloadTrial{trial: t, shelf: &shelf{kept: map[[32]byte][]byte{}}, wrap: wrap}
		ct.over(t.log.Store, limit)
		c.try(ct)
	}}.bind(f)
}

// over has the trial's store be one over another, with a limit of its own.
func (t *offloadTrial) over(s contract.Store, limit int) {
	t.store = watched{t.wrap(s, t.shelf, limit), t.T}
}

// large is the next event of the stream with a body of n bytes.
func (t *offloadTrial) large(stream string, n int) contract.Event {
	e := t.events.next(stream)
	body := bytes.Repeat(e.Data[5:], n/len(e.Data[5:])+1)[:n]
	e.Data = slices.Concat(e.Data[:5], body)
	return e
}

var offloads = []offloadSpec{{
	Check: check.Check{ID: "L2.37", Points: 3, Invariant: "L2.I13", Title: "a payload over the limit is kept in object storage, and every reader gets it as it was appended",
		Misconception: "that large begins at the limit, or that readers know where payloads lie: it is the store's secret",
		Hint:          "keep Data[5:] under its SHA-256, append the event with Data[:5] and that as its BodyDigest, and do the reverse in Find, Stream, Read and Follow"},
	try: func(t *offloadTrial) {
		batch := []contract.Event{t.large(stream, 1), t.large(stream, limit), t.large(stream, limit+1), t.large(stream, 100*limit)}
		followed := t.follow(nil, len(batch))
		receipts := t.append(stream, 0, batch...)
		holds(t.T, 1, batch, t.stream(stream))
		holds(t.T, 1, batch, t.read(nil, t.end()))
		holds(t.T, 1, batch, <-followed)
		for i, e := range batch {
			got, err := t.store.Find(t.Context(), e.ID)
			require.NoError(t, err)
			require.Equal(t, e, got.Event)
			require.Equal(t, receipts[i].Version, got.Version)
		}
		for i, e := range collect(t, t.log.Store.Stream(t.Context(), stream)) {
			require.Equal(t, i >= 2, e.Offloaded(), "event %d is offloaded in the log", i+1)
			require.LessOrEqual(t, len(e.Data), 5+limit, "bytes of event %d in the log", i+1)
		}
		require.Len(t, t.shelf.kept, 2, "objects")
	},
}, {
	Check: check.Check{ID: "L2.38", Points: 3, Invariant: "L2.I13", Title: "an event commits only once its payload is kept",
		Misconception: "that an event can point to what is about to be kept: the crash comes first, and nobody can ever read it",
		Hint:          "object storage first, the log second: the other way round a crash leaves an event that nobody can read"},
	try: func(t *offloadTrial) {
		t.over(&beneath{Store: t.log.Store, before: func(events []contract.Event) error {
			for _, e := range events {
				if _, kept := t.shelf.kept[e.BodyDigest]; e.Offloaded() && !kept {
					return errors.New("its payload is not kept yet")
				}
			}
			return nil
		}}, limit)
		t.append(stream, 0, t.large(stream, 2*limit), t.large(stream, 3*limit))
		t.shelf.full = true
		err := t.refused(stream, 2, t.events.next(stream), t.large(stream, 2*limit))
		require.ErrorIs(t, err, errShelfFull)
		t.append(stream, 2, t.large(stream, limit))
	},
}, {
	Check: check.Check{ID: "L2.39", Points: 2, Invariant: "L2.I13", Title: "a crash between the two leaves an object that nothing points to, and the retry goes in",
		Misconception: "that what was left behind must be tidied up, or is somebody else's: it is the same bytes under the same digest",
		Hint:          "nothing needs undoing: the same payload is found under the same digest"},
	try: func(t *offloadTrial) {
		crash := errors.New("the process died here")
		t.over(&beneath{Store: t.log.Store, before: func([]contract.Event) error { return crash }}, limit)
		e := t.large(stream, 2*limit)
		require.ErrorIs(t, t.refused(stream, 0, e), crash)
		require.Len(t, t.shelf.kept, 1)
		t.over(t.log.Store, limit)
		t.append(stream, 0, e)
		require.Len(t, t.shelf.kept, 1)
		holds(t.T, 1, []contract.Event{e}, t.stream(stream))
	},
}, {
	Check: check.Check{ID: "L2.40", Points: 2, Invariant: "L2.I4", Title: "the same content again gives the receipts of the first time, whatever the limit is by now",
		Misconception: "that a limit is for ever: it is a setting, and the same event may come with its payload and without",
		Hint:          "Event.ContentDigest is the same for a payload that is offloaded and one that is not"},
	try: func(t *offloadTrial) {
		batch := []contract.Event{t.large(stream, limit/2), t.large(stream, 2*limit)}
		first := t.append(stream, 0, batch...)
		for _, limit := range []int{0, limit, 3 * limit} {
			t.over(t.log.Store, limit)
			require.Equal(t, first, t.append(stream, 0, batch...), "receipts under a limit of %d bytes", limit)
		}
		other := batch[1]
		other.Data = slices.Concat(other.Data, []byte("x"))
		reused := new(contract.ReusedError)
		require.ErrorAs(t, t.refused(stream, 0, other), &reused)
		holds(t.T, 1, batch, t.stream(stream))
	},
}, {
	Check: check.Check{ID: "L2.41", Points: 2, Invariant: "L2.I13", Title: "a payload that is gone is *OffloadError, and a reader ends there",
		Misconception: "that what is gone is empty: a settlement without its price is not a settlement of nothing",
		Hint:          "contract.ErrNoBlob is about an object; who reads is told of the event: which, where, and what was to be found"},
	try: func(t *offloadTrial) {
		bad := t.spoil(func(digest [32]byte) { delete(t.shelf.kept, digest) })
		require.Nil(t, bad.Found)
	},
}, {
	Check: check.Check{ID: "L2.42", Points: 2, Invariant: "L2.I13", Title: "a payload that was altered is *OffloadError with the digest of what is there",
		Misconception: "that object storage gives what it was given: a disk, a bucket policy or a colleague can put something else there",
		Hint:          "compute the SHA-256 of what was fetched, each time: an object store serves what it has"},
	try: func(t *offloadTrial) {
		another := []byte("another payload")
		bad := t.spoil(func(digest [32]byte) { t.shelf.kept[digest] = another })
		require.NotNil(t, bad.Found)
		require.Equal(t, sha256.Sum256(another), *bad.Found)
	},
}, {
	Check: check.Check{ID: "L2.43", Points: 1, Invariant: "L2.I13", Title: "object storage that does not answer is no verdict on a payload",
		Misconception: "that no answer means no: then an outage looks like a loss, and somebody mends what is not broken",
		Hint:          "only contract.ErrNoBlob says that it is gone; wrap any other error"},
	try: func(t *offloadTrial) {
		e := t.large(stream, 2*limit)
		t.append(stream, 0, e)
		t.shelf.away = true
		_, err := t.store.Find(t.Context(), e.ID)
		require.ErrorIs(t, err, errShelfAway)
		offload := new(contract.OffloadError)
		require.False(t, errors.As(err, &offload), "%v", err)
	},
}, {
	Check: check.Check{ID: "L2.44", Points: 1, Invariant: "L5.I1", Title: "who audits the log needs no object storage: digest and leaf are the same with the payload and without",
		Misconception: "that an auditor needs the payloads: the leaf has their digest, whether they are there or not",
		Hint:          "use contract.Event.ContentDigest and contract.Recorded.Leaf as they are, and give a reader the event without its offload"},
	try: func(t *offloadTrial) {
		t.append(stream, 0, t.large(stream, 1), t.large(stream, 2*limit))
		within := collect(t, t.log.Store.Stream(t.Context(), stream))
		for i, e := range t.stream(stream) {
			require.Equal(t, within[i].ContentDigest(), e.ContentDigest())
			require.Equal(t, within[i].Leaf(), e.Leaf())
			require.False(t, e.Offloaded(), "what a reader is given")
		}
	},
}, {
	Check: check.Check{ID: "L2.45", Points: 1, Invariant: "L2.I13", Title: "a payload larger than the log would take goes in, and one larger than contract.MaxOffload does not",
		Misconception: "that a limit that was set is a limit that holds: the log has one of its own, which is lower",
		Hint:          "contract.MaxData bounds what is in the log, so a limit above it means nothing"},
	try: func(t *offloadTrial) {
		t.over(t.log.Store, 2*contract.MaxData)
		e := t.large(stream, contract.MaxData-4)
		t.append(stream, 0, e)
		holds(t.T, 1, []contract.Event{e}, t.stream(stream))
		e.Data = make([]byte, 5+contract.MaxOffload+1)
		require.ErrorIs(t, t.refused(stream, 1, e), contract.ErrInvalid)
		e = t.large(stream, limit)
		e.BodyDigest = sha256.Sum256(nil)
		require.ErrorIs(t, t.refused(stream, 1, e), contract.ErrInvalid, "a offload that the caller made")
		require.Len(t, t.shelf.kept, 1, "objects of events that are not valid")
	},
}}

// spoil appends events with large payloads, has damage done to one of them, and gives the error of every reader that meets it.
func (t *offloadTrial) spoil(damage func(digest [32]byte)) (bad contract.OffloadError) {
	batch := []contract.Event{t.large(stream, 2*limit), t.large(stream, 3*limit), t.large(stream, 4*limit)}
	t.append(stream, 0, batch...)
	t.append("trade/UTI-2", 0, t.large("trade/UTI-2", 2*limit))
	whole := t.stream(stream)
	digest := sha256.Sum256(batch[1].Data[5:])
	damage(digest)

	want := contract.OffloadError{ID: batch[1].ID, Stream: stream, Version: 2, Position: whole[1].Position, Digest: digest}
	meets := func(what string, err error) {
		offload, damaged := new(contract.OffloadError), new(contract.DamagedError)
		require.ErrorAs(t, err, &offload, what)
		require.ErrorAs(t, err, &damaged, "%s: it is a kind of damage", what)
		require.Equal(t, want.Position, damaged.Position)
		bad, want.Found = *offload, offload.Found
		require.Equal(t, want, bad, what)
	}
	_, err := t.store.Find(t.Context(), batch[1].ID)
	meets("find", err)
	end := t.end()
	for what, events := range map[string]iter.Seq2[contract.Recorded, error]{
		"stream": t.store.Stream(t.Context(), stream), "read": t.store.Read(t.Context(), nil, end), "follow": t.store.Follow(t.Context(), nil),
	} {
		var errs []error
		for e, err := range events {
			if err != nil {
				errs = append(errs, err)
			} else if e.Stream == stream {
				require.Equal(t, whole[0], e, "%s: what is before the bad event", what)
			}
		}
		require.Len(t, errs, 1, "%s: errors", what)
		meets(what, errs[0])
	}
	require.Len(t, t.stream("trade/UTI-2"), 1, "another stream")
	return bad
}

// beneath is a store that has something happen before each append.
type beneath struct {
	contract.Store
	before func([]contract.Event) error
}

func (s *beneath) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if err := s.before(events); err != nil {
		return nil, err
	}
	return s.Store.Append(ctx, stream, expected, events...)
}
