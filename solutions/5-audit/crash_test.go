package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// crashing is an archive whose n-th put fails. If landed, the object is written in spite of the
// error.
type crashing struct {
	audit.Archive
	mu     sync.Mutex
	n      int
	landed bool
}

var errCrash = errors.New("the connection broke")

func (c *crashing) Put(ctx context.Context, name string, data []byte) error {
	return c.write(func() error { return c.Archive.Put(ctx, name, data) })
}

func (c *crashing) Replace(ctx context.Context, name string, data []byte) error {
	return c.write(func() error { return c.Archive.Replace(ctx, name, data) })
}

func (c *crashing) write(write func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n != 0 {
		return write()
	}
	if c.landed {
		if err := write(); err != nil { // the name is taken: the next put lands, and fails
			c.n = 1
			return err
		}
	}
	return errCrash
}

// The fault table: each put of two seals fails once, with the object written and without, and once
// more in an archive in which junk has the first names. A new process then seals again. The root
// must be that of a run without a crash.
func TestACrashAtAnyPutKeepsTheRoot(t *testing.T) {
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

	for n := range 2 * len(puts) {
		for _, landed := range []bool{false, true} {
			n, junk := n%len(puts), n >= len(puts)
			t.Run(fmt.Sprintf("put %d landed %t junk %t", n+1, landed, junk), func(t *testing.T) {
				t.Parallel()
				log := audittest.NewLog(2)
				archive := &crashing{Archive: new(audit.Memory), landed: landed}
				if junk {
					plant(t, archive, puts[0], []byte("junk"))
					plant(t, archive, puts[len(puts)-1], []byte("junk"))
				}
				archive.n = n + 1
				crashes := 0
				seal := func() (c [32]byte) {
					for {
						a := open(t, log, archive)
						a.Warn = func(err error) { // only the copy of the checkpoint failed
							require.ErrorIs(t, err, errCrash)
							crashes++
						}
						got, err := a.Seal(t.Context())
						if err == nil {
							return got.Root
						}
						require.ErrorIs(t, err, errCrash)
						crashes++
						v, err := open(t, log, archive).Verify(t.Context())
						require.NoError(t, err)
						require.Nil(t, v.Fault, "batches without a checkpoint are no fault")
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

// The log grows between the crash and the next seal. That seal would build another batch, but
// adopts the archived one.
func TestABatchWithoutACheckpointIsAdopted(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		log := audittest.NewLog(2)
		archive := &crashing{Archive: new(audit.Memory), n: n + 1, landed: true}
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

func TestABatchOfAnotherHistoryIsRefused(t *testing.T) {
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

func TestALogThatWasCutIsNotSealed(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(6)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	log.Cut(at(0, 4))
	_, err = open(t, log, archive).Seal(t.Context())
	require.ErrorIs(t, err, audit.ErrCut)
}

// interrupted is an archive that calls a function immediately before its n-th put.
type interrupted struct {
	audit.Archive
	mu     sync.Mutex
	n      int
	before func()
}

func (i *interrupted) Put(ctx context.Context, name string, data []byte) error {
	i.mu.Lock()
	if i.n--; i.n == 0 {
		i.before()
	}
	i.mu.Unlock()
	return i.Archive.Put(ctx, name, data)
}

// The second sealer overtakes the first immediately before one of its puts, and sees more of the
// log. Junk has the first name of the first batch in half of the archives.
func TestTwoSealersWriteOneHistory(t *testing.T) {
	t.Parallel()
	for n := range 8 {
		t.Run(fmt.Sprintf("overtaken at put %d junk %t", n/2+1, n%2 == 1), func(t *testing.T) {
			t.Parallel()
			log, archive := audittest.NewLog(2), new(audit.Memory)
			log.Add(9)
			if n%2 == 1 {
				plant(t, archive, batch1, []byte("junk"))
			}
			overtaken := false
			slow := &interrupted{Archive: archive, n: n/2 + 1, before: func() {
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

// A batch that is adopted may end after the log's end that its adopter knows in one partition, and
// before it in another. The adopter's next batch goes back in neither.
func TestAdoptedBatchMayEndPastTheKnownEnd(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(2), new(audit.Memory)
	log.Add(2) // one in each partition
	slow := &interrupted{Archive: archive, n: 1, before: func() {
		log.Add(10)
		crashed := &crashing{Archive: archive, n: 2} // after its first batch, up to [4,0]
		_, err := open(t, log, crashed).Seal(t.Context())
		require.ErrorIs(t, err, errCrash)
	}}
	c, err := open(t, log, slow).Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, contract.Cursor{4, 1}, c.End)
	_, err = open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	v, err := open(t, log, archive).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Equal(t, int64(12), v.Sealed)
}

// uncopied is an archive that refuses to replace an object.
type uncopied struct{ audit.Archive }

func (uncopied) Replace(context.Context, string, []byte) error { return errCrash }

// A failed copy of the last checkpoint fails no seal. The seal returns its checkpoint with the
// offenders, keeps it, and gives a warning. The next seal writes the copy, without a new event.
func TestFailedCopyFailsNoSeal(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(3)
	log.AddAt("trade/late", time.Time{}.AddDate(2000, 0, 0))
	a := open(t, log, uncopied{archive})
	var kept []byte
	a.Keep = func(signed []byte) error { kept = signed; return nil }
	var warned error
	a.Warn = func(err error) { warned = err }
	c, err := a.Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, c.Note, kept)
	require.NotEmpty(t, c.Offenders)
	require.ErrorIs(t, warned, errCrash)
	_, err = archive.Current(t.Context(), copied)
	require.ErrorIs(t, err, audit.ErrAbsent)

	_, err = open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	last, err := archive.Current(t.Context(), copied)
	require.NoError(t, err)
	require.Equal(t, c.Note, last)
}
