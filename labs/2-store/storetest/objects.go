package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

type objectSpec struct {
	check.Check
	try func(t check.T, b contract.Blobs, put set)
}

func (c objectSpec) bind(open func(t check.T) (contract.Blobs, set)) check.Check {
	c.Func = func(t check.T) {
		b, put := open(t)
		c.try(t, watchedBlobs{b, t}, put)
	}
	return c.Check
}

var objects = []objectSpec{{
	Check: check.Check{
		ID: "L2.59", Points: 1, Invariant: "L2.I11",
		Title: "Get finds an object by its SHA-256, and returns ErrNoBlob for an unknown " +
			"digest",
		Misconception: "that the caller chooses the name of an object: its name is the digest of " +
			"its bytes",
		Hint: "store an empty payload like any other",
	},
	try: func(t check.T, b contract.Blobs, _ set) {
		large := bytes.Repeat([]byte("large"), 1<<20)
		for _, data := range [][]byte{[]byte("one"), []byte("two"), {}, large} {
			_, err := b.Get(t.Context(), sha256.Sum256(data))
			require.ErrorIs(t, err, contract.ErrNoBlob)
			digest, err := b.Put(t.Context(), data)
			require.NoError(t, err)
			require.Equal(t, sha256.Sum256(data), digest)
		}
		got, err := b.Get(t.Context(), sha256.Sum256([]byte("one")))
		require.NoError(t, err)
		require.Equal(t, "one", string(got))
		got[0] = 'x'
		got, err = b.Get(t.Context(), sha256.Sum256([]byte("one")))
		require.NoError(t, err)
		require.Equal(t, "one", string(got), "after a reader changed its copy")
	},
}, {
	Check: check.Check{
		ID: "L2.60", Points: 1, Invariant: "L2.I12",
		Title:         "the same data again is no error, even from concurrent writers",
		Misconception: "that an existing object is an error: every retry finds one",
		Hint: "let the object store decide (If-None-Match: *), and treat its refusal as " +
			"success",
	},
	try: func(t check.T, b contract.Blobs, _ set) {
		data := []byte("the same")
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, errs[i] = b.Put(t.Context(), data) })
		}
		all.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		got, err := b.Get(t.Context(), sha256.Sum256(data))
		require.NoError(t, err)
		require.Equal(t, data, got)
	},
}, {
	Check: check.Check{
		ID: "L2.61", Points: 2, Invariant: "L2.I11",
		Title: "an acknowledged object is intact, even if other bytes were stored under " +
			"its digest",
		Misconception: "that an existing object has the right bytes",
		Hint:          "compare an existing object with the data, and replace it if it is damaged",
	},
	try: func(t check.T, b contract.Blobs, put set) {
		data := []byte("the right bytes")
		put(sha256.Sum256(data), []byte("damaged bytes"))
		got, err := b.Get(t.Context(), sha256.Sum256(data))
		require.NoError(t, err)
		require.Equal(t, "damaged bytes", string(got), "Get returns the bytes as found")
		_, err = b.Put(t.Context(), data)
		require.NoError(t, err)
		got, err = b.Get(t.Context(), sha256.Sum256(data))
		require.NoError(t, err)
		require.Equal(t, data, got)
	},
}}

// fakeBlobs is the object storage of the offload checks. It can be full, or not answer.
type fakeBlobs struct {
	mu         sync.Mutex
	stored     map[[32]byte][]byte
	full, away bool
}

var (
	errBlobsFull = errors.New("object storage is full")
	errBlobsAway = errors.New("object storage does not answer")
)

func (s *fakeBlobs) Put(_ context.Context, data []byte) ([32]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return [32]byte{}, errBlobsFull
	}
	digest := sha256.Sum256(data)
	s.stored[digest] = slices.Clone(data)
	return digest, nil
}

func (s *fakeBlobs) Get(_ context.Context, digest [32]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.stored[digest]
	switch {
	case s.away:
		return nil, errBlobsAway
	case !ok:
		return nil, contract.ErrNoBlob
	}
	return slices.Clone(data), nil
}
