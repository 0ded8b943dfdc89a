package chaos_test

import (
	"bytes"
	"fmt"
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

// id is the one with a name.
func id(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)) }

func ids(names ...string) (all []uuid.UUID) {
	for _, name := range names {
		all = append(all, id(name))
	}
	return all
}

// recordedAt is the time of a version.
func recordedAt(version int64) time.Time {
	return time.Date(2025, 3, 30, 12, 0, int(version), 0, time.UTC)
}

func seen(name string, version int64) chaos.Seen {
	return chaos.Seen{ID: id(name), Stream: stream, Version: version, RecordedAt: recordedAt(version), Position: contract.Position{Offset: 10 * version}}
}

// given is an event as a read has it, who knows the stream.
func given(name string, version int64) chaos.Seen {
	return chaos.Seen{ID: id(name), Version: version, RecordedAt: recordedAt(version)}
}

func receipts(from, to int64) (all []contract.Receipt) {
	for v := from; v <= to; v++ {
		all = append(all, contract.Receipt{Version: v, RecordedAt: recordedAt(v)})
	}
	return all
}

// A tape is a history that is being written.
type tape struct {
	entries []chaos.Entry
	ops     int
}

func (t *tape) add(e chaos.Entry) {
	e.At = int64(len(t.entries))
	t.entries = append(t.entries, e)
}

func (t *tape) invoke(writer string, behind bool, kind chaos.Kind, expected int64, names ...string) int {
	t.ops++
	r := chaos.Request{Op: t.ops, Kind: kind, Stream: stream, Expected: expected, IDs: ids(names...)}
	t.add(chaos.Entry{Invoke: &chaos.Invoke{Request: r, Client: t.ops % 3, Writer: writer, Behind: behind}})
	return t.ops
}

func (t *tape) returned(op int, r chaos.Return) {
	r.Op = op
	t.add(chaos.Entry{Return: &r})
}

func (t *tape) do(r chaos.Return, writer string, kind chaos.Kind, expected int64, names ...string) {
	t.returned(t.invoke(writer, false, kind, expected, names...), r)
}

// answer is the return of an operation, to be changed.
func (t *tape) answer(op int) *chaos.Return {
	for _, e := range t.entries {
		if e.Return != nil && e.Return.Op == op {
			return e.Return
		}
	}
	panic(op)
}

// drop leaves out what is like that.
func (t *tape) drop(like func(chaos.Entry) bool) { t.entries = slices.DeleteFunc(t.entries, like) }

// hang has the append that waited for a process never be answered.
func (t *tape) hang() {
	t.drop(func(e chaos.Entry) bool { return e.Return != nil && e.Return.Op == late })
}

// strike is a fault that long after all else.
func (t *tape) strike(after time.Duration, s chaos.Struck) {
	t.entries = append(t.entries, chaos.Entry{At: int64(after), Fault: &s})
}

func (t *tape) record(s chaos.Seen) {
	f := s // each is spoiled by itself
	t.add(chaos.Entry{Logged: &s})
	t.add(chaos.Entry{Fed: &f})
}

// Operations of the tape below.
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
	behind
	absent
)

