package chaos_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/chaos"
	"example.com/blotter/labs/kit/contract"
)

const (
	stream = "trade/chaos-0-0"
	limit  = time.Minute
)

// id returns the id with a name.
func id(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)) }

func ids(names ...string) (all []uuid.UUID) {
	for _, name := range names {
		all = append(all, id(name))
	}
	return all
}

// recordedAt returns the time of a version.
func recordedAt(version int64) time.Time {
	return time.Date(2025, 3, 30, 12, 0, int(version), 0, time.UTC)
}

func seen(name string, version int64) chaos.Seen {
	return chaos.Seen{
		ID: id(name), Stream: stream, Version: version, RecordedAt: recordedAt(version),
		Position: contract.Position{Offset: 10 * version},
	}
}

// events returns events as a read of the stream gives them, from version 1 on.
func events(names ...string) (all []chaos.Seen) {
	for i, name := range names {
		version := int64(i) + 1
		all = append(all, chaos.Seen{
			ID: id(name), Version: version, RecordedAt: recordedAt(version),
		})
	}
	return all
}

func ok(events ...chaos.Seen) chaos.Return {
	return chaos.Return{Outcome: chaos.OK, Events: events}
}

func acknowledged(from, to int64) chaos.Return {
	return chaos.Return{Outcome: chaos.OK, Receipts: receipts(from, to)}
}

func receipts(from, to int64) (all []contract.Receipt) {
	for v := from; v <= to; v++ {
		all = append(all, contract.Receipt{Version: v, RecordedAt: recordedAt(v)})
	}
	return all
}

// A tape is a history that a test writes.
type tape struct {
	entries []chaos.Entry
	ops     int
}

func (t *tape) add(e chaos.Entry) {
	e.At = int64(len(t.entries))
	t.entries = append(t.entries, e)
}

func (t *tape) fault(f chaos.AppliedFault) { t.add(chaos.Entry{Fault: &f}) }

func (t *tape) invoke(
	writer string, stale bool, kind chaos.Kind, expected int64, names ...string,
) int {
	t.ops++
	r := chaos.Request{
		Op: t.ops, Kind: kind, Stream: stream, Expected: expected, IDs: ids(names...),
	}
	t.add(chaos.Entry{Invoke: &chaos.Invoke{
		Request: r, Client: t.ops % 3, Writer: writer, Stale: stale,
	}})
	return t.ops
}

func (t *tape) returned(op int, r chaos.Return) {
	r.Op = op
	t.add(chaos.Entry{Return: &r})
}

// do adds an operation on writer two#1.
func (t *tape) do(r chaos.Return, kind chaos.Kind, expected int64, names ...string) {
	t.returned(t.invoke("two#1", false, kind, expected, names...), r)
}

// answer returns the return of an operation, for a change.
func (t *tape) answer(op int) *chaos.Return {
	for _, e := range t.entries {
		if e.Return != nil && e.Return.Op == op {
			return e.Return
		}
	}
	panic(op)
}

// replace replaces the return of an operation.
func (t *tape) replace(op int, r chaos.Return) {
	r.Op = op
	*t.answer(op) = r
}

// drop removes matching entries.
func (t *tape) drop(match func(chaos.Entry) bool) {
	t.entries = slices.DeleteFunc(t.entries, match)
}

// dropEvent removes an event from the log and from the feed.
func (t *tape) dropEvent(name string) {
	t.drop(func(e chaos.Entry) bool {
		return e.Logged != nil && e.Logged.ID == id(name) || e.Fed != nil && e.Fed.ID == id(name)
	})
}

// hang removes the answer of the append that waited for a stopped process.
func (t *tape) hang() {
	t.drop(func(e chaos.Entry) bool { return e.Return != nil && e.Return.Op == late })
}

// strike adds a fault long after all other entries.
func (t *tape) strike(after time.Duration, f chaos.AppliedFault) {
	t.entries = append(t.entries, chaos.Entry{At: int64(after), Fault: &f})
}

// record adds an event to the log and to the feed.
func (t *tape) record(s chaos.Seen) {
	logged, fed := s, s // two copies, because a test may change only one
	t.add(chaos.Entry{Logged: &logged})
	t.add(chaos.Entry{Fed: &fed})
}

