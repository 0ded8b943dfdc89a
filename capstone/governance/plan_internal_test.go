package governance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/ledger"
	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var start = time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)

// drawn is a random log of 40 records about 4 contracts, its batches, and 3 holds.
func drawn(r *rand.Rand) (f *Facts, h Holds, batches []Batch) {
	pick := func(kind string) string { return fmt.Sprintf("%s%d", kind, r.IntN(3)) }
	f = &Facts{contracts: map[string]*contractFacts{}}
	for n := range 4 {
		c := &contractFacts{books: []string{pick("book")}, traders: []string{pick("p")},
			counterparties: []string{pick("cp"), "cp9"}}
		if r.IntN(2) == 0 {
			c.ended = start.AddDate(0, r.IntN(120), 0)
		}
		f.contracts[fmt.Sprintf("T%d", n)] = c
	}
	types := []string{"trade.new", "trade.settled", "command.refused", "price.marked",
		"snapshot.taken"}
	for i := range 40 {
		at := contract.Position{Partition: int32(i % 2), Offset: int64(i / 2)}
		record := Record{Type: types[r.IntN(len(types))], At: start.AddDate(0, i, 0), Position: at,
			Principals: []string{pick("p")}}
		if r.IntN(3) == 0 {
			record.Party = pick("p")
		}
		if r.IntN(3) > 0 {
			record.Contract = fmt.Sprintf("T%d", r.IntN(4))
		}
		f.Records = append(f.Records, record)
		if i%5 == 0 {
			batches = append(batches, Batch{Kind: KindRecords, Number: int64(len(batches) + 1),
				Object: Object{Version: "v1"}})
		}
		b := &batches[len(batches)-1]
		b.Events = append(b.Events, Sealed{Position: at})
	}
	for n := range 3 {
		p := Placed{Hold: fmt.Sprintf("h%d", n)}
		for _, field := range []struct {
			to   *string
			kind string
		}{{&p.Trade, "T"}, {&p.Book, "book"}, {&p.Principal, "p"}, {&p.Counterparty, "cp"}} {
			if r.IntN(3) == 0 {
				*field.to = pick(field.kind)
			}
		}
		if r.IntN(2) == 0 {
			p.From = start.AddDate(0, r.IntN(40), 0)
			p.To = p.From.AddDate(0, r.IntN(20), 1)
		}
		hold := Hold{Placed: p}
		if r.IntN(4) == 0 {
			hold.Lifted = &Act{}
		}
		h.All = append(h.All, hold)
	}
	return f, h, batches
}

// naiveMayGo says whether a record may go, one rule after another, without the code of the plan.
func naiveMayGo(r Record, f *Facts, h Holds, now time.Time) bool {
	years, fromEnd := 5, 0
	switch r.Type {
	case "trade.new", "trade.settled":
		years, fromEnd = 7, 5
	case "command.refused":
		years = 7
	}
	if now.Before(time.Date(r.At.Year()+years, r.At.Month(), r.At.Day(), r.At.Hour(), 0, 0, 0,
		time.UTC)) {
		return false
	}
	c, known := f.contracts[r.Contract]
	if known && fromEnd > 0 {
		if c.ended.IsZero() || now.Before(c.ended.AddDate(fromEnd, 0, 0)) {
			return false
		}
	}
	for _, hold := range h.All {
		in := func(want string, of func(*contractFacts) []string) bool {
			return want == "" || known && slices.Contains(of(c), want)
		}
		misses := hold.Lifted != nil || hold.Trade != "" && hold.Trade != r.Contract ||
			!in(hold.Book, func(c *contractFacts) []string { return c.books }) ||
			!in(hold.Counterparty, func(c *contractFacts) []string { return c.counterparties })
		acted := slices.Contains(r.Principals, hold.Principal) ||
			known && slices.Contains(c.traders, hold.Principal) || r.Party == hold.Principal
		misses = misses || hold.Principal != "" && !acted
		if !hold.From.IsZero() {
			misses = misses || r.At.Before(hold.From) || !r.At.Before(hold.To)
		}
		if !misses {
			return false
		}
	}
	return true
}

// An object is due exactly if each of its records may go by every class and every hold, and the
// reason that an item states is one of its records'.
func TestPlanKeepsWhatARuleKeeps(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		f, h, batches := drawn(r)
		now := start.AddDate(5, r.IntN(130), 0)
		items, err := Plan(Default(), f, h, batches, now)
		require.NoError(t, err)
		for i, item := range items {
			may := true
			for _, record := range f.Records[5*i : 5*i+5] {
				may = may && naiveMayGo(record, f, h, now)
			}
			require.Equal(t, may, item.State == StateDue, "seed %d: %+v", seed, item)
			require.NotEmpty(t, item.Rule)
			counts[item.State]++
		}
	}
	for _, state := range []string{StateOpen, StateHeld, StateKept, StateDue} {
		require.Greater(t, counts[state], 30, state)
	}
}

