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
	try func(t check.T, b contract.Blobs, put func([32]byte, []byte))
}

func (c objectSpec) bind(open func(t check.T) (contract.Blobs, func([32]byte, []byte))) check.Check {
	c.Func = func(t check.T) {
		b, put := open(t)
		c.try(t, watchedBlobs{b, t}, put)
	}
	return c.Check
}

var objects = []objectSpec{{
	Check: check.Check{ID: "L2.46", Points: 1, Invariant: "L2.I11", Title: "what was put is found under its SHA-256, and what was not is ErrNoBlob",
		Misconception: "that an object has a name of one's choice: it is found by what it is",
		Hint:          "an empty payload is one too"},
	try: func(t check.T, b contract.Blobs, _ func([32]byte, []byte)) {
		for _, data := range [][]byte{[]byte("one"), []byte("two"), {}, bytes.Repeat([]byte("large"), 1<<20)} {
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
	Check: check.Check{ID: "L2.47", Points: 1, Invariant: "L2.I12", Title: "the same data again is no error, by many writers at once neither",
		Misconception: "that writing what is there already is an error: a retry does nothing else",
		Hint:          "let the object store decide (If-None-Match: *), and take its refusal for what it is: the object is there"},
	try: func(t check.T, b contract.Blobs, _ func([32]byte, []byte)) {
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
	Check: check.Check{ID: "L2.48", Points: 2, Invariant: "L2.I11", Title: "what was acknowledged is there, even if something else had its place",
		Misconception: "that an object which is there is the right one",
		Hint:          "an object that is there already is not yet the right one: compare, and replace what is damaged"},
	try: func(t check.T, b contract.Blobs, put func([32]byte, []byte)) {
		data := []byte("what it should be")
		put(sha256.Sum256(data), []byte("what a bad disk made of it"))
		got, err := b.Get(t.Context(), sha256.Sum256(data))
		require.NoError(t, err)
		require.Equal(t, "what a bad disk made of it", string(got), "it is for who reads to compare")
		_, err = b.Put(t.Context(), data)
		require.NoError(t, err)
		got, err = b.Get(t.Context(), sha256.Sum256(data))
		require.NoError(t, err)
		require.Equal(t, data, got)
	},
}}

// shelf is the object storage of the checks of offloads. It can be full, or away.
type shelf struct {
	mu         sync.Mutex
	kept       map[[32]byte][]byte
	full, away bool
}

var (
	errShelfFull = errors.New("no room for another object")
	errShelfAway = errors.New("no answer")
)

func (s *shelf) Put(_ context.Context, data []byte) ([32]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return [32]byte{}, errShelfFull
	}
	digest := sha256.Sum256(data)
	s.kept[digest] = slices.Clone(data)
	return digest, nil
}

func (s *shelf) Get(_ context.Context, digest [32]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.kept[digest]
	switch {
	case s.away:
		return nil, errShelfAway
	case !ok:
		return nil, contract.ErrNoBlob
	}
	return slices.Clone(data), nil
}
