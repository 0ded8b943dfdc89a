package audittest

import (
	"bytes"
	"slices"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var tampering = []spec{
	{check.Check{
		ID: "L5.30", Points: 3, Invariant: "L5.I1",
		Title: "a change of any attribute is found, at the position of the event",
		Hint:  "compare the leaf of the event in the log with the archived leaf",
	}, everyAttribute},
	{check.Check{
		ID: "L5.31", Points: 3, Invariant: "L5.I5",
		Title: "Verify names the first bad position for every kind of tampering",
		Hint: "read the batch's range again and compare it with the leaves one by one; " +
			"if one side has an earlier position, the other side lacks that event",
	}, everyTampering},
	{check.Check{
		ID: "L5.32", Points: 1, Invariant: "L5.I5",
		Title: "of several faults, Verify names the first in the order of leaves",
		Hint:  "stop at the first fault",
	}, firstFault},
	{check.Check{
		ID: "L5.33", Points: 1, Invariant: "L5.I2",
		Title: "a skipped version in a stream is a fault",
		Hint:  "the versions of a stream run 1, 2, 3, … over the whole log",
	}, versions},
	{check.Check{
		ID: "L5.34", Points: 1, Invariant: "L5.I5",
		Title: "Verify changes nothing",
		Hint:  "Verify must not write to the archive",
	}, readOnly},
	{check.Check{
		ID: "L5.37", Points: 2, Invariant: "L5.I7",
		Title: "junk in the archive stops neither Seal nor Verify, whatever name it takes",
		Hint: "sign every object; if a name is taken by an object that your key did not sign, " +
			"use another name, and look for your object under all of them",
	}, junk},
}

// prepare seals the log twice. The checks then tamper with copies of it.
func prepare(t *trial) {
	t.log.Add(20)
	t.seal()
	t.log.Add(13)
	t.seal()
	t.log.Add(4)
}

// requireFault fails unless Verify finds a fault of the tampered log at a position.
func requireFault(t *trial, tampering string, log *Log, at contract.Position) {
	v := t.verify(log)
	if assert.NotNil(t, v.Fault, "%s at %s was not found", tampering, at) {
		assert.Equal(t, at, v.Fault.Position,
			"%s: the first bad position; the fault is %q", tampering, v.Fault.What)
		assert.NotEmpty(t, v.Fault.What, "%s: the fault has no text", tampering)
	}
}

func later(at *time.Time) { *at = at.Add(time.Microsecond) }

func everyAttribute(t *trial) {
	prepare(t)
	other := uuid.MustParse("01890000-0000-7000-8000-000000000000")
	at := t.log.Events()[8].Position
	for name, change := range map[string]func(*contract.Recorded){
		"stream":       func(r *contract.Recorded) { r.Stream += "x" },
		"type":         func(r *contract.Recorded) { r.Type += "x" },
		"actor":        func(r *contract.Recorded) { r.Actor += "x" },
		"approver":     func(r *contract.Recorded) { r.Approver = "" },
		"reason":       func(r *contract.Recorded) { r.Reason += " " },
		"entered_at":   func(r *contract.Recorded) { r.EnteredAt = r.EnteredAt.AddDate(0, 0, 1) },
		"command_id":   func(r *contract.Recorded) { r.CommandID += "x" },
		"source_line":  func(r *contract.Recorded) { r.SourceLine++ },
		"submitted_by": func(r *contract.Recorded) { r.SubmittedBy = "" },
		"append_group": func(r *contract.Recorded) { r.AppendGroup = uuid.Nil },
		"source time":  func(r *contract.Recorded) { r.SourceRecordedAt = time.Time{} },
		"source":       func(r *contract.Recorded) { r.Source += "x" },
		"traceparent":  func(r *contract.Recorded) { r.Traceparent = "" },
		"id":           func(r *contract.Recorded) { r.ID = other },
		"corrects":     func(r *contract.Recorded) { r.Corrects = uuid.Nil },
		"correlation":  func(r *contract.Recorded) { r.Correlation = other },
		"causation":    func(r *contract.Recorded) { r.Causation = other },
		"effective_at": func(r *contract.Recorded) { later(&r.EffectiveAt) },
		"recorded_at":  func(r *contract.Recorded) { later(&r.RecordedAt) },
		"version":      func(r *contract.Recorded) { r.Version++ },
		"schema":       func(r *contract.Recorded) { r.Schema++ },
		"fingerprint":  func(r *contract.Recorded) { r.Fingerprint[31] ^= 1 },
		"ends":         func(r *contract.Recorded) { r.Ends = !r.Ends },
		"wire format": func(r *contract.Recorded) {
			r.Data = append([]byte{0, 0, 0, 0, 8}, r.Data[5:]...)
		},
		"payload": func(r *contract.Recorded) { r.Data = append(slices.Clone(r.Data), 'x') },
	} {
		log := t.log.Clone()
		log.Change(at, change)
		requireFault(t, name+" changed", log, at)
	}
}

func everyTampering(t *trial) {
	prepare(t)
	for name, tamper := range tamperings(t.log) {
		log := t.log.Clone()
		at := tamper(log)
		requireFault(t, name, log, at)
	}
}

// tamperings are the kinds of tampering with a log that is sealed up to its event 6 at least. Each
// returns the first bad position.
func tamperings(log *Log) map[string]func(*Log) contract.Position {
	events := log.Events()
	first, a := events[0].Position, events[3].Position
	next, b := events[4].Position, events[6].Position
	return map[string]func(*Log) contract.Position{
		"first event changed": func(l *Log) contract.Position {
			l.FlipBit(first)
			return first
		},
		"one bit flipped":          func(l *Log) contract.Position { l.FlipBit(b); return b },
		"event deleted":            func(l *Log) contract.Position { l.Delete(a); return a },
		"event deleted, closed up": func(l *Log) contract.Position { l.CloseUp(a); return a },
		"event inserted": func(l *Log) contract.Position {
			at := l.Hole()
			l.Insert(at)
			return at
		},
		"two events swapped": func(l *Log) contract.Position { l.Swap(a, b); return a },
		"neighbours swapped": func(l *Log) contract.Position { l.Swap(a, next); return a },
		"payloads exchanged": func(l *Log) contract.Position { l.ExchangePayloads(a, b); return a },
		"tail cut":           func(l *Log) contract.Position { l.Cut(b); return b },
		"everything cut":     func(l *Log) contract.Position { l.Cut(first); return first },
	}
}

func firstFault(t *trial) {
	prepare(t)
	events := t.log.Events()
	log := t.log.Clone()
	log.FlipBit(events[7].Position)
	log.Delete(events[5].Position)
	log.FlipBit(events[2].Position)
	requireFault(t, "an event changed, one deleted and one changed", log, events[2].Position)
}

func versions(t *trial) {
	t.log.Add(8)
	at := t.log.SkipVersion()
	t.seal()
	requireFault(t, "a skipped version", t.log, at)
}

func readOnly(t *trial) {
	prepare(t)
	sealed := t.verify(t.log).Checkpoint
	bad := t.log.Clone()
	bad.FlipBit(t.log.Events()[0].Position)
	require.NotNil(t, t.verify(bad).Fault)
	v := t.verify(t.log)
	assert.Nil(t, v.Fault)
	assert.Equal(t, sealed, v.Checkpoint, "verifying a bad copy changed nothing")
	assert.Equal(t, int64(4), v.Unanchored)
}

// junk takes each name of a seal before the sealer needs it, with an object of no meaning, and with
// the sealer's own object of which one byte was changed: its signature is wrong, and nothing else.
func junk(t *trial) {
	t.log.Add(9)
	want := t.seal()
	names, err := t.bucket.List(t.Context(), "")
	require.NoError(t, err)
	require.NotEmpty(t, names, "the archive has what was sealed")
	for _, name := range names {
		object, err := t.bucket.Get(t.Context(), name)
		require.NoError(t, err)
		takeName(t, name, []byte("junk"), want)
		for quarter := range 3 {
			takeName(t, name, withOtherByte(object, quarter+1), want)
		}
	}
}

// takeName puts junk under a name of a new archive, and wants the undisturbed seal in spite of it.
func takeName(t *trial, name string, junk []byte, want contract.Checkpoint) {
	again := t.again()
	require.NoError(t, again.bucket.Put(t.Context(), name, junk))
	got, err := again.auditor(t.log).Seal(t.Context())
	if !assert.NoError(t, err, "Seal, with junk under the name %s:\n%s", name, junk) {
		return
	}
	assert.Equal(t, want.Root, got.Root, "the tree, with junk under the name %s", name)
	v := again.verify(t.log)
	assert.Nil(t, v.Fault, "Verify, with junk under the name %s", name)
	assert.Equal(t, want.Size, v.Checkpoint.Size, "the checkpoint that Verify finds")
}

// withOtherByte returns an object whose first letter from a quarter of its text on is another one.
// The text of a note ends before an empty line.
func withOtherByte(object []byte, quarter int) []byte {
	if len(object) == 0 {
		return []byte("A")
	}
	text, _, _ := bytes.Cut(object, []byte("\n\n"))
	from := len(text) * quarter / 4
	at := bytes.IndexFunc(text[from:], unicode.IsLetter)
	if at < 0 {
		at = 0
	}
	other := slices.Clone(object)
	if at += from; other[at] == 'A' || other[at] == 'a' {
		other[at] = 'B'
	} else {
		other[at] = 'A'
	}
	return other
}
