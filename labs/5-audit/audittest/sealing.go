package audittest

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var sealing = []spec{
	{check.Check{
		ID: "L5.23", Points: 2, Invariant: "L5.I1",
		Title: "a checkpoint covers every event of the log",
		Hint:  "read from the beginning (a nil cursor) to the end; hash the Leaf of each event",
	}, everyEvent},
	{check.Check{
		ID: "L5.24", Points: 1, Invariant: "L5.I3",
		Title: "a checkpoint is a signed note of origin, size and root",
		Hint:  "C2SP tlog-checkpoint: three lines, the root in standard base64, no extension lines",
	}, noteText},
	{check.Check{
		ID: "L5.25", Points: 1, Invariant: "L5.I2",
		Title: "without new events, Seal returns the last checkpoint",
		Hint:  "a range with markers and no event makes no batch",
	}, nothingNew},
	{check.Check{
		ID: "L5.26", Points: 2, Invariant: "L5.I2",
		Title: "each batch begins where the one before ended, also after a restart",
		Hint:  "take the beginning of the range from the last header in the archive",
	}, abut},
	{check.Check{
		ID: "L5.27", Points: 2, Invariant: "L5.I1",
		Title: "the same log, sealed at the same ends, gives the same root",
		Hint:  "order leaves by partition and offset, not by the order of the reader",
	}, sameRoot},
	{check.Check{
		ID: "L5.28", Points: 3, Invariant: "L5.I4",
		Title: "sealers that run at the same time write one history",
		Hint:  "put an object only if its name is free; otherwise read it and continue",
	}, manySealers},
	{check.Check{
		ID: "L5.29", Points: 1, Invariant: "L5.I5",
		Title: "events past the last checkpoint are unanchored",
		Hint:  "count these events separately: no signature covers them",
	}, unanchored},
	{check.Check{
		ID: "L5.35", Points: 2, Invariant: "L5.I6",
		Title: "an event that claims a time before an earlier frontier is sealed and named",
		Hint: "ask for CommitFrontier, then for End; state that frontier in the header, and " +
			"compare the events of later batches with it",
	}, backdated},
	{check.Check{
		ID: "L5.36", Points: 1, Invariant: "L5.I6",
		Title: "an event that runs backwards or comes after the sealing time is named, and the " +
			"events after it are not",
		Hint: "an offender is no measure for the events after it: leave it out when you remember " +
			"the latest time",
	}, offenders},
}

func everyEvent(t *trial) {
	t.log.Add(23)
	c := t.seal()
	end, _ := t.log.End(t.Context())
	assert.Equal(t, end, c.End, "the log is sealed up to its end")
	v := t.verify(t.log)
	require.Nil(t, v.Fault)
	assert.Equal(t, int64(23), v.Sealed)
	assert.Zero(t, v.Unanchored)
	assert.Equal(t, c.Root, v.Checkpoint.Root)
	leaves := v.Sealed + int64(v.Batches)
	assert.Equal(t, leaves, c.Size, "the leaves are the events and one header for each batch")
}

func noteText(t *trial) {
	t.log.Add(3)
	c := t.seal()
	text, signatures, ok := strings.Cut(string(c.Note), "\n\n")
	require.True(t, ok, "a note has its text, an empty line, and signatures:\n%s", c.Note)
	root := base64.StdEncoding.EncodeToString(c.Root[:])
	assert.Equal(t, fmt.Sprintf("%s\n%d\n%s", c.Origin, c.Size, root), text)
	assert.True(t, strings.HasPrefix(signatures, "— "+c.Origin+" "),
		"the signature line names the origin:\n%s", signatures)
}

func nothingNew(t *trial) {
	t.log.Add(4)
	first := t.seal()
	assert.Equal(t, first, t.seal())
	t.log.AddMarkers()
	assert.Equal(t, first, t.seal(), "markers are not events")
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
	again := t.again()
	again.log = NewLog(3)
	for range 3 {
		t.log.Add(7)
		again.log.Add(7)
		assert.Equal(t, t.seal().Root, again.seal().Root)
	}
}

func manySealers(t *trial) {
	t.log.Add(6)
	slow := &interrupted{Log: t.log, before: func() {
		t.log.Add(5)
		t.seal()
	}}
	_, err := t.auditor(slow).Seal(t.Context())
	require.NoError(t, err, "a sealer that was overtaken continues after the other")
	v := t.verify(t.log)
	require.Nil(t, v.Fault, "one sealer was overtaken by another that read more of the log")
	assert.Equal(t, int64(11), v.Sealed)

	for range 5 {
		sealAtOnce(t, 4)
	}
	t.seal()
	v = t.verify(t.log)
	require.Nil(t, v.Fault, "several sealers at once")
	assert.Equal(t, int64(31), v.Sealed)
}

// sealAtOnce runs n sealers at the same time, while the log grows.
func sealAtOnce(t *trial, n int) {
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

// interrupted is a log that calls a function before its first Read after CommitFrontier.
type interrupted struct {
	*Log
	once   sync.Once
	armed  bool
	before func()
}

// CommitFrontier arms the interruption: a sealer that asked for a frontier is about to read events.
func (i *interrupted) CommitFrontier(ctx context.Context) (time.Time, error) {
	i.armed = true
	return i.Log.CommitFrontier(ctx)
}

func (i *interrupted) Read(ctx context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	if i.armed {
		i.once.Do(i.before)
	}
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

// requireOffenders fails unless the offenders are those at some positions.
func requireOffenders(t *trial, when string, all []contract.Offender, at ...contract.Position) {
	var found []contract.Position
	for _, o := range all {
		found = append(found, o.Position)
		assert.NotEmpty(t, o.What, "%s: the offender at %s has no text", when, o.Position)
	}
	assert.ElementsMatch(t, at, found, "%s: offenders", when)
}

func backdated(t *trial) {
	t.log.Add(7)
	requireOffenders(t, "an honest seal", t.seal().Offenders)
	bad := t.log.AddAt("trade/UTI-9", Noon.AddDate(-24, 0, 0))
	requireOffenders(t, "before it is sealed", t.verify(t.log).Offenders, bad)
	t.log.Add(5)
	requireOffenders(t, "the seal that meets it", t.seal().Offenders, bad)
	t.log.Add(5)
	requireOffenders(t, "the next seal", t.seal().Offenders)
	v := t.verify(t.log)
	require.Nil(t, v.Fault, "what is on record is sealed")
	assert.Zero(t, v.Unanchored)
	requireOffenders(t, "Verify", v.Offenders, bad)
}

func offenders(t *trial) {
	t.log.Add(9)
	ahead := t.log.AddAt("trade/UTI-0", Noon.AddDate(70, 0, 0))
	t.log.Add(5)
	back := t.log.AddAt("trade/UTI-0", Noon.Add(time.Microsecond))
	t.log.Add(5)
	requireOffenders(t, "Seal", t.seal().Offenders, ahead, back)
	v := t.verify(t.log)
	require.Nil(t, v.Fault)
	requireOffenders(t, "Verify", v.Offenders, ahead, back)
}