func (t *tape) lastLogged() *chaos.Seen { return t.entries[len(t.entries)-2].Logged }
func (t *tape) lastFed() *chaos.Seen    { return t.entries[len(t.entries)-1].Fed }

// Operations of the tape of good.
const (
	first = iota + 1
	killed
	again
	late
	conflicting
	reading
	finding
	fenced
	last
	stale
	absent
)

// good returns a history with everything that may happen: a batch; an append whose writer was
// killed after it was recorded; a retry; a conflict; an append that waited for a stopped process,
// and was fenced; and a read by that process, which does not know the later events.
func good() *tape {
	t := new(tape)
	t.add(chaos.Entry{Run: &chaos.Run{Store: "kafka", Owned: true, Seed: 1}})
	t.returned(t.invoke("one#1", false, chaos.Append, 0, "a", "b"), acknowledged(1, 2))
	t.invoke("one#1", false, chaos.Append, 2, "c")
	t.fault(chaos.AppliedFault{Blow: chaos.Kill, To: "one#1"})
	t.do(acknowledged(3, 3), chaos.Append, 2, "c")
	t.fault(chaos.AppliedFault{Blow: chaos.Stall, To: "one#2"})
	op := t.invoke("one#2", true, chaos.Append, contract.Any, "x", "y") // answered below
	t.do(chaos.Return{Outcome: chaos.Conflict, Actual: 3}, chaos.Append, 2, "d")
	t.do(ok(events("a", "b", "c")...), chaos.Read, 0)
	t.do(ok(seen("c", 3)), chaos.Find, 0, "c")
	t.do(chaos.Return{Outcome: chaos.Fenced}, chaos.Append, 3, "e")
	t.do(acknowledged(4, 4), chaos.Append, 3, "g")
	t.fault(chaos.AppliedFault{Blow: chaos.Stall, To: "one#2", Woken: true})
	t.returned(t.invoke("one#2", true, chaos.Read, 0), ok(events("a", "b")...))
	t.returned(op, chaos.Return{Outcome: chaos.Fenced})
	t.do(chaos.Return{Outcome: chaos.Absent}, chaos.Find, 0, "x")
	for i, name := range []string{"a", "b", "c", "g"} {
		t.record(seen(name, int64(i)+1))
	}
	return t
}

func rulesOf(v chaos.Verdict) (rules []chaos.Rule) {
	for _, bad := range v.Violations {
		rules = append(rules, bad.Rule)
	}
	return rules
}

func TestGoodHistoryPasses(t *testing.T) {
	t.Parallel()
	v := chaos.Judge(good().entries, limit)
	require.Empty(t, v.Violations)
	require.Empty(t, v.Undecided)
	require.Equal(t, chaos.Counts{
		Attempts: 11, Appends: 6, Retries: 1, Acked: 3, Conflicts: 1, Unknown: 1, Landed: 1,
		Fenced: 2, Reads: 2, Finds: 2, Kills: 1, Stalls: 1, Late: 1, LateShut: 1,
		Events: 4, Streams: 1, Fed: 4, Takeovers: 1, Moved: 1,
		Digest: "dd062f1d935f46608d03783d11867119dc5e4ccd6e5ec0f1e0092fb49f94ba14",
	}, v.Counts)
}

// The time of a move begins with the first append that was sent after the fault.
func TestTimeOfAMove(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	ask := func(op int, name, writer string) *chaos.Invoke {
		r := chaos.Request{Op: op, Kind: chaos.Append, Stream: stream, IDs: ids(name)}
		return &chaos.Invoke{Request: r, Writer: writer}
	}
	done := func(op int, version int64) *chaos.Return {
		return &chaos.Return{Op: op, Outcome: chaos.OK, Receipts: receipts(version, version)}
	}
	first, next := seen("a", 1), seen("b", 2)
	v := chaos.Judge([]chaos.Entry{
		{Run: &chaos.Run{Owned: true}},
		{At: 1 * second, Invoke: ask(1, "a", "writer-1#1")},
		{At: 2 * second, Invoke: ask(4, "c", "writer-1#1")}, // is never answered
		{At: 2 * second, Return: done(1, 1)},
		{At: 3 * second, Fault: &chaos.AppliedFault{Blow: chaos.Kill, To: "writer-1#1"}},
		{At: 4 * second, Invoke: ask(2, "b", "writer-2#1")},
		{At: 4 * second, Return: &chaos.Return{Op: 2, Outcome: chaos.Unknown}},
		{At: 6 * second, Invoke: ask(3, "b", "writer-2#1")},
		{At: 9 * second, Return: done(3, 2)},
		{Logged: &first}, {Logged: &next},
	}, limit)
	require.Equal(t, 1, v.Counts.Moved)
	require.InDelta(t, 5, v.Counts.MovedMost, 0)
	require.InDelta(t, 5, v.Counts.MovedMedian, 0)
}

