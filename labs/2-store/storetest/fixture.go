// Package storetest holds the checks of Lab 2 that every contract.Store must pass.
//
// A Fixture opens the stores for the checks. It declares the allowed differences between stores as
// data; no check knows the name of a store.
//
//	func TestStore(t *testing.T) {
//		open := func(t check.T, clock contract.Clock) storetest.Log {
//			return storetest.Log{Store: memory.New(clock)}
//		}
//		check.Run(t, storetest.Suite(storetest.Fixture{Volatile: true, Open: open}))
//	}
package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A Fixture opens the stores that the checks test.
type Fixture struct {
	// Open returns a store over a new, empty log. It registers its cleanup with t.Cleanup. Several
	// checks call it at the same time.
	Open func(t check.T, clock contract.Clock) Log
	// Volatile means that the log lives in memory only and cannot be reopened.
	Volatile bool
	// Owned means that a writer must own a partition, and that another process can take it over
	// (L2.I9).
	Owned bool
	// Offload means that the store offloads large payloads, so it refuses events that are offloaded
	// already (L2.I13).
	Offload bool
	// Atomic means that the store is contract.Atomic (L2.I14 to L2.I19).
	Atomic bool
	// Resumes means that the store is contract.Resumer (L2.I20).
	Resumes bool
}

// A Log is one log and the operations on it that are no part of contract.Store.
type Log struct {
	Store contract.Store
	// Reopen simulates a crash: it returns a new store over the same log with the same clock. The
	// new store uses no memory of the old one, and the check does not call the old one again. Not
	// called if the fixture is Volatile.
	Reopen func(t check.T) contract.Store
	// Usurp takes over the whole log, as a process does that believes the store's process dead, and
	// then ends. The store gets no notice. Not called unless the fixture is Owned.
	Usurp func(t check.T)
}

// Suite returns the checks of Lab 2 for the stores of f, in the order of the guide.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "2-store", Guide: "labs/2-store/2b.md"}
	groups := [][]spec{versions, idempotency, reading, feed, times, scale, ending}
	if !f.Offload {
		groups = append(groups, payloads)
	}
	if !f.Volatile {
		groups = append(groups, durability)
	}
	if f.Owned {
		groups = append(groups, ownership)
	}
	if f.Atomic {
		groups = append(groups, atomicAppends)
	}
	if f.Atomic && !f.Volatile {
		groups = append(groups, atomicDurability)
	}
	if f.Resumes {
		groups = append(groups, resuming)
	}
	for _, c := range slices.Concat(groups...) {
		s.Checks = append(s.Checks, c.bind(f))
	}
	return s
}

// A spec is a check that has no fixture yet. It has either try or parts.
type spec struct {
	check.Check
	try   func(t *trial)
	parts []part
}

// A part of a check tries one side of its rule on a log of its own. Its failures have its hint.
type part struct {
	hint string
	try  func(t *trial)
}

func (c spec) bind(f Fixture) check.Check {
	c.Func = func(t check.T) {
		if c.try != nil {
			c.try(newTrial(t, f, c.ID))
		}
		for _, p := range c.parts {
			p.try(newTrial(t.Hint(p.hint), f, c.ID))
		}
	}
	return c.Check
}

func newTrial(t check.T, f Fixture, seed string) *trial {
	if t.Seed() != 0 {
		seed += fmt.Sprint("/", t.Seed())
	}
	tr := &trial{T: t, events: generator{seed: seed}}
	tr.log = f.Open(t, tr.clock.now)
	tr.store = watched{tr.log.Store, t}
	return tr
}

// Offload returns the checks of Lab 2 for an offloading store. wrap returns such a store over a
// store of f.
func Offload(f Fixture, wrap func(contract.Store, contract.Blobs, int) contract.Store) check.Suite {
	s := check.Suite{Name: "2-store", Guide: "labs/2-store/2b.md"}
	for _, c := range offloads {
		s.Checks = append(s.Checks, c.bind(f, wrap))
	}
	return s
}

// A set stores data under any digest, without Blobs.Put, as a broken disk may do.
type set = func(digest [32]byte, data []byte)

// Objects returns the checks of Lab 2 for object storage. open returns an empty one.
func Objects(open func(t check.T) (contract.Blobs, set)) check.Suite {
	s := check.Suite{Name: "2-store", Guide: "labs/2-store/2b.md"}
	for _, c := range objects {
		s.Checks = append(s.Checks, c.bind(open))
	}
	return s
}

// A generator makes events that differ in every attribute, and are the same in every run.
type generator struct {
	seed string
	n    int
}

// next returns a valid event of the stream. Its data is in the wire format, but no registry has its
// schema: a store does not decode the data.
func (g *generator) next(stream string) contract.Event {
	g.n++
	name := func(attribute string) uuid.UUID {
		return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%s/%d", g.seed, attribute, g.n))
	}
	e := contract.Event{
		ID: name("id"), Stream: stream, Type: "trade.amended", Schema: 1 + g.n%3,
		EffectiveAt: noon.Add(time.Duration(-g.n)*time.Hour + time.Duration(g.n)*time.Microsecond),
		EnteredAt:   noon.Add(time.Duration(g.n) * time.Minute),
		CommandID:   "c-" + strconv.Itoa(g.n), SourceLine: int64(g.n), SubmittedBy: "sso/7",
		SourceRecordedAt: noon.Add(time.Duration(-g.n) * time.Minute), AppendGroup: name("group"),
		Actor: "desk-7", Approver: "desk-9", Reason: "agreed by phone, “as usual”",
		Source:      "storetest",
		Correlation: name("correlation"), Causation: name("causation"),
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Data:        append([]byte{0, 0, 0, 0, 7}, name("data").String()...),
	}
	copy(e.Fingerprint[:], name("schema").String())
	if g.n%2 == 0 {
		e.Approver, e.Traceparent, e.Correlation = "", "", uuid.Nil
		e.SourceLine, e.SubmittedBy = 0, ""
		e.SourceRecordedAt, e.AppendGroup = time.Time{}, uuid.Nil
	}
	if g.n%3 == 0 {
		e.Corrects = name("corrects")
	}
	return e
}

// batch returns n events of the stream.
func (g *generator) batch(stream string, n int) []contract.Event {
	events := make([]contract.Event, n)
	for i := range events {
		events[i] = g.next(stream)
	}
	return events
}