// A snapshot is due exactly if each event before its cursor may go. A payload whose events may all
// go is needed, and never due.
func TestPlanKeepsSnapshotsAndPayloads(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		f, h, batches := drawn(r)
		now := start.AddDate(7, r.IntN(130), 0)
		payload, may := Batch{Kind: KindPayload, Object: Object{Version: "v1"}}, true
		for range 2 {
			record := f.Records[r.IntN(40)]
			payload.Events = append(payload.Events, Sealed{Position: record.Position})
			may = may && naiveMayGo(record, f, h, now)
		}
		before, goes, under := contract.Cursor{int64(r.IntN(4)), 2}, true, 0
		for _, record := range f.Records {
			if record.Position.Offset < before[record.Position.Partition] {
				goes, under = goes && naiveMayGo(record, f, h, now), under+1
			}
		}
		snapshot := Batch{Kind: KindSnapshot, Before: before, Object: Object{Version: "v1"}}
		items, err := Plan(Default(), f, h, append(batches, snapshot, payload), now)
		require.NoError(t, err)
		taken, kept := items[len(batches)], items[len(batches)+1]
		require.Equal(t, may, kept.State == StateNeeded, "seed %d: %+v", seed, kept)
		require.NotEqual(t, StateDue, kept.State)
		require.Equal(t, goes, taken.State == StateDue, "seed %d: %+v", seed, taken)
		require.Equal(t, under, taken.Events)
		counts[kept.State]++
		counts["snapshot "+taken.State]++
	}
	for _, state := range []string{StateNeeded, StateHeld, "snapshot " + StateDue,
		"snapshot " + StateOpen, "snapshot " + StateHeld} {
		require.Greater(t, counts[state], 5, state)
	}
}

// The lock of an object counts as well: it may be longer than the policy.
func TestLockOutlastsThePolicy(t *testing.T) {
	t.Parallel()
	f := &Facts{Records: []Record{{Type: "price.marked", At: start}}}
	b := []Batch{{Object: Object{Version: "v1"}, Number: 1, Events: []Sealed{{}}}}
	now := start.AddDate(5, 0, 0)
	state := func(now time.Time) string {
		items, err := Plan(Default(), f, Holds{}, b, now)
		require.NoError(t, err)
		return items[0].State
	}
	require.Equal(t, StateDue, state(now))
	require.Equal(t, StateKept, state(now.Add(-1)))
	b[0].Until = now.AddDate(0, 0, 1)
	require.Equal(t, StateKept, state(now))
}

// A sealed event that the log lacks, or has under another id, is no record that may go.
func TestPlanMissesASealedEvent(t *testing.T) {
	t.Parallel()
	f := &Facts{Records: []Record{{Type: "price.marked", At: start}}}
	for _, sealed := range []Sealed{{Position: contract.Position{Offset: 1}}, {ID: uuid.UUID{1}}} {
		b := []Batch{{Object: Object{Version: "v1"}, Kind: KindRecords, Number: 7,
			Events: []Sealed{sealed}}}
		_, err := Plan(Default(), f, Holds{}, b, start.AddDate(90, 0, 0))
		fault := new(contract.Fault)
		require.ErrorAs(t, err, &fault)
		require.ErrorContains(t, err, "batch 7 has the event")
	}
}

// The lock of an object is renewed while it has no end: under a hold, or with an open contract.
func TestLockOfEndlessIsRenewed(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, want := range map[string]Item{"held": {Holds: []string{"h1"}},
		"open": {Due: Due{Open: "T1"}}} {
		want.now, want.Until = start, start.Add(44*day)
		require.Equal(t, start.Add(90*day), want.lock(90*day), name)
		want.Until = start.Add(46 * day)
		require.Zero(t, want.lock(90*day), name)
	}
	kept := Item{now: start}
	require.Zero(t, kept.lock(90*day))
}

// A hold that covers the fields of a person keeps them: by time, by the person, and by the
// principal who recorded them. The fields themselves keep nobody.
func TestHoldCoversOwnFields(t *testing.T) {
	t.Parallel()
	f := &Facts{Records: []Record{{Type: "party.recorded", At: start, Party: "client/1",
		Principals: []string{"hr/1"}}}}
	require.True(t, ErasureOf("client/1", Default(), f, Holds{}, start).Allowed)
	for _, scope := range []Placed{{To: start.Add(1)}, {Principal: "hr/1"},
		{Principal: "client/1"}} {
		h := Holds{All: []Hold{{Placed: scope}}}
		says := ErasureOf("client/1", Default(), f, h, start.AddDate(90, 0, 0))
		require.False(t, says.Allowed, "%+v", scope)
		require.Len(t, h.over(f.Records[0], f), 1, "%+v", scope)
	}
	h := Holds{All: []Hold{{Placed: Placed{From: start.Add(1)}}, {Placed: Placed{Principal: "x"}}}}
	require.True(t, ErasureOf("client/1", Default(), f, h, start).Allowed)
}

