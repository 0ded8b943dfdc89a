package audittest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var verifying = []labSpec{
	{Check: check.Check{
		ID: "L5.13", Points: 2, Invariant: "L5.I5", Operation: verify,
		Title: "an untouched log has no fault; events past the last checkpoint are unanchored",
		Hint: "walk from checkpoint to checkpoint; the events in a.read(ctx, next.From, end), " +
			"after the last batch that a checkpoint covers, are unanchored",
		More: "for _, c := range checkpoints { for int64(len(leaves)) < c.Size { … next batch … " +
			"} }: a batch that a crash left is then never reached",
		Misconception: "that an archived batch is a sealed one",
	}, try: untouched},
	{Check: check.Check{
		ID: "L5.14", Points: 3, Invariant: "L5.I5", Operation: verify,
		Title: "each kind of tampering with the log is found, at its first bad position",
		Hint: "difference(b, events) of each batch and its range finds the place; keep the " +
			"first one, and return it when the next checkpoint holds",
		More: "if differs == nil { differs = difference(b, events) }; after the root of c is " +
			"right: if differs != nil { v.Fault = differs; return v, nil }",
		Misconception: "that a right root says that the log is right: the root is of the archive",
	}, try: tamperedLog},
	{Check: check.Check{
		ID: "L5.15", Points: 3, Invariant: "L5.I5", Operation: verify,
		Title: "if the batches do not give a signed root, the archive is at fault, and not the log",
		Hint: "where log and archive differ, the signature decides: compute the root of the " +
			"archived leaves at each checkpoint before you blame the log",
		More: "if int64(len(leaves)) != c.Size || Root(leaves) != c.Root { v.Fault = " +
			"archiveFault(differs, …) }, BEFORE differs is returned; a missing batch is an " +
			"archiveFault, too",
		Misconception: "that an archive which equals the log is the sealed one",
	}, try: tamperedArchive},
	{Check: check.Check{
		ID: "L5.16", Points: 3, Invariant: "L5.I2", Operation: verify,
		Title: "a broken link between two headers is a fault, although the signature holds",
		Hint: "the sealer itself may leave events out: compare Number, Previous, From and " +
			"Events of each header with the batch before it (follows)",
		More: "if !follows(b, int64(len(leaves)), next), archiveFault; next = contract." +
			"BatchHeader{Number: h.Number + 1, Previous: hash(0, h.Leaf()), From: h.To}",
		Misconception: "that a signature says that the signed is complete",
	}, try: brokenLinks},
}

var duelling = []labSpec{
	{Check: check.Check{
		ID: "L5.21", Points: 2, Invariant: "L5.I5", Operation: verify, Bonus: true,
		Title:         "of several faults, Verify names the first in the order of leaves",
		Hint:          "keep the first difference: a later one must not take its place",
		More:          "compare only while differs == nil",
		Misconception: "that the last fault found is as good as the first",
	}, try: firstOfSeveral},
	{Check: check.Check{
		ID: "L5.22", Points: 3, Invariant: "L5.I5", Operation: verify, Bonus: true,
		Title: "of 150 random changes to a sealed log or its archive, none is missed",
		Hint: "the failure names the change; which of the checks L5.14 to L5.16 is about it? " +
			"Does Verify rely on the order, the number or the names of objects?",
		More: "every field of a header is either compared with the batch before it or covered by " +
			"the signed root: leaf hash, Number, Previous, From, Events, First",
		Misconception: "that tampering is always with one event",
	}, try: duel},
}

// sealedTwice returns a log with 33 sealed events in two batches and 4 later events, and its
// archive.
func sealedTwice(t *labTrial) (*Log, *Shelf) {
	log, shelf := t.newLog(3), new(Shelf)
	for _, n := range []int{20, 13} {
		log.Add(n)
		sealByHand(log, shelf)
	}
	log.Add(4)
	return log, shelf
}

// sealByHand seals without the student's code, so that the checks of Verify do not need Seal.
func sealByHand(log *Log, shelf *Shelf) {
	batches := shelf.batches()
	var last contract.BatchHeader
	next := contract.BatchHeader{Number: 1}
	for _, b := range batches {
		last = b.Header
		next = contract.BatchHeader{
			Number: last.Number + 1, Previous: contract.Hash(tlog.RecordHash(last.Leaf())),
		}
	}
	next.From, next.To = last.To, slices.Clone(log.end)
	b := contract.SealedBatch{First: int64(len(leavesOf(batches)))}
	for _, r := range log.Events() {
		if !next.From.Covers(r.Position) {
			e := contract.SealedEvent{Position: r.Position, Leaf: r.Leaf()}
			b.Events = append(b.Events, e)
		}
	}
	next.Events = int64(len(b.Events))
	b.Header = next
	if shelf.objects == nil {
		shelf.objects = map[string][]byte{}
	}
	shelf.putBatch(b)
	shelf.sign()
}

