package audittest

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var tampering = []spec{
	{check.Check{
		ID: "L5.8", Points: 3, Invariant: "L5.I1",
		Title: "a change of any attribute is found, at its position",
		Hint:  "compare the leaf of the event as read now with the archived one",
	}, everyAttribute},
	{check.Check{
		ID: "L5.9", Points: 3, Invariant: "L5.I5",
		Title: "whatever was done to the log, Verify names the first bad position",
		Hint:  "hold the range as read again against the leaves one for one; where one side is at an earlier position, the other lacks it",
	}, everyTampering},
	{check.Check{
		ID: "L5.10", Points: 1, Invariant: "L5.I5",
		Title: "of several faults, the first in the order of leaves is named",
		Hint:  "stop at the first",
	}, firstFault},
	{check.Check{
		ID: "L5.11", Points: 1, Invariant: "L5.I2",
		Title: "a version left out of a stream is a fault",
		Hint:  "versions of a stream run 1..n over the whole log",
	}, versions},
	{check.Check{
		ID: "L5.12", Points: 1, Invariant: "L5.I5",
		Title: "Verify changes nothing",
		Hint:  "it needs no right to write",
	}, onlyLooks},
}

// prepare seals a log in two steps. Tampering is then done to copies.
func prepare(t *trial) {
	t.log.Add(20)
	t.seal()
	t.log.Add(13)
	t.seal()
	t.log.Add(4)
}

// finds fails unless the tampered log is found out at the position.
func finds(t *trial, what string, log *Log, at contract.Position) {
	v := t.verify(log)
	if assert.NotNil(t, v.Fault, "%s at %s was not found", what, at) {
		assert.Equal(t, at, v.Fault.Position, "%s: the first bad position; it said %q", what, v.Fault.What)
		assert.NotEmpty(t, v.Fault.What, "%s: say what is wrong", what)
	}
}

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
		"source":       func(r *contract.Recorded) { r.Source += "x" },
		"traceparent":  func(r *contract.Recorded) { r.Traceparent = "" },
		"id":           func(r *contract.Recorded) { r.ID = other },
		"corrects":     func(r *contract.Recorded) { r.Corrects = uuid.Nil },
		"correlation":  func(r *contract.Recorded) { r.Correlation = other },
		"causation":    func(r *contract.Recorded) { r.Causation = other },
		"effective_at": func(r *contract.Recorded) { r.EffectiveAt = r.EffectiveAt.Add(time.Microsecond) },
		"recorded_at":  func(r *contract.Recorded) { r.RecordedAt = r.RecordedAt.Add(time.Microsecond) },
		"version":      func(r *contract.Recorded) { r.Version++ },
		"schema":       func(r *contract.Recorded) { r.Schema++ },
		"fingerprint":  func(r *contract.Recorded) { r.Fingerprint[31] ^= 1 },
		"ends":         func(r *contract.Recorded) { r.Ends = !r.Ends },
		"wire format":  func(r *contract.Recorded) { r.Data = append([]byte{0, 0, 0, 0, 8}, r.Data[5:]...) },
		"payload":      func(r *contract.Recorded) { r.Data = append(slices.Clone(r.Data), 'x') },
	} {
		log := t.log.Clone()
		log.Change(at, change)
		finds(t, name+" changed", log, at)
	}
}

func everyTampering(t *trial) {
	prepare(t)
	events := t.log.Events()
	first, a, b := events[0].Position, events[3].Position, events[6].Position
	for name, tamper := range map[string]func(*Log) contract.Position{
		"first event changed":      func(l *Log) contract.Position { l.FlipBit(first); return first },
		"one bit flipped":          func(l *Log) contract.Position { l.FlipBit(b); return b },
		"event deleted":            func(l *Log) contract.Position { l.Delete(a); return a },
		"event deleted, closed up": func(l *Log) contract.Position { l.CloseUp(a); return a },
		"event inserted":           func(l *Log) contract.Position { at := l.Hole(); l.Insert(at); return at },
		"two events swapped":       func(l *Log) contract.Position { l.Swap(a, b); return a },
		"neighbours swapped":       func(l *Log) contract.Position { l.Swap(a, events[4].Position); return a },
		"payloads exchanged":       func(l *Log) contract.Position { l.ExchangePayloads(a, b); return a },
		"tail cut":                 func(l *Log) contract.Position { l.Cut(b); return b },
		"everything cut":           func(l *Log) contract.Position { l.Cut(first); return first },
	} {
		log := t.log.Clone()
		at := tamper(log)
		finds(t, name, log, at)
	}
}

func firstFault(t *trial) {
	prepare(t)
	events := t.log.Events()
	log := t.log.Clone()
	log.FlipBit(events[7].Position)
	log.Delete(events[5].Position)
	log.FlipBit(events[2].Position)
	finds(t, "an event changed, one deleted and one changed", log, events[2].Position)
}

func versions(t *trial) {
	t.log.Add(8)
	at := t.log.SkipVersion()
	t.seal()
	finds(t, "a version left out", t.log, at)
}

func onlyLooks(t *trial) {
	prepare(t)
	sealed := t.verify(t.log).Checkpoint
	bad := t.log.Clone()
	bad.FlipBit(t.log.Events()[0].Position)
	require.NotNil(t, t.verify(bad).Fault)
	v := t.verify(t.log)
	assert.Nil(t, v.Fault)
	assert.Equal(t, sealed, v.Checkpoint, "verifying a bad copy left no trace")
	assert.Equal(t, int64(4), v.Unanchored)
}