// A hold of a contract, its book, its trader or its counterparty reaches the journals that its
// events caused, also through other events, and those by hand that mend them. A hold of a book
// reaches each journal that moves one of its accounts. The order of the events does not matter.
func TestHoldReachesJournals(t *testing.T) {
	t.Parallel()
	codec, f := domain.Offline(), newFacts()
	made := func(stream, command string, cause uuid.UUID, body domain.Body) contract.Recorded {
		e, err := codec.Event(t.Context(), stream, 0,
			domain.Entry{CommandID: command, Causation: cause}, body)
		require.NoError(t, err)
		return contract.Recorded{Event: e}
	}
	lines := []ledger.Line{{Account: "assets:cash:b2:EUR", Amount: trade.Int(1)}}
	posted := func(entry, reverses string, cause uuid.UUID) contract.Recorded {
		return made(ledger.JournalStream("main", entry), "post-"+entry, cause,
			ledger.JournalEntryPosted{Entry: entry, Reverses: reverses, Lines: lines})
	}
	caused := posted("T-1", "", uuid.UUID{1})
	debit := made(ledger.AccountStream("main", "assets:cash:b2:EUR"), "debit", uuid.UUID{8},
		ledger.AccountDebited{Entry: "H-2", Amount: trade.Int(1)})
	opened := made(reconcile.StreamOf("x"), "open", uuid.Nil, reconcile.Opened{Key: "T1"})
	for _, r := range []contract.Recorded{
		made(ledger.JournalStream("main", "T-1"), "mark", uuid.Nil,
			ledger.JournalEntryReversed{Entry: "T-1", By: "H-1"}),
		debit, posted("H-2", "H-1", uuid.UUID{9}), posted("H-1", "T-1", uuid.UUID{9}), caused,
		made(ledger.PeriodStream("main", "2025-01"), "period", caused.ID,
			ledger.PeriodOpened{Period: "2025-01"}),
		opened, made(reconcile.StreamOf("x"), "assign", uuid.Nil, reconcile.Assigned{To: "ops/1"}),
	} {
		require.NoError(t, f.add(r, trade.Event{}))
	}
	hand := len(f.Records)
	require.NoError(t, f.add(posted("H-9", "", uuid.UUID{9}), trade.Event{}))
	deal := contract.Event{ID: uuid.UUID{1}, Stream: "trade/T1", Type: "trade.new"}
	require.NoError(t, f.add(contract.Recorded{Event: deal},
		trade.Event{Body: trade.New{Book: "b1", Counterparty: "cp1", Trader: "p1"}}))
	f.finish()
	for _, scope := range []Placed{{Trade: "T1"}, {Book: "b1"}, {Counterparty: "cp1"},
		{Principal: "p1"}, {Trade: "T1", Book: "b1", Counterparty: "cp1"}} {
		h := Holds{All: []Hold{{Placed: scope}}}
		for _, r := range f.Records[:hand] {
			require.Len(t, h.over(r, f), 1, "%+v %s", scope, r.Type)
		}
		require.Empty(t, h.over(f.Records[hand], f), "%+v", scope)
	}
	for scope, want := range map[Placed]int{{Book: "b2"}: 5, {Book: "b"}: 0, {Book: "cash:b2"}: 5,
		{Trade: "T2"}: 0, {Trade: "T1", Book: "b2"}: 4} {
		n := 0
		for _, r := range f.Records {
			n += len(Holds{All: []Hold{{Placed: scope}}}.over(r, f))
		}
		require.Equal(t, want, n, "%+v", scope)
	}
}

// A contract that ends long after its last record keeps its people for the years of its class.
func TestErasureCountsFromTheEnd(t *testing.T) {
	t.Parallel()
	ended := start.AddDate(3, 0, 0)
	f := &Facts{contracts: map[string]*contractFacts{"T1": {traders: []string{"p1"}, ended: ended}},
		Records: []Record{{Type: "trade.new", At: start, Contract: "T1"}}}
	says := ErasureOf("p1", Default(), f, Holds{}, ended.AddDate(5, 0, -1))
	require.False(t, says.Allowed)
	require.Equal(t, ended.AddDate(5, 0, 0), says.Until)
	require.Contains(t, says.Rule, "CFTC")
	require.True(t, ErasureOf("p1", Default(), f, Holds{}, says.Until).Allowed)
}