// sign publishes the checkpoint of all batches, as the holder of the key can.
func (s *Shelf) sign() contract.Checkpoint {
	leaves := leavesOf(s.batches())
	size := int64(len(leaves))
	key, _ := Keys()
	c := contract.Checkpoint{Origin: Origin, Size: size, Root: merkleOf(leaves).root(size)}
	c.Note = signed(Origin, size, c.Root, key)
	s.objects[fmt.Sprintf("%s%012d", checkpointNames, size)] = c.Note
	return c
}

// killedBeforeCheckpoint returns an archive with one more batch, which no checkpoint covers.
func killedBeforeCheckpoint(log *Log, shelf *Shelf) *Shelf {
	left := shelf.after(crash{})
	sealByHand(log, left)
	names := left.names(checkpointNames)
	delete(left.objects, names[len(names)-1])
	return left
}

func untouched(t *labTrial) {
	log, shelf := sealedTwice(t)
	left := killedBeforeCheckpoint(log, shelf)
	for _, tc := range []struct {
		when string
		from *Shelf
	}{
		{"sealed twice", shelf},
		{"sealed twice, and killed before the third checkpoint", left},
	} {
		v := t.verify(log, tc.from)
		require.Nil(t, v.Fault, "%s: the fault", tc.when)
		require.Equal(t, "35 leaves, 33 events in 2 batches, 4 unanchored",
			fmt.Sprintf("%d leaves, %d events in %d batches, %d unanchored", v.Checkpoint.Size,
				v.Sealed, v.Batches, v.Unanchored), "%s", tc.when)
	}
	v := t.verify(log, new(Shelf))
	require.Nil(t, v.Fault, "never sealed: the fault")
	require.Equal(t, int64(37), v.Unanchored, "never sealed: the unanchored events")
}

const wrongArchive = "the archive is wrong"

// requireClean requires that Verify finds no fault in a log before it is tampered with.
func requireClean(t *labTrial, log *Log, shelf *Shelf) {
	require.Nil(t, t.verify(log, shelf).Fault, "the fault of a log that nobody has changed")
}

func tamperedLog(t *labTrial) {
	log, shelf := sealedTwice(t)
	requireClean(t, log, shelf)
	for name, tamper := range sortedByName(tamperings(log)) {
		changed := log.Clone()
		at := tamper(changed)
		v := t.verify(changed, shelf)
		require.NotNil(t, v.Fault, "%s at %s was not found", name, at)
		require.Equal(t, at.String(), v.Fault.Position.String(),
			"%s: the first bad position; the fault is %q", name, v.Fault.What)
		require.NotContains(t, v.Fault.What, wrongArchive, "%s: the archive was blamed", name)
	}
}