// good is a history of everything that may happen: a batch; an append whose writer was killed, and which had landed; the same again; a conflict; an
// append that waited for a process that stood still, and was fenced; and a read by that one, which has not heard of what came after.
func good() *tape {
	t := new(tape)
	t.add(chaos.Entry{Run: &chaos.Run{Store: "kafka", Owned: true, Seed: 1}})
	t.do(chaos.Return{Outcome: chaos.OK, Receipts: receipts(1, 2)}, "one#1", chaos.Append, 0, "a", "b")
	t.invoke("one#1", false, chaos.Append, 2, "c")
	t.add(chaos.Entry{Fault: &chaos.Struck{Blow: chaos.Kill, To: "one#1"}})
	t.do(chaos.Return{Outcome: chaos.OK, Receipts: receipts(3, 3)}, "two#1", chaos.Append, 2, "c")
	t.add(chaos.Entry{Fault: &chaos.Struck{Blow: chaos.Stall, To: "one#2"}})
	op := t.invoke("one#2", true, chaos.Append, contract.Any, "x", "y") // answered below
	t.do(chaos.Return{Outcome: chaos.Conflict, Actual: 3}, "two#1", chaos.Append, 2, "d")
	t.do(chaos.Return{Outcome: chaos.OK, Events: []chaos.Seen{given("a", 1), given("b", 2), given("c", 3)}}, "two#1", chaos.Read, 0)
	t.do(chaos.Return{Outcome: chaos.OK, Events: []chaos.Seen{seen("c", 3)}}, "two#1", chaos.Find, 0, "c")
	t.do(chaos.Return{Outcome: chaos.Fenced}, "two#1", chaos.Append, 3, "e")
	t.do(chaos.Return{Outcome: chaos.OK, Receipts: receipts(4, 4)}, "two#1", chaos.Append, 3, "g")
	t.add(chaos.Entry{Fault: &chaos.Struck{Blow: chaos.Stall, To: "one#2", Woken: true}})
	t.returned(t.invoke("one#2", true, chaos.Read, 0), chaos.Return{Outcome: chaos.OK, Events: []chaos.Seen{given("a", 1), given("b", 2)}})
	t.returned(op, chaos.Return{Outcome: chaos.Fenced})
	t.do(chaos.Return{Outcome: chaos.Absent}, "two#1", chaos.Find, 0, "x")
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

func TestAGoodHistoryHolds(t *testing.T) {
	t.Parallel()
	v := chaos.Judge(good().entries, limit)
	require.Empty(t, v.Violations)
	require.Empty(t, v.Undecided)
	require.Equal(t, chaos.Counts{
		Attempts: 11, Appends: 6, Retries: 1, Acked: 3, Conflicts: 1, Unknown: 1, Landed: 1, Fenced: 2, Reads: 2, Finds: 2,
		Kills: 1, Stalls: 1, Late: 1, LateShut: 1, Events: 4, Streams: 1, Fed: 4, Takeovers: 1,
	}, v.Counts)
}

func TestABadHistoryDoesNot(t *testing.T) {
	t.Parallel()
	isEvent := func(name string) func(chaos.Entry) bool {
		return func(e chaos.Entry) bool {
			return e.Logged != nil && e.Logged.ID == id(name) || e.Fed != nil && e.Fed.ID == id(name)
		}
	}
	for name, c := range map[string]struct {
		spoil func(*tape)
		rule  chaos.Rule
		says  string
	}{
		"an acknowledged event is lost": {func(h *tape) { h.drop(isEvent("g")) }, chaos.Kept, fmt.Sprintf("event %s was acknowledged as version 4", id("g"))},
		"a retry is given other receipts": {func(h *tape) { h.answer(again).Receipts = receipts(4, 4) }, chaos.Kept,
			"acknowledged as version 4 of trade/chaos-0-0 at 2025-03-30T12:00:04Z, and the log has it as version 3"},
		"a time is not that of the receipt": {func(h *tape) { h.answer(last).Receipts[0].RecordedAt = recordedAt(9) }, chaos.Kept, "12:00:09Z"},
		"half a batch is there":             {func(h *tape) { h.record(seen("x", 5)) }, chaos.Whole, "1 of the 2 events of a batch"},
		"a batch is torn apart": {func(h *tape) {
			h.answer(late).Outcome = chaos.Unknown
			h.record(seen("x", 5))
			h.record(seen("?", 6))
			h.record(seen("y", 7))
		}, chaos.Whole, "are not next to each other"},
		"an event is there twice":     {func(h *tape) { h.record(seen("c", 5)) }, chaos.Once, fmt.Sprintf("event %s is there again, at version 5", id("c"))},
		"a version is missing":        {func(h *tape) { h.drop(isEvent("b")) }, chaos.Dense, "has version 3 where 2 was due"},
		"a time runs backwards":       {func(h *tape) { h.entries[len(h.entries)-2].Logged.RecordedAt = recordedAt(2) }, chaos.Forward, "partition 0"},
		"an event comes from nowhere": {func(h *tape) { h.record(seen("?", 5)) }, chaos.Sent, "nobody sent event"},
		"an event is in another stream": {func(h *tape) {
			h.answer(fenced).Outcome = chaos.Unknown
			s := seen("e", 5)
			s.Stream, s.Version = "trade/X", 1
			h.record(s)
		}, chaos.Sent, fmt.Sprintf("event %s, version 1 of trade/X, is not what was sent", id("e"))},
		"the feed gives another time":  {func(h *tape) { h.entries[len(h.entries)-1].Fed.RecordedAt = recordedAt(9) }, chaos.Fed, "the log has it otherwise"},
		"an event is altered":          {func(h *tape) { h.entries[len(h.entries)-2].Logged.Altered = true }, chaos.Sent, "is not what was sent"},
		"a write of a zombie is seen":  {func(h *tape) { h.record(seen("x", 5)); h.record(seen("y", 6)) }, chaos.Shut, `was answered "fenced" and is in the log`},
		"a conflict is recorded":       {func(h *tape) { h.record(seen("d", 5)) }, chaos.Shut, `was answered "conflict"`},
		"a read is stale":              {func(h *tape) { a := h.answer(reading); a.Events = a.Events[:2] }, chaos.Linearizable, "operation 6 (read → 2) is the first that cannot be"},
		"a read has what is not there": {func(h *tape) { h.answer(behind).Events[1].ID = id("x") }, chaos.Prefix, "one#2 gave event"},
		"a conflict is none":           {func(h *tape) { h.answer(conflicting).Actual = 7 }, chaos.Linearizable, "append at 2 → conflict, is 7"},
		"a conflict of what takes any version": {func(h *tape) {
			h.do(chaos.Return{Outcome: chaos.Conflict, Actual: 4}, "two#1", chaos.Append, contract.Any, "h")
		}, chaos.Linearizable, "append at -1 → conflict, is 4"},
		"what is there is not found": {func(h *tape) { *h.answer(finding) = chaos.Return{Op: finding, Outcome: chaos.Absent} }, chaos.Linearizable, "operation 7"},
		"two appends at one version": {func(h *tape) {
			*h.answer(conflicting) = chaos.Return{Op: conflicting, Outcome: chaos.OK, Receipts: receipts(5, 5)}
			h.record(seen("d", 5))
		}, chaos.Linearizable, "operation 5"},
		"the feed gives an event twice":     {func(h *tape) { h.add(h.entries[len(h.entries)-1]) }, chaos.Fed, "twice"},
		"the feed leaves one out":           {func(h *tape) { h.entries = h.entries[:len(h.entries)-1] }, chaos.Fed, "the feed never gave 1 events"},
		"the feed gives a later one before": {func(h *tape) { n := len(h.entries); h.entries[n-1], h.entries[n-3] = h.entries[n-3], h.entries[n-1] }, chaos.Fed, "gave version 4 of trade/chaos-0-0 after version 2"},
		"the feed gives what is not there":  {func(h *tape) { s := seen("x", 5); h.add(chaos.Entry{Fed: &s}) }, chaos.Fed, "is not in the log"},
		"a zombie never answers":            {(*tape).hang, chaos.Answered, "one#2 was woken and never answered"},
		"nobody knows why it is refused":    {func(h *tape) { h.answer(fenced).Outcome = chaos.Refused }, chaos.Answered, "two#1 refused what nothing was wrong with (append)"},
		"a zombie never answers and is killed minutes later": {func(h *tape) {
			h.hang()
			h.strike(2*time.Minute, chaos.Struck{Blow: chaos.Kill, To: "one#2"})
		}, chaos.Answered, "one#2 was woken and never answered"},
		"a zombie that stands still again never answers": {func(h *tape) {
			h.hang()
			h.strike(time.Second, chaos.Struck{Blow: chaos.Replace, To: "one#2"})
			h.strike(2*time.Second, chaos.Struck{Blow: chaos.Replace, To: "one#2", Woken: true})
			h.strike(2*time.Minute, chaos.Struck{Blow: chaos.Kill, To: "one#2"})
		}, chaos.Answered, "one#2 was woken and never answered"},
		"a look-up meets damage":                     {func(h *tape) { *h.answer(finding) = chaos.Return{Op: finding, Outcome: chaos.Damaged, Error: "gone"} }, chaos.Answered, "two#1 met damage (find): gone"},
		"a look-up gives another event":              {func(h *tape) { h.answer(finding).Events[0] = seen("a", 1) }, chaos.Prefix, fmt.Sprintf("two#1 was asked for event %s, and gave [%s]", id("c"), id("a"))},
		"a look-up gives no event":                   {func(h *tape) { h.answer(finding).Events = nil }, chaos.Prefix, "and gave []"},
		"a look-up gives an event without a version": {func(h *tape) { h.answer(finding).Events[0].Version = 0 }, chaos.Prefix, "as version 0 of trade/chaos-0-0"},
		"a look-up gives another stream":             {func(h *tape) { h.answer(finding).Events[0].Stream = "trade/X" }, chaos.Prefix, "the log does not have it so"},
		"a look-up gives another time":               {func(h *tape) { h.answer(finding).Events[0].RecordedAt = recordedAt(9) }, chaos.Prefix, "12:00:09Z"},
		"a read gives another time":                  {func(h *tape) { h.answer(reading).Events[1].RecordedAt = recordedAt(9) }, chaos.Prefix, "12:00:09Z"},
		"a read is refused":                          {func(h *tape) { *h.answer(reading) = chaos.Return{Op: reading, Outcome: chaos.Refused} }, chaos.Answered, "(read)"},
	} {
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
			require.Equal(t, v, chaos.Judge(entries, limit), "the verdict on what was written down")
		})
	}
}