// A flaw is a change of the good history, and the violation that the judge must find.
type flaw struct {
	spoil func(*tape)
	rule  chaos.Rule
	says  string
}

var flawsOfTheLog = map[string]flaw{
	"acknowledged event lost": {func(h *tape) { h.dropEvent("g") }, chaos.Kept,
		fmt.Sprintf("event %s was acknowledged as version 4", id("g"))},
	"other receipts for a retry": {
		func(h *tape) { h.answer(again).Receipts = receipts(4, 4) }, chaos.Kept,
		"acknowledged as version 4 of trade/chaos-0-0 at 2025-03-30T12:00:04Z, " +
			"and the log has it as version 3"},
	"time differs from the receipt": {
		func(h *tape) { h.answer(last).Receipts[0].RecordedAt = recordedAt(9) }, chaos.Kept,
		"12:00:09Z"},
	"half a batch": {func(h *tape) { h.record(seen("x", 5)) }, chaos.Whole,
		"only 1 of the 2 events of a batch"},
	"batch torn apart": {func(h *tape) {
		h.answer(late).Outcome = chaos.Unknown
		h.record(seen("x", 5))
		h.record(seen("?", 6))
		h.record(seen("y", 7))
	}, chaos.Whole, "are not adjacent"},
	"event twice": {func(h *tape) { h.record(seen("c", 5)) }, chaos.Once,
		fmt.Sprintf("event %s is in the log again, as version 5", id("c"))},
	"version missing": {func(h *tape) { h.dropEvent("b") }, chaos.Dense,
		"has version 3 in place of version 2"},
	"time runs backwards": {
		func(h *tape) { h.lastLogged().RecordedAt = recordedAt(2) }, chaos.Forward, "partition 0"},
	"event never sent": {func(h *tape) { h.record(seen("?", 5)) }, chaos.Sent,
		"no client sent event"},
	"event in another stream": {func(h *tape) {
		h.answer(fenced).Outcome = chaos.Unknown
		s := seen("e", 5)
		s.Stream, s.Version = "trade/X", 1
		h.record(s)
	}, chaos.Sent, fmt.Sprintf("event %s, version 1 of trade/X, differs from", id("e"))},
	"event altered": {func(h *tape) { h.lastLogged().Altered = true }, chaos.Sent,
		"differs from the sent event"},
	"fenced batch recorded": {func(h *tape) {
		h.record(seen("x", 5))
		h.record(seen("y", 6))
	}, chaos.Shut, `was answered "fenced" and is in the log`},
	"conflict recorded": {func(h *tape) { h.record(seen("d", 5)) }, chaos.Shut,
		`was answered "conflict"`},
}

