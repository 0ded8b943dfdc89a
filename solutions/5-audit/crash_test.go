package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	audit "example.com/blotter/solutions/5-audit"
)

// crashing is an archive whose n-th put fails, with the object written or not.
type crashing struct {
	audit.Archive
	n      int
	landed bool
}

var errCrash = errors.New("the connection broke")

func (c *crashing) Put(ctx context.Context, name string, data []byte) error {
	c.n--
	if c.n != 0 {
		return c.Archive.Put(ctx, name, data)
	}
	if c.landed {
		if err := c.Archive.Put(ctx, name, data); err != nil {
			return err
		}
	}
	return errCrash
}

// The fault table: every put of two seals, landed or not, with the caller told of an error. Each time a new process seals again.
func TestACrashAtAnyPutLeadsToTheRootOfAnUndisturbedRun(t *testing.T) {
	t.Parallel()
	const first, second = 13, 9
	log, undisturbed := audittest.NewLog(2), new(audit.Memory)
	log.Add(first)
	_, err := open(t, log, undisturbed).Seal(t.Context())
	require.NoError(t, err)
	log.Add(second)
	want, err := open(t, log, undisturbed).Seal(t.Context())
	require.NoError(t, err)
	puts, err := undisturbed.List(t.Context(), "")
	require.NoError(t, err)
	require.Greater(t, len(puts), 8, "several batches and two checkpoints")

	for n := range len(puts) {
		for _, landed := range []bool{false, true} {
			t.Run(fmt.Sprintf("put %d landed %t", n+1, landed), func(t *testing.T) {
				t.Parallel()
				log, archive := audittest.NewLog(2), &crashing{Archive: new(audit.Memory), n: n + 1, landed: landed}
				crashes := 0
				seal := func() (c [32]byte) {
					for {
						got, err := open(t, log, archive).Seal(t.Context())
						if err == nil {
							return got.Root
						}
						require.ErrorIs(t, err, errCrash)
						crashes++
						v, err := open(t, log, archive).Verify(t.Context())
						require.NoError(t, err)
						require.Nil(t, v.Fault, "what a crash leaves behind is no fault")
					}
				}
				log.Add(first)
				seal()
				log.Add(second)
				require.Equal(t, want.Root, seal())
				require.Equal(t, 1, crashes)
				v, err := open(t, log, archive).Verify(t.Context())
				require.NoError(t, err)
				require.Nil(t, v.Fault)
				require.Equal(t, int64(first+second), v.Sealed)
			})
		}
	}
}

// The log goes on between the crash and the next seal, so that one would have built another batch. It takes over what is there.
func TestAnOrphanedBatchIsTakenOverThoughTheLogHasGrown(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		log, archive := audittest.NewLog(2), &crashing{Archive: new(audit.Memory), n: n + 1, landed: true}
		log.Add(9)
		_, err := open(t, log, archive).Seal(t.Context())
		require.ErrorIs(t, err, errCrash)
		log.Add(9)
		c, err := open(t, log, archive).Seal(t.Context())
		require.NoError(t, err)
		v, err := open(t, log, archive).Verify(t.Context())
		require.NoError(t, err)
		require.Nil(t, v.Fault)
		require.Equal(t, int64(18), v.Sealed)
		require.Equal(t, c.Root, v.Checkpoint.Root)
	}
}

func TestAnotherHistoryInAnOrphanedBatchIsNotSealedOver(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), &crashing{Archive: new(audit.Memory), n: 1, landed: true}
	log.Add(3)
	_, err := open(t, log, archive).Seal(t.Context())
	require.ErrorIs(t, err, errCrash)

	changed := log.Clone()
	changed.FlipBit(at(0, 1))
	_, err = open(t, changed, archive).Seal(t.Context())
	require.ErrorIs(t, err, audit.ErrForked)

	cut := log.Clone()
	cut.Cut(at(0, 1))
	_, err = open(t, cut, archive).Seal(t.Context())
	require.ErrorIs(t, err, audit.ErrForked)
}

func TestALogThatWasCutIsNotSealedOver(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(6)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	log.Cut(at(0, 4))
	_, err = open(t, log, archive).Seal(t.Context())
	require.ErrorIs(t, err, audit.ErrCut)
}

// meanwhile is an archive in which something else happens just before the n-th put.
type meanwhile struct {
	audit.Archive
	n    int
	what func()
}

func (m *meanwhile) Put(ctx context.Context, name string, data []byte) error {
	if m.n--; m.n == 0 {
		m.what()
	}
	return m.Archive.Put(ctx, name, data)
}

// Two sealers, of which the second overtakes the first just before each of its puts, and sees more of the log.
func TestOfTwoSealersOneIsFirstAndBothEndWithOneHistory(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		t.Run(fmt.Sprintf("overtaken at put %d", n+1), func(t *testing.T) {
			t.Parallel()
			log, archive := audittest.NewLog(2), new(audit.Memory)
			log.Add(9)
			overtaken := false
			slow := &meanwhile{Archive: archive, n: n + 1, what: func() {
				overtaken = true
				log.Add(5)
				_, err := open(t, log, archive).Seal(t.Context())
				require.NoError(t, err)
			}}
			_, err := open(t, log, slow).Seal(t.Context())
			require.NoError(t, err)
			require.True(t, overtaken)

			v, err := open(t, log, archive).Verify(t.Context())
			require.NoError(t, err)
			require.Nil(t, v.Fault)
			require.Equal(t, int64(14), v.Sealed)
		})
	}
}