func TestAZombieThatIsKilledBeforeItHadItsTimeNeedNotAnswer(t *testing.T) {
	t.Parallel()
	for name, struck := range map[string]func(*tape){
		"soon after it woke": func(h *tape) { h.strike(time.Second, chaos.Struck{Blow: chaos.Kill, To: "one#2"}) },
		"soon after it woke again": func(h *tape) {
			h.strike(time.Second, chaos.Struck{Blow: chaos.Stall, To: "one#2"})
			h.strike(2*time.Minute, chaos.Struck{Blow: chaos.Stall, To: "one#2", Woken: true})
			h.strike(2*time.Minute+time.Second, chaos.Struck{Blow: chaos.Kill, To: "one#2"})
		},
		"while it stood still again": func(h *tape) {
			h.strike(time.Second, chaos.Struck{Blow: chaos.Stall, To: "one#2"})
			h.strike(2*time.Minute, chaos.Struck{Blow: chaos.Kill, To: "one#2"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := good()
			h.hang()
			struck(h)
			require.Empty(t, chaos.Judge(h.entries, limit).Violations)
		})
	}
}

// The order of twenty-six look-ups at once does not matter, but who has to find out that one of them is wrong has to try them all.
func TestWhatTakesTooLongIsUndecidedAndNotAccepted(t *testing.T) {
	t.Parallel()
	h := good()
	var ops []int
	for range 26 {
		ops = append(ops, h.invoke("two#1", false, chaos.Find, 0, "a"))
	}
	ops = append(ops, h.invoke("two#1", false, chaos.Read, 0))
	for _, op := range ops[:26] {
		h.returned(op, chaos.Return{Outcome: chaos.OK, Events: []chaos.Seen{seen("a", 1)}})
	}
	h.returned(ops[26], chaos.Return{Outcome: chaos.OK, Events: []chaos.Seen{given("a", 1)}})
	v := chaos.Judge(h.entries, 10*time.Millisecond)
	require.Empty(t, v.Violations)
	require.Equal(t, []string{stream}, v.Undecided)
}

func TestAPictureOfAStreamIsAPage(t *testing.T) {
	t.Parallel()
	h := good()
	h.answer(reading).Events = h.answer(reading).Events[:2]
	var page bytes.Buffer
	require.NoError(t, chaos.Picture(h.entries, stream, limit, &page))
	require.Contains(t, page.String(), "read → 2")
}

func TestAHistoryThatIsNoneIsNamedByItsLine(t *testing.T) {
	t.Parallel()
	_, err := chaos.ReadHistory(strings.NewReader(`{"at":1}`))
	require.EqualError(t, err, "line 1 does not say what was run")
	_, err = chaos.ReadHistory(strings.NewReader("{\"at\":0,\"run\":{}}\n{\"at\":"))
	require.ErrorContains(t, err, "line 2: ")
}