var flawsOfTheFeed = map[string]flaw{
	"reader folds another log": {func(h *tape) { h.add(chaos.Entry{Folded: "ab"}) }, chaos.Agreed,
		"reader 1 folds the log to ab, and not to dd06"},
	"services of two states": {func(h *tape) {
		one := chaos.State{Writer: "one#1", Events: 7, Equal: true, Digest: "ab"}
		two := chaos.State{Writer: "two#1", Events: 7, Equal: true, Digest: "cd"}
		h.add(chaos.Entry{State: &one})
		h.add(chaos.Entry{State: &two})
	}, chaos.Agreed, "two#1 replays 7 events to the state cd, and one#1 7 events to ab"},
	"read model unlike a replay": {func(h *tape) {
		h.add(chaos.Entry{State: &chaos.State{Writer: "one#1", Events: 7, Digest: "ab"}})
	}, chaos.Agreed, "the read model of one#1 is not equal to a replay"},
	"feed gives another time": {
		func(h *tape) { h.lastFed().RecordedAt = recordedAt(9) }, chaos.Fed, "the log differs"},
	"feed gives an event twice": {
		func(h *tape) { h.add(h.entries[len(h.entries)-1]) }, chaos.Fed, "twice"},
	"feed leaves an event out": {
		func(h *tape) { h.entries = h.entries[:len(h.entries)-1] }, chaos.Fed,
		"the feed never gave 1 events"},
	"feed changes the order": {func(h *tape) {
		n := len(h.entries)
		h.entries[n-1], h.entries[n-3] = h.entries[n-3], h.entries[n-1]
	}, chaos.Fed, "gave version 4 of trade/chaos-0-0 after version 2"},
	"feed gives an unknown event": {func(h *tape) {
		s := seen("x", 5)
		h.add(chaos.Entry{Fed: &s})
	}, chaos.Fed, "is not in the log"},
}

var flawsOfAnswers = map[string]flaw{
	"stale read": {
		func(h *tape) { a := h.answer(reading); a.Events = a.Events[:2] }, chaos.Linearizable,
		"operation 6 (read → 2) is the first impossible answer"},
	"read of an unknown event": {
		func(h *tape) { h.answer(stale).Events[1].ID = id("x") }, chaos.Prefix,
		"one#2 gave event"},
	"read with another time": {
		func(h *tape) { h.answer(reading).Events[1].RecordedAt = recordedAt(9) }, chaos.Prefix,
		"12:00:09Z"},
	"conflict with a wrong version": {
		func(h *tape) { h.answer(conflicting).Actual = 7 }, chaos.Linearizable,
		"append at 2 → conflict, is 7"},
	"conflict at any version": {func(h *tape) {
		h.do(chaos.Return{Outcome: chaos.Conflict, Actual: 4}, chaos.Append, contract.Any, "h")
	}, chaos.Linearizable, "append at -1 → conflict, is 4"},
	"recorded event not found": {
		func(h *tape) { h.replace(finding, chaos.Return{Outcome: chaos.Absent}) },
		chaos.Linearizable, "operation 7"},
	"two appends at one version": {func(h *tape) {
		h.replace(conflicting, acknowledged(5, 5))
		h.record(seen("d", 5))
	}, chaos.Linearizable, "operation 5"},
	"look-up of another event": {
		func(h *tape) { h.answer(finding).Events[0] = seen("a", 1) }, chaos.Prefix,
		fmt.Sprintf("two#1 was asked for event %s, and gave [%s]", id("c"), id("a"))},
	"look-up of no event": {
		func(h *tape) { h.answer(finding).Events = nil }, chaos.Prefix, "and gave []"},
	"look-up without a version": {
		func(h *tape) { h.answer(finding).Events[0].Version = 0 }, chaos.Prefix,
		"as version 0 of trade/chaos-0-0"},
	"look-up in another stream": {
		func(h *tape) { h.answer(finding).Events[0].Stream = "trade/X" }, chaos.Prefix,
		"the log differs"},
	"look-up with another time": {
		func(h *tape) { h.answer(finding).Events[0].RecordedAt = recordedAt(9) }, chaos.Prefix,
		"12:00:09Z"},
}

const neverAnswered = "one#2 was woken and never answered"

var flawsOfWriters = map[string]flaw{
	"woken writer never answers": {(*tape).hang, chaos.Answered, neverAnswered},
	"woken writer killed minutes later": {func(h *tape) {
		h.hang()
		h.strike(2*time.Minute, chaos.AppliedFault{Blow: chaos.Kill, To: "one#2"})
	}, chaos.Answered, neverAnswered},
	"woken writer stopped again": {func(h *tape) {
		h.hang()
		h.strike(time.Second, chaos.AppliedFault{Blow: chaos.Replace, To: "one#2"})
		h.strike(2*time.Second, chaos.AppliedFault{Blow: chaos.Replace, To: "one#2", Woken: true})
		h.strike(2*time.Minute, chaos.AppliedFault{Blow: chaos.Kill, To: "one#2"})
	}, chaos.Answered, neverAnswered},
	"append refused": {
		func(h *tape) { h.answer(fenced).Outcome = chaos.Refused }, chaos.Answered,
		"two#1 refused a correct request (append)"},
	"read refused": {
		func(h *tape) { h.replace(reading, chaos.Return{Outcome: chaos.Refused}) },
		chaos.Answered, "(read)"},
	"look-up finds damage": {
		func(h *tape) { h.replace(finding, chaos.Return{Outcome: chaos.Damaged, Error: "gone"}) },
		chaos.Answered, "two#1 found the log damaged (find): gone"},
}

