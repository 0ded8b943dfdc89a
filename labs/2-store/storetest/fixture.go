package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A Fixture makes the stores that the checks try.
type Fixture struct {
	// Open gives a store over a log of its own, which is empty. What must be released goes to t.Cleanup. It is called
	// from several checks at once.
	Open func(t check.T, clock contract.Clock) Log
	// Volatile says that the log lives in memory only: there is nothing to reopen.
	Volatile bool
	// Owned says that writing needs a place which another process can take (L2.I9).
	Owned bool
	// Offload says that what is too large for the log is kept in object storage, so the offloads in events are the store's alone
	// to make (L2.I13).
	Offload bool
}

// A Log is one log as the checks hold it.
type Log struct {
	Store contract.Store
	// Reopen gives a new store over the same log and with the same clock, after a crash of the one before:
	// nothing of that one's memory may be used, and it is not asked again. Not called where the log is Volatile.
	Reopen func(t check.T) contract.Store
	// Usurp takes the whole log over behind the store's back, as a process does that believes the store's to be dead,
	// and then dies itself. Not called where the log is not Owned.
	Usurp func(t check.T)
}

// Suite is the checks of Lab 2 for the stores of f, in the order in which they should be met.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "2-store", Guide: "labs/2-store/README.md"}
	groups := [][]spec{versions, idempotency, reading, feed, times, scale, ending}
	if !f.Offload {
		groups = append(groups, bounds)
	}
	if !f.Volatile {
		groups = append(groups, durability)
	}
	if f.Owned {
		groups = append(groups, ownership)
	}
	for _, c := range slices.Concat(groups...) {
		s.Checks = append(s.Checks, c.bind(f))
	}
	return s
}

// A spec is a check before it has a fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

func (c spec) bind(f Fixture) check.Check {
	c.Func = func(t check.T) {
		tr := &trial{T: t, events: generator{seed: c.ID}}
		tr.log = f.Open(t, tr.now.clock)
		tr.store = watched{tr.log.Store, t}
		c.try(tr)
	}
	return c.Check
}

// Offload is the checks of Lab 2 for what keeps large payloads in object storage: wrap gives a store that does so, over a store of f.
func Offload(f Fixture, wrap func(contract.Store, contract.Blobs, int) contract.Store) check.Suite {
	s := check.Suite{Name: "2-store", Guide: "labs/2-store/README.md"}
	for _, c := range offloads {
		s.Checks = append(s.Checks, c.bind(f, wrap))
	}
	return s
}

// Objects is the checks of Lab 2 for object storage. open gives one that is empty, and what puts data under any digest behind
// its back.
func Objects(open func(t check.T) (contract.Blobs, func(digest [32]byte, data []byte))) check.Suite {
	s := check.Suite{Name: "2-store", Guide: "labs/2-store/README.md"}
	for _, c := range objects {
		s.Checks = append(s.Checks, c.bind(open))
	}
	return s
}

// A trial is one check under way: its store, its clock and its events.
type trial struct {
	check.T
	log    Log
	store  contract.Store
	now    hands
	events generator
}

// reopen crashes the store and opens the log again.
func (t *trial) reopen() { t.store = watched{t.log.Reopen(t), t.T} }

// noon is where the clocks of the checks begin.
var noon = time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)

// A generator makes events that differ in every attribute and are the same in every run.
type generator struct {
	seed string
	n    int
}

// next is a valid event of the stream. Its data is in the wire format, but no registry knows it: a store does not look inside.
func (g *generator) next(stream string) contract.Event {
	g.n++
	name := func(what string) uuid.UUID {
		return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%s/%d", g.seed, what, g.n))
	}
	e := contract.Event{
		ID: name("id"), Stream: stream, Type: "trade.amended", Schema: 1 + g.n%3,
		EffectiveAt: noon.Add(time.Duration(-g.n)*time.Hour + time.Duration(g.n)*time.Microsecond),
		Actor:       "desk-7", Approver: "desk-9", Reason: "agreed by phone, “as usual”", Source: "storetest",
		Correlation: name("correlation"), Causation: name("causation"),
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Data:        append([]byte{0, 0, 0, 0, 7}, name("data").String()...),
	}
	copy(e.Fingerprint[:], name("schema").String())
	if g.n%2 == 0 {
		e.Approver, e.Traceparent, e.Correlation = "", "", uuid.Nil
	}
	if g.n%3 == 0 {
		e.Corrects = name("corrects")
	}
	return e
}

// batch is n events of the stream.
func (g *generator) batch(stream string, n int) []contract.Event {
	events := make([]contract.Event, n)
	for i := range events {
		events[i] = g.next(stream)
	}
	return events
}
