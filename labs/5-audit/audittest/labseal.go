package audittest

import (
	"fmt"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var publishing = []labSpec{
	{Check: check.Check{
		ID: "L5.5", Points: 2, Invariant: "L5.I1", Operation: seal,
		Title: "a checkpoint covers every event of the log, and the header of its batch",
		Hint: "one batch of all events in a.read(ctx, next.From, end), with sealedEvents; the " +
			"tree has b.Leaves(), which end with the header",
		More: "b := contract.SealedBatch{First: …, Header: …, Events: sealedEvents(events)}; " +
			"a.putBatch(ctx, b); leaves = append(leaves, b.Leaves()...); a.publish(ctx, " +
			"int64(len(leaves)), Root(leaves))",
		Misconception: "that only events need to be in the tree",
	}, try: covers},
	{Check: check.Check{
		ID: "L5.6", Points: 2, Invariant: "L5.I2", Operation: seal,
		Title: "each header names the one before, and its range begins where that one ended",
		Hint: "Number counts from 1, Previous is hash(0, …) of the leaf of the last header, and " +
			"From is the To of the last header; a restart takes all of these from the archive",
		More: "for _, b := range batches: h := b.Header; next = contract.BatchHeader{Number: " +
			"h.Number + 1, Previous: hash(0, h.Leaf()), From: h.To}; in the first batch Previous " +
			"is zero. Then To and Events",
		Misconception: "that a process remembers where it stopped",
	}, try: chains},
	{Check: check.Check{
		ID: "L5.7", Points: 1, Invariant: "L5.I2", Operation: seal,
		Title: "without new events, Seal writes nothing and returns the last checkpoint",
		Hint: "events, and not offsets, make a batch: an end that moved past a control record is " +
			"nothing new",
		More: "if len(events) > 0 { … putBatch … }; if int64(len(leaves)) == c.Size { return c, " +
			"nil } before publish",
		Misconception: "that each Seal has something to sign",
	}, try: sealsNothing},
	{Check: check.Check{
		ID: "L5.8", Points: 4, Invariant: "L5.I3", Operation: seal,
		Title: "a crash between any two writes leaves no checkpoint without its leaves",
		Hint: "publish is the last write: everything that a signature covers is in the archive " +
			"before it",
		More: "putBatch, return its error, and only then publish: an error of putBatch may mean " +
			"that nothing was written",
		Misconception: "that a signed root is safe to show before its leaves are",
	}, try: publishesLast},
	{Check: check.Check{
		ID: "L5.9", Points: 3, Invariant: "L5.I3", Operation: seal,
		Title: "the Seal after a crash continues after a batch that the crash left",
		Hint: "begin with all batches of the archive, and not only with those that the last " +
			"checkpoint covers: the name of the left one is taken",
		More: "leaves and next come from every batch of a.archived; without new events, publish " +
			"these leaves if there are more than c.Size",
		Misconception: "that an object without a checkpoint can be written again",
	}, try: sealsAfterCrash},
	{Check: check.Check{
		ID: "L5.10", Points: 2, Invariant: "L5.I4", Operation: seal,
		Title: "nothing is signed over an archive that holds another history",
		Hint: "before you sign, compare the first c.Size leaves of the archive with the root of " +
			"the last checkpoint, and each batch after it with the log and with the batch before",
		More: "follows(b, int64(len(leaves)), next) for each batch, and end.Reaches(next.From) " +
			"after the last; if b.First >= c.Size, read b's range of the log: difference(b, " +
			"events) must be nil. After the loop len(leaves) >= c.Size and " +
			"Root(leaves[:c.Size]) == c.Root, if there is a checkpoint. Wrap ErrForked",
		Misconception: "that the archive is as it was left",
	}, try: refusesToSign},
}

func covers(t *labTrial) {
	log, shelf := t.newLog(3), new(Shelf)
	log.Add(20)
	for _, more := range []int{0, 13} {
		log.Add(more)
		c := t.seal(log, shelf)
		requireSealed(t, log, shelf, c)
	}
}

// requireSealed requires that a checkpoint of an archive covers a whole log, in order.
func requireSealed(t *labTrial, log *Log, shelf *Shelf, c contract.Checkpoint) {
	batches := shelf.batches()
	sealed := map[contract.Position]string{}
	for _, b := range batches {
		for _, e := range b.Events {
			sealed[e.Position] = string(e.Leaf)
		}
	}
	for _, r := range log.Events() {
		leaf, ok := sealed[r.Position]
		require.True(t, ok, "the event at %s is in no batch", r.Position)
		require.True(t, leaf == string(r.Leaf()), "the leaf of the event at %s", r.Position)
	}
	leaves := leavesOf(batches)
	require.Equal(t.Hint("the batch's header is its last leaf: take b.Leaves(), and count them"),
		int64(len(leaves)), c.Size, "the size of the checkpoint over %d events in %d batches",
		len(log.Events()), len(batches))
	want := merkleOf(leaves).root(c.Size)
	require.Equal(t, tlog.Hash(want).String(), tlog.Hash(c.Root).String(),
		"the root of the checkpoint of size %d", c.Size)
	published, ok := shelf.checkpoints()[c.Size]
	require.True(t, ok, "the checkpoint of size %d is not in the archive", c.Size)
	require.Equal(t, want, published, "the published root of size %d", c.Size)
}

func chains(t *labTrial) {
	log, shelf := t.newLog(3), new(Shelf)
	for n := range 3 {
		log.Add(5 + 3*n)
		log.AddMarkers()
		t.seal(log, shelf)
	}
	requireChain(t, log, shelf)
}

// requireChain requires that the batches of an archive follow one another, and hold all events of
// their ranges.
func requireChain(t *labTrial, log *Log, shelf *Shelf) {
	var last contract.BatchHeader
	var previous contract.Hash
	first := int64(0)
	for i, b := range shelf.batches() {
		h := b.Header
		require.Equal(t, int64(i+1), h.Number, "the number of batch %d", i+1)
		require.Equal(t, first, b.First, "the first leaf of batch %d", i+1)
		require.Equal(t, fmt.Sprintf("%x", previous), fmt.Sprintf("%x", h.Previous),
			"Previous of batch %d: the leaf hash of the header before it", i+1)
		require.Equal(t, last.To.String(), h.From.String(),
			"From of batch %d: To of the one before", i+1)
		var want, got []string
		for _, r := range log.Events() {
			if !h.From.Covers(r.Position) && h.To.Covers(r.Position) {
				want = append(want, r.Position.String())
			}
		}
		for _, e := range b.Events {
			got = append(got, e.Position.String())
		}
		require.Equal(t, want, got, "the events of batch %d, from %s to %s", i+1, h.From, h.To)
		require.Equal(t, int64(len(got)), h.Events, "Events of batch %d", i+1)
		last, previous = h, contract.Hash(tlog.RecordHash(h.Leaf()))
		first += int64(len(b.Leaves()))
	}
	for _, r := range log.Events() {
		require.True(t, last.To.Covers(r.Position), "the event at %s is in no batch", r.Position)
	}
}

func sealsNothing(t *labTrial) {
	log, shelf := t.newLog(3), new(Shelf)
	log.Add(9)
	want := t.seal(log, shelf)
	requireSealed(t, log, shelf, want)
	for _, change := range []func(){func() {}, log.AddMarkers} {
		change()
		puts := shelf.puts
		got := t.seal(log, shelf)
		require.Equal(t, puts, shelf.puts, "the writes to the archive")
		require.Equal(t, string(want.Note), string(got.Note), "the note of the checkpoint")
	}
}

// A failedSeal is a Seal in which a write failed.
type failedSeal struct {
	log    *Log
	shelf  *Shelf // as the Seal left it
	when   string // words for the failure
	sealed contract.Checkpoint
	err    error
}

// failures calls each with a Seal for every write that can fail, before or after it landed. Before
// the last ten events the log is sealed. survived is that of crash.
func failures(t *labTrial, survived bool, each func(failedSeal)) {
	words := map[bool]string{false: "after a crash", true: "after an error"}[survived]
	log, before := t.newLog(3), new(Shelf)
	for range 2 {
		log.Add(10)
		for at, more := 1, true; more; at++ {
			for _, landed := range []bool{false, true} {
				shelf := before.after(crash{at, landed, survived})
				c, err := t.trySeal(log, shelf)
				if more = shelf.failed != ""; !more {
					require.NoError(t, err, "Seal without a crash")
					require.Greater(t, at, 2, "Seal makes a batch and a checkpoint durable")
					break
				}
				place := map[bool]string{false: "before", true: "after"}[landed]
				when := fmt.Sprintf("%s %s write %d of Seal (%s)", words, place, at, shelf.failed)
				each(failedSeal{log, shelf.after(crash{}), when, c, err})
			}
		}
		t.seal(log, before)
	}
}

func publishesLast(t *labTrial) {
	failures(t, false, func(f failedSeal) { requireWhole(t, f) })
	returned := &labTrial{t.Hint("after an error of a write the object may be missing: return " +
		"the error, and publish only after putBatch returned none"), t.answer}
	failures(t, true, func(f failedSeal) {
		requireWhole(returned, f)
		if f.err == nil {
			requireSealed(returned, f.log, f.shelf, f.sealed)
		}
	})
}

// requireWhole requires that every checkpoint of an archive has its leaves there.
func requireWhole(t *labTrial, f failedSeal) {
	leaves := leavesOf(f.shelf.batches())
	for size, root := range f.shelf.checkpoints() {
		require.GreaterOrEqual(t, int64(len(leaves)), size,
			"%s there is a checkpoint of size %d, and so many leaves", f.when, size)
		require.Equal(t, merkleOf(leaves).root(size), root,
			"%s: the root of checkpoint %d", f.when, size)
	}
}

func sealsAfterCrash(t *labTrial) {
	failures(t, false, func(f failedSeal) {
		for _, more := range []int{0, 7} {
			log, shelf := f.log.Clone(), f.shelf.after(crash{})
			log.Add(more)
			c, err := t.trySeal(log, shelf)
			require.NoError(t, err, "%s, and %d more events: Seal", f.when, more)
			requireChain(t, log, shelf)
			requireSealed(t, log, shelf, c)
		}
	})
}

func refusesToSign(t *labTrial) {
	log, shelf := t.newLog(3), new(Shelf)
	log.Add(10)
	t.seal(log, shelf)
	log.Add(10)
	events := log.Events()
	left := shelf.after(crash{at: 2})
	_, _ = t.trySeal(log, left)
	other := log.Clone()
	for _, b := range left.batches()[1:] {
		other.FlipBit(b.Events[0].Position)
	}
	refuses(t, other, left, "a crash left a batch of events that the log does not have")
	linked := &labTrial{t.Hint("no signature covers the header of a batch that a crash left, " +
		"and difference reads only its own range: require follows(b, int64(len(leaves)), next)"),
		t.answer}
	for name, breaks := range sortedByName(brokenBatches) {
		broken := left.after(crash{})
		b := broken.batches()[1]
		breaks(&b)
		broken.putBatch(b)
		refuses(linked, log, broken, "a crash left batch 2, and somebody edited it: "+name)
	}
	negative := shelf.after(crash{})
	b := negative.batches()[0]
	clear(negative.objects)
	b.First, b.Events = -5, b.Events[:4]
	negative.putBatch(b)
	refuses(linked, log, negative, "an archive without a checkpoint has a batch at leaf -5")
	ahead := left.after(crash{})
	b = ahead.batches()[1]
	b.Header.To[0]++
	ahead.putBatch(b)
	refuses(&labTrial{t.Hint("the end of the log must reach the To of each batch: later events " +
		"in its range would be left out"), t.answer}, log, ahead,
		"a crash left batch 2, and somebody moved its To past the end of the log")

	changed := shelf.after(crash{})
	b = changed.batches()[0]
	b.Events[3].Leaf = events[4].Leaf()
	changed.putBatch(b)
	refuses(t, log, changed, "a leaf under the last checkpoint was changed in the archive")

	gone := shelf.after(crash{})
	delete(gone.objects, gone.names(batchNames)[0])
	refuses(t, log, gone, "a batch under the last checkpoint is gone from the archive")
}

// refuses requires that Seal fails and writes nothing.
func refuses(t *labTrial, log *Log, shelf *Shelf, when string) {
	shelf = shelf.after(crash{})
	_, err := t.trySeal(log, shelf)
	require.Error(t, err, "%s, and Seal signed it", when)
	require.Zero(t, shelf.puts, "%s: the writes of a Seal that refuses", when)
}
