package audittest

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var witnessing = []labSpec{
	{Check: check.Check{
		ID: "L5.17", Points: 2, Invariant: "L5.I9", Operation: cosign,
		Title: "a witness cosigns its first checkpoint, and each one that extends the last",
		Hint: "the first checkpoint has no proof; after that CheckConsistency from the last one, " +
			"which the witness must remember",
		More: "openCheckpoint; if w.last.Size > 0, CheckConsistency(next.Size, next.Root, " +
			"w.last.Size, w.last.Root, proof); then w.last = next",
		Misconception: "that the log remembers for the witness",
	}, try: cosigns},
	{Check: check.Check{
		ID: "L5.18", Points: 4, Invariant: "L5.I9", Operation: cosign,
		Title: "a witness refuses a fork, a shrunken log and a foreign note, and forgets nothing",
		Hint: "check everything before you remember anything: w.last moves only to a checkpoint " +
			"that was cosigned",
		More: "w.last = next is the last statement, after the errors of openCheckpoint and of " +
			"CheckConsistency were returned",
		Misconception: "that a signature by the log's key makes a checkpoint true",
	}, try: refusesToCosign},
}

// A stage is a witness that has cosigned size leaves of a tree.
type stage struct {
	*labTrial
	witness LabWitness
}

func (t *labTrial) stage() stage { return stage{t, t.answer.Witness()} }

// cosign gives a checkpoint of a tree to the witness, signed by a key, with a proof from old
// leaves.
func (s stage) cosign(m *merkle, size, old int64, origin string, key note.Signer) error {
	var proof []contract.Hash
	if old > 0 && old <= size {
		proof = m.consistency(size, old).proof
	}
	return s.offer(signed(origin, size, m.root(size), key), proof)
}

func (s stage) offer(signed []byte, proof []contract.Hash) error {
	err := s.witness.Cosign(signed, proof)
	s.Answered("Cosign", err)
	return err
}

func cosigns(t *labTrial) {
	tree, s := t.grown(40, 40, ""), t.stage()
	key, _ := Keys()
	last := int64(0)
	for _, size := range []int64{7, 8, 8, 13, 40} {
		err := s.cosign(tree, size, last, Origin, key)
		require.NoError(t, err, "the checkpoint of size %d, after one of size %d", size, last)
		last = size
	}
	err := s.cosign(t.grown(41, 9, "a fork"), 41, last, Origin, key)
	require.Error(t.Hint("CheckConsistency says whether a checkpoint extends the last one"), err,
		"after one of size 40, the checkpoint of size 41 of a fork")
}

func refusesToCosign(t *labTrial) {
	tree, fork := t.grown(20, 20, ""), t.grown(20, 6, "a fork")
	key, _ := Keys()
	stranger, _ := keysOf(Origin, "a stranger")
	neighbour, _ := keysOf("example.com/neighbour", "a neighbour")
	for _, tc := range []struct {
		name, hint string
		offer      func(s stage) error
	}{
		{"the next checkpoint, signed by another key", "openCheckpoint checks signature and origin",
			func(s stage) error { return s.cosign(tree, 13, 7, Origin, stranger) }},
		{"a checkpoint of another log", "openCheckpoint checks signature and origin",
			func(s stage) error {
				return s.cosign(tree, 13, 7, "example.com/neighbour", neighbour)
			}},
		{"an older checkpoint", "a log never shrinks: an older checkpoint hides events",
			func(s stage) error { return s.cosign(tree, 5, 0, Origin, key) }},
		{"an older checkpoint, with the proof that the last one extends it", "a log never " +
			"shrinks: the proof must lead from the last checkpoint to the next, and not back",
			func(s stage) error {
				older := signed(Origin, 5, tree.root(5), key)
				return s.offer(older, tree.consistency(7, 5).proof)
			}},
		{"the same size with another root", "two roots of one size are two histories",
			func(s stage) error { return s.cosign(fork, 7, 7, Origin, key) }},
		{"a larger checkpoint of a fork, with the fork's proof", "the proof must begin at the " +
			"root that the witness remembers, and not at one that the log names",
			func(s stage) error { return s.cosign(fork, 13, 7, Origin, key) }},
		{"a larger checkpoint without a proof", "no proof, no cosignature: the witness has no " +
			"leaves",
			func(s stage) error { return s.cosign(tree, 13, 0, Origin, key) }},
	} {
		s := t.stage()
		require.NoError(t, s.cosign(tree, 7, 0, Origin, key), "the first checkpoint")
		require.Error(t.Hint(tc.hint), tc.offer(s),
			"after a checkpoint of size 7 the witness cosigned %s", tc.name)
		require.NoError(t.Hint("a refused checkpoint must not take the place of the last one: "+
			"move w.last at the end"), s.cosign(tree, 13, 7, Origin, key),
			"after it refused %s, the witness must still cosign the next checkpoint of the log",
			tc.name)
	}
}