// sortedByName yields a map in the order of its keys.
func sortedByName[V any](m map[string]V) func(yield func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

func tamperedArchive(t *labTrial) {
	log, shelf := sealedTwice(t)
	requireClean(t, log, shelf)
	for name, change := range sortedByName(map[string]func(log *Log, s *Shelf){
		"an event was changed in the log and in its batch": rewrite,
		"a leaf was changed": func(_ *Log, s *Shelf) {
			b := s.batches()[0]
			b.Events[5].Leaf = b.Events[6].Leaf
			s.putBatch(b)
		},
		"an event was removed from its batch": func(_ *Log, s *Shelf) {
			b := s.batches()[1]
			b.Events = b.Events[1:]
			b.Header.Events--
			s.putBatch(b)
		},
		"a batch was removed": func(_ *Log, s *Shelf) {
			delete(s.objects, s.names(batchNames)[1])
		},
		"the first checkpoint signs another root": func(_ *Log, s *Shelf) {
			key, _ := Keys()
			size := int64(len(s.batches()[0].Leaves()))
			name := s.names(checkpointNames)[0]
			s.objects[name] = signed(Origin, size, contract.Hash{}, key)
		},
	}) {
		changed, from := log.Clone(), shelf.after(crash{})
		change(changed, from)
		v := t.verify(changed, from)
		require.NotNil(t, v.Fault, "%s, and Verify found nothing", name)
		require.True(t, strings.HasPrefix(v.Fault.What, wrongArchive),
			"%s, and Verify says: %s; want an archiveFault", name, v.Fault)
	}
}

// rewrite changes an event in the log, and its leaf in the first batch.
func rewrite(log *Log, s *Shelf) {
	b := s.batches()[0]
	at := b.Events[5].Position
	log.FlipBit(at)
	for _, r := range log.Events() {
		if r.Position == at {
			b.Events[5].Leaf = r.Leaf()
		}
	}
	s.putBatch(b)
}

// brokenBatches break the link of a batch to the batch before it.
var brokenBatches = map[string]func(b *contract.SealedBatch){
	"Previous is the hash of another header": func(b *contract.SealedBatch) {
		b.Header.Previous[0] ^= 1
	},
	"Number skips one": func(b *contract.SealedBatch) { b.Header.Number++ },
	"From leaves an event out": func(b *contract.SealedBatch) {
		b.Header.From = b.Header.From.After(b.Events[0].Position)
		b.Events = b.Events[1:]
		b.Header.Events--
	},
	"Events counts one too few": func(b *contract.SealedBatch) { b.Header.Events-- },
}

func brokenLinks(t *labTrial) {
	for name, breaks := range sortedByName(brokenBatches) {
		log, shelf := t.newLog(1), new(Shelf)
		log.Add(6)
		sealByHand(log, shelf)
		log.Add(5)
		sealByHand(log, shelf)
		requireClean(t, log, shelf)
		delete(shelf.objects, shelf.names(checkpointNames)[1])
		b := shelf.batches()[1]
		breaks(&b)
		shelf.putBatch(b)
		shelf.sign()
		v := t.verify(log, shelf)
		require.NotNil(t, v.Fault, "batch 2: %s, and Verify found nothing", name)
		require.True(t, strings.HasPrefix(v.Fault.What, wrongArchive),
			"batch 2: %s, and Verify says: %s; want an archiveFault", name, v.Fault)
	}
}

func firstOfSeveral(t *labTrial) {
	log, shelf := sealedTwice(t)
	requireClean(t, log, shelf)
	delete(shelf.objects, shelf.names(checkpointNames)[0]) // one checkpoint covers both batches
	batches := shelf.batches()
	for _, at := range [][3]contract.Position{
		{batches[0].Events[2].Position, batches[0].Events[7].Position,
			batches[1].Events[4].Position},
		{batches[0].Events[9].Position, batches[1].Events[0].Position,
			batches[1].Events[1].Position},
	} {
		changed := log.Clone()
		changed.FlipBit(at[2])
		changed.Delete(at[1])
		changed.FlipBit(at[0])
		v := t.verify(changed, shelf)
		require.NotNil(t, v.Fault, "three faults, and Verify found none")
		require.Equal(t, at[0].String(), v.Fault.Position.String(), "the first of the faults at %s",
			fmt.Sprint(at[0], at[1], at[2]))
	}
}

func duel(t *labTrial) {
	log, shelf := sealedTwice(t)
	requireClean(t, log, shelf)
	random := rand.New(rand.NewPCG(5, 22))
	var sealed []contract.Position
	for _, b := range shelf.batches() {
		for _, e := range b.Events {
			sealed = append(sealed, e.Position)
		}
	}
	for n := range 150 {
		changed, from := log.Clone(), shelf.after(crash{})
		i := random.IntN(len(sealed))
		a, b := sealed[i], sealed[(i+1+random.IntN(len(sealed)-1))%len(sealed)]
		name := tamper(changed, from, a, b, random)
		v := t.verify(changed, from)
		require.NotNil(t, v.Fault, "change %d: %s, and Verify found nothing", n+1, name)
	}
}

// tamper makes one random change, and says which. a and b are positions of sealed events.
func tamper(log *Log, shelf *Shelf, a, b contract.Position, random *rand.Rand) string {
	batches := shelf.batches()
	batch := batches[random.IntN(len(batches))]
	e := random.IntN(len(batch.Events))
	where := fmt.Sprintf("batch %d", batch.Header.Number)
	h := &batch.Header
	switch kind := random.IntN(12); kind {
	case 0:
		log.FlipBit(a)
		return fmt.Sprintf("the event at %s was changed", a)
	case 1:
		log.Delete(a)
		return fmt.Sprintf("the event at %s was deleted", a)
	case 2:
		log.CloseUp(a)
		return fmt.Sprintf("the event at %s was deleted, and the hole closed", a)
	case 3:
		log.Swap(a, b)
		return fmt.Sprintf("the events at %s and %s were exchanged", a, b)
	case 4:
		log.Cut(a)
		return fmt.Sprintf("partition %d was cut at %d", a.Partition, a.Offset)
	case 5:
		log.ExchangePayloads(a, b)
		return fmt.Sprintf("the payloads at %s and %s were exchanged", a, b)
	case 6:
		delete(shelf.objects, shelf.names(batchNames)[h.Number-1])
		return where + " was removed from the archive"
	case 7:
		batch.Events = slices.Delete(batch.Events, e, e+1)
		where += fmt.Sprintf(" lost event %d", e)
	case 8:
		leaf := batch.Events[e].Leaf
		leaf[random.IntN(len(leaf))] ^= 1 << random.IntN(8)
		where += fmt.Sprintf(" has a bit of leaf %d flipped", e)
	case 9:
		h.Previous[random.IntN(32)] ^= 1 << random.IntN(8)
		where += " has a bit of Previous flipped"
	case 10:
		h.To = slices.Clone(h.To)
		h.To[random.IntN(len(h.To))]++
		where += " has another To"
	default:
		h.Events++
		where += " has another number of events"
	}
	shelf.putBatch(batch)
	return where
}