func TestFlawedHistoriesFail(t *testing.T) {
	t.Parallel()
	flaws := map[string]flaw{}
	for _, some := range []map[string]flaw{
		flawsOfTheLog, flawsOfTheFeed, flawsOfAnswers, flawsOfWriters,
	} {
		maps.Copy(flaws, some)
	}
	for name, c := range flaws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := good()
			c.spoil(h)
			v := chaos.Judge(h.entries, limit)
			require.Contains(t, rulesOf(v), c.rule, "%v", v.Violations)
			said := ""
			for _, bad := range v.Violations {
				if bad.Rule == c.rule {
					said += bad.String() + "\n"
				}
			}
			require.Contains(t, said, c.says)

			var text bytes.Buffer
			require.NoError(t, chaos.WriteHistory(&text, h.entries))
			entries, err := chaos.ReadHistory(&text)
			require.NoError(t, err)
			require.Equal(t, v, chaos.Judge(entries, limit), "the verdict on the written history")
		})
	}
}

// A stopped process need not answer if it is killed less than a minute after it woke.
func TestKilledWriterNeedNotAnswer(t *testing.T) {
	t.Parallel()
	kill := chaos.AppliedFault{Blow: chaos.Kill, To: "one#2"}
	stall := chaos.AppliedFault{Blow: chaos.Stall, To: "one#2"}
	wake := chaos.AppliedFault{Blow: chaos.Stall, To: "one#2", Woken: true}
	for name, strike := range map[string]func(*tape){
		"soon after it woke": func(h *tape) { h.strike(time.Second, kill) },
		"soon after it woke again": func(h *tape) {
			h.strike(time.Second, stall)
			h.strike(2*time.Minute, wake)
			h.strike(2*time.Minute+time.Second, kill)
		},
		"while it was stopped again": func(h *tape) {
			h.strike(time.Second, stall)
			h.strike(2*time.Minute, kill)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := good()
			h.hang()
			strike(h)
			require.Empty(t, chaos.Judge(h.entries, limit).Violations)
		})
	}
}

// Twenty-six look-ups at once have many orders, and showing that one answer is wrong needs all of
// them.
func TestStreamThatTakesTooLongIsUndecided(t *testing.T) {
	t.Parallel()
	h := good()
	var ops []int
	for range 26 {
		ops = append(ops, h.invoke("two#1", false, chaos.Find, 0, "a"))
	}
	ops = append(ops, h.invoke("two#1", false, chaos.Read, 0))
	for _, op := range ops[:26] {
		h.returned(op, ok(seen("a", 1)))
	}
	h.returned(ops[26], ok(events("a")...))
	v := chaos.Judge(h.entries, 10*time.Millisecond)
	require.Empty(t, v.Violations)
	require.Equal(t, []string{stream}, v.Undecided)
}

func TestPictureShowsAStream(t *testing.T) {
	t.Parallel()
	h := good()
	h.answer(reading).Events = h.answer(reading).Events[:2]
	var page bytes.Buffer
	require.NoError(t, chaos.Picture(h.entries, stream, limit, &page))
	require.Contains(t, page.String(), "read → 2")
}

func TestReadHistoryNamesTheBadLine(t *testing.T) {
	t.Parallel()
	_, err := chaos.ReadHistory(strings.NewReader(`{"at":1}`))
	require.EqualError(t, err, "line 1 does not describe a run")
	_, err = chaos.ReadHistory(strings.NewReader("{\"at\":0,\"run\":{}}\n{\"at\":"))
	require.ErrorContains(t, err, "line 2: ")
}