var tracing = []labSpec{
	{Check: check.Check{
		ID: "L5.19", Points: 3, Invariant: "L5.I10", Operation: trace,
		Title: "a trace has every event of the contract in version order, each with its proof",
		Hint: "the index of an event is that of its leaf in the whole tree: b.First and its " +
			"place in the batch; an event past the last checkpoint has index -1 and no proof",
		More: "indexes[e.Position] = b.First + int64(i) for the batches below the last " +
			"checkpoint, and their leaves; then Prove(leaves, i) for each event of " +
			"trade.TradeStream(uti) in a.read(ctx, nil, end)",
		Misconception: "that the version of an event is its place in the tree",
	}, try: traces},
	{Check: check.Check{
		ID: "L5.20", Points: 3, Invariant: "L5.I10", Operation: trace,
		Title: "a trace is refused if the log is not the sealed one, and names the place",
		Hint: "a proof shows that a row is sealed, and not that no row is missing: call Verify " +
			"first",
		More: "v, err := a.Verify(ctx); if err == nil && v.Fault != nil { err = v.Fault }; " +
			"return the error",
		Misconception: "that rows with proofs are all rows",
	}, try: refusesToTrace},
}

func traces(t *labTrial) {
	log, shelf := sealedTwice(t)
	last := shelf.after(crash{}).sign()
	for _, uti := range []string{"UTI-0", "UTI-3", "UTI-unknown"} {
		rows, under, err := t.trace(log, shelf, uti)
		require.NoError(t, err, "the trace of %s", uti)
		require.Equal(t, string(last.Note), string(under.Note), "the checkpoint of the trace")
		want := slices.DeleteFunc(log.Events(), func(r contract.Recorded) bool {
			return r.Stream != "trade/"+uti
		})
		require.Equal(t, versionsOf(want), versionsOfRows(rows), "the versions of %s", uti)
		for _, row := range rows {
			requireRow(t, shelf, last, row)
		}
	}
	left := killedBeforeCheckpoint(log, shelf)
	for n := range 5 {
		uti := fmt.Sprintf("UTI-%d", n)
		rows, under, err := t.trace(log, left, uti)
		require.NoError(t, err, "the trace of %s after a crash", uti)
		require.Equal(t, string(last.Note), string(under.Note), "the checkpoint after a crash")
		t := &labTrial{t.Hint("no checkpoint covers a batch that a crash left: its leaves are " +
			"in no proof, and its events have index -1; take only the batches that Verify " +
			"counts"), t.answer}
		for _, row := range rows {
			requireRow(t, shelf, last, row)
		}
	}
}

// requireRow requires that a row has the proof of its event under a checkpoint, if it covers it.
func requireRow(t *labTrial, shelf *Shelf, last contract.Checkpoint, row contract.TraceRow) {
	index := int64(-1)
	for _, b := range shelf.batches() {
		for i, e := range b.Events {
			if e.Position == row.Position {
				index = b.First + int64(i)
			}
		}
	}
	what := fmt.Sprintf("version %d of %s, at %s", row.Version, row.Stream, row.Position)
	require.Equal(t, index, row.Index, "%s: the index of its leaf (-1 without one)", what)
	var want []contract.Hash
	if index >= 0 {
		want = merkleOf(leavesOf(shelf.batches())).inclusion(last.Size, index).proof
	}
	require.Equal(t, texts(want), texts(row.Proof), "%s: the proof", what)
}

func versionsOf(events []contract.Recorded) string {
	text := ""
	for _, r := range events {
		text += fmt.Sprintf("%d ", r.Version)
	}
	return text
}

func versionsOfRows(rows []contract.TraceRow) string {
	var events []contract.Recorded
	for _, row := range rows {
		events = append(events, row.Recorded)
	}
	return versionsOf(events)
}

func refusesToTrace(t *labTrial) {
	log, shelf := sealedTwice(t)
	sealed := slices.DeleteFunc(log.Events(), func(r contract.Recorded) bool {
		return r.Stream != "trade/UTI-2" || r.Version > 6
	})
	hole := log.Hole()
	_, _, err := t.trace(log, shelf, "UTI-2")
	require.NoError(t, err, "the trace of a log that nobody has changed")
	for _, tc := range []struct {
		name, uti string
		at        contract.Position
		change    func(l *Log, at contract.Position)
	}{
		{"an event of the contract was changed", "UTI-2", sealed[1].Position, (*Log).FlipBit},
		{"the first event of the contract was deleted", "UTI-2", sealed[0].Position,
			(*Log).Delete},
		{"the last sealed event of the contract was deleted", "UTI-2",
			sealed[len(sealed)-1].Position, (*Log).Delete},
		{"an event was inserted", "UTI-inserted", hole, (*Log).Insert},
	} {
		changed := log.Clone()
		tc.change(changed, tc.at)
		rows, _, err := t.trace(changed, shelf, tc.uti)
		require.Error(t, err, "%s, and Trace returned %d rows", tc.name, len(rows))
		require.ErrorContains(t, err, tc.at.String(), "%s at %s: the error names the place",
			tc.name, tc.at)
	}
}
