package audittest

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var sealing = []spec{
	{check.Check{
		ID: "L5.1", Points: 2, Invariant: "L5.I1",
		Title: "sealing takes every event of the log under a checkpoint",
		Hint:  "read from the beginning (a nil cursor) to the end of the log, and hash every event's Leaf",
	}, everyEvent},
	{check.Check{
		ID: "L5.2", Points: 1, Invariant: "L5.I3",
		Title: "a checkpoint is a signed note of origin, size and root",
		Hint:  "C2SP tlog-checkpoint: three lines, the root in standard base64, no extension lines",
	}, noteText},
	{check.Check{
		ID: "L5.3", Points: 1, Invariant: "L5.I2",
		Title: "with nothing new, sealing gives the last checkpoint",
		Hint:  "a range that holds no event, only markers, makes no batch",
	}, nothingNew},
	{check.Check{
		ID: "L5.4", Points: 2, Invariant: "L5.I2",
		Title: "each batch begins where the one before ended, after a restart too",
		Hint:  "take the range's begin from the last header in the archive",
	}, abut},
	{check.Check{
		ID: "L5.5", Points: 2, Invariant: "L5.I1",
		Title: "the same log sealed at the same places gives the same root",
		Hint:  "leaves go by partition and offset, not as the reader happens to give them",
	}, sameRoot},
	{check.Check{
		ID: "L5.6", Points: 3, Invariant: "L5.I4",
		Title: "sealers that run at once write one history",
		Hint:  "an object is put only where there is none; who comes second reads what is there and goes on",
	}, manySealers},
	{check.Check{
		ID: "L5.7", Points: 1, Invariant: "L5.I5",
		Title: "what lies past the last checkpoint is unanchored",
		Hint:  "count it apart: nothing vouches for it",
	}, unanchored},
}

func everyEvent(t *trial) {
	t.log.Add(23)
	c := t.seal()
	end, _ := t.log.End(t.Context())
	assert.Equal(t, end, c.End, "sealed up to the end of the log")
	v := t.verify(t.log)
	require.Nil(t, v.Fault)
	assert.Equal(t, int64(23), v.Sealed)
	assert.Zero(t, v.Unanchored)
	assert.Equal(t, c.Root, v.Checkpoint.Root)
	assert.Equal(t, v.Sealed+int64(v.Batches), c.Size, "leaves are the events and one header per batch")
}

func noteText(t *trial) {
	t.log.Add(3)
	c := t.seal()
	text, signatures, ok := strings.Cut(string(c.Note), "\n\n")
	require.True(t, ok, "a note is its text, an empty line, and signatures:\n%s", c.Note)
	root := base64.StdEncoding.EncodeToString(c.Root[:])
	assert.Equal(t, fmt.Sprintf("%s\n%d\n%s", c.Origin, c.Size, root), text)
	assert.True(t, strings.HasPrefix(signatures, "— "+c.Origin+" "), "the signature line names the origin:\n%s", signatures)
}

func nothingNew(t *trial) {
	t.log.Add(4)
	first := t.seal()
	assert.Equal(t, first, t.seal())
	t.log.AddMarkers()
	assert.Equal(t, first, t.seal(), "markers are no events")
	require.Nil(t, t.verify(t.log).Fault)
}

func abut(t *trial) {
	var last contract.Checkpoint
	for step := range 6 {
		t.log.Add(step*2 + 1)
		t.log.AddMarkers()
		c := t.seal()
		require.Greater(t, c.Size, last.Size)
		last = c
	}
	v := t.verify(t.log)
	require.Nil(t, v.Fault)
	assert.Equal(t, int64(36), v.Sealed)
	assert.Zero(t, v.Unanchored)
}

func sameRoot(t *trial) {
	again := &trial{T: t.T, log: NewLog(3), open: t.fixture.Archive(t.T)}
	for range 3 {
		t.log.Add(7)
		again.log.Add(7)
		assert.Equal(t, t.seal().Root, again.seal().Root)
	}
}

func manySealers(t *trial) {
	t.log.Add(6)
	slow := &interrupted{Log: t.log, by: func() {
		t.log.Add(5)
		t.seal()
	}}
	_, err := t.auditor(slow).Seal(t.Context())
	require.NoError(t, err, "a sealer that was overtaken goes on behind the other")
	v := t.verify(t.log)
	require.Nil(t, v.Fault, "one sealer was overtaken by another that saw more of the log")
	assert.Equal(t, int64(11), v.Sealed)

	for range 5 {
		together(t, 4)
	}
	t.seal()
	v = t.verify(t.log)
	require.Nil(t, v.Fault, "many sealers at once")
	assert.Equal(t, int64(31), v.Sealed)
}

// together has n sealers seal at once, while the log grows.
func together(t *trial, n int) {
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range errs {
		sealer := t.auditor(t.log)
		all.Go(func() {
			t.log.Add(1)
			_, errs[i] = sealer.Seal(t.Context())
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

// interrupted is a log whose first Read waits until something else was done.
type interrupted struct {
	*Log
	once sync.Once
	by   func()
}

func (i *interrupted) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	i.once.Do(i.by)
	return i.Log.Read(ctx, from, to)
}

func unanchored(t *trial) {
	t.log.Add(2)
	before := t.verify(t.log)
	require.Nil(t, before.Fault)
	assert.Equal(t, int64(2), before.Unanchored, "nothing is sealed yet")
	t.seal()
	t.log.Add(9)
	v := t.verify(t.log)
	require.Nil(t, v.Fault)
	assert.Equal(t, int64(2), v.Sealed)
	assert.Equal(t, int64(9), v.Unanchored)
}