// The data of a person stays while a contract that names the person is open, for five years after
// the last record, and under a hold of the person or of any record that names the person.
func TestErasureWaitsForEveryRecord(t *testing.T) {
	t.Parallel()
	p, now := Default(), start.AddDate(5, 0, 0)
	f := &Facts{contracts: map[string]*contractFacts{"T1": {traders: []string{"p1"}}},
		Records: []Record{{Type: "trade.new", At: start, Contract: "T1"},
			{Type: "price.marked", At: start, Principals: []string{"p2"}}}}
	allowed := func(who string, h Holds, now time.Time) bool {
		return ErasureOf(who, p, f, h, now).Allowed
	}
	none := Holds{}
	require.False(t, allowed("p1", none, now.AddDate(90, 0, 0)), "T1 is open")
	f.contracts["T1"].ended = start
	require.True(t, allowed("p1", none, now))
	require.False(t, allowed("p2", none, now.Add(-1)))
	require.Equal(t, now, ErasureOf("p2", p, f, none, now.Add(-1)).Until)
	require.True(t, allowed("p3", none, start), "no record names p3")

	for _, scope := range []Placed{{Principal: "p1"}, {Trade: "T1"}, {To: start.Add(1)}} {
		h := Holds{All: []Hold{{Placed: scope}}}
		require.False(t, allowed("p1", h, now), "%+v", scope)
		h.All[0].Lifted = &Act{}
		require.True(t, allowed("p1", h, now), "%+v", scope)
	}
	require.False(t, allowed("p3", Holds{All: []Hold{{Placed: Placed{Principal: "p3"}}}}, now))
}

// Two people lift a hold, and one may place it. A hold without a scope would keep everything.
func TestHoldRules(t *testing.T) {
	t.Parallel()
	h := Holds{All: []Hold{{Placed: Placed{Hold: "h1", Trade: "T"}},
		{Placed: Placed{Hold: "h2", Trade: "T"}, Lifted: &Act{}}}}
	rule := func(err error) string {
		if err == nil {
			return ""
		}
		return err.(*Refusal).Rule
	}
	require.Equal(t, "", rule(h.Place(Placed{Hold: "h3", Book: "b"})))
	require.Equal(t, "hold.bad-name", rule(h.Place(Placed{Hold: "H 3", Book: "b"})))
	require.Equal(t, "hold.exists", rule(h.Place(Placed{Hold: "h2", Book: "b"})))
	require.Equal(t, "hold.no-scope", rule(h.Place(Placed{Hold: "h3"})))
	require.Equal(t, "hold.no-time", rule(h.Place(Placed{Hold: "h3", From: start, To: start})))
	require.Equal(t, "", rule(h.Lift("h1", "a", "b")))
	require.Equal(t, "approval.four-eyes", rule(h.Lift("h1", "a", "a")))
	require.Equal(t, "approval.four-eyes", rule(h.Lift("h1", "a", "")))
	require.Equal(t, "hold.lifted", rule(h.Lift("h2", "a", "b")))
	require.Equal(t, "hold.unknown", rule(h.Lift("h3", "a", "b")))
}

// A policy that leaves a record without a class, or a term without a rule, is refused.
func TestPolicyIsComplete(t *testing.T) {
	t.Parallel()
	const persons = `"persons":{"years":5,"rule":"r"}}`
	class := func(fields string) string { return `{"classes":[{"class":"a",` + fields + `}],` }
	for _, text := range []string{
		string(defaults) + `{}`, `{`, `{"classes":[],` + persons,
		class(`"types":["trade."],"years":5,"from":"record","rule":"r"`) + persons,
		class(`"types":[""],"years":5,"from":"end","rule":"r"`) + persons,
		class(`"types":[""],"years":-1,"from":"record","rule":"r"`) + persons,
		class(`"types":[""],"years":5,"from":"record","rule":""`) + persons,
		class(`"types":[""],"years":5,"from":"record","rule":"r","x":1`) + persons,
		class(`"types":[""],"years":5,"from":"record","rule":"r"`) + `"persons":{}}`,
		class(`"types":[""],"years":5,"years":0,"from":"record","rule":"r"`) + persons,
	} {
		_, err := ParsePolicy([]byte(text))
		require.ErrorContains(t, err, "the retention policy: ", text)
	}
	_, err := ParsePolicy([]byte(class(`"types":[""],"years":0,"from":"record","rule":"r"`) +
		persons))
	require.NoError(t, err)
	require.Len(t, Default().Digest(), 64)
}
