// Package governance says how long each record stays, and lets nothing go before.
//
// Retention is a policy: a class of record, a number of years, and the event from which they count.
// A legal hold keeps the records that it covers for longer, until two people lift it. Both apply
// to the objects of the archive that hold the sealed records: the policy as their lock, which is
// extended and never shortened, and the holds as their legal-hold flag. The object store then
// refuses to remove a version, whoever asks and whatever our clock says.
//
// A disposal removes the objects whose retention has ended and that no hold covers. It never
// touches the tree, a checkpoint or a proof: these have the digest of each payload and no payload.
// The log itself keeps its events: see the certificate (Ordered).
//
// The same holds for two kinds of objects beside the archive. A snapshot stays as long as any event
// under it. A payload that the log keeps in object storage is a part of the log: it has a lock and
// a flag like the records of its events, and no disposal removes it.
//
//	the process dies                          then
//	after a hold is on record, before a flag  the next command of governance sets the flag
//	after hold.cleared, before the act        nothing happened; the next act asks again
//	after a disposal is ordered               the next disposal continues it
//	after a deletion, before disposal.completed  the same
package governance

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/vault"
	"example.com/blotter/labs/kit/contract"
)

// Kinds of objects.
const (
	KindRecords  = "records"  // of a sealed batch, in the archive
	KindSnapshot = "snapshot" // a state, or its manifest
	KindPayload  = "payload"  // an offloaded payload
)

// An Object is one version of an object that a policy keeps.
type Object struct {
	Name    string    `json:"object"`
	Version string    `json:"version"`
	Size    int64     `json:"size"`
	Until   time.Time `json:"locked_until,omitzero"`
	Held    bool      `json:"legal_hold"` // its own flag
}

// A Batch is an object, and the events that keep it.
type Batch struct {
	Object
	Kind   string
	Number int64 // of a sealed batch; otherwise zero
	Events []Sealed
	Before contract.Cursor // KindSnapshot: the events before it, in the place of Events
}

// A Sealed event is at a place in the log, under the id that its leaf has.
type Sealed struct {
	contract.Position
	ID uuid.UUID
}

// States of an object.
const (
	StateOpen = "open" // a contract in it has not ended
	StateHeld = "held" // by a legal hold
	StateKept = "kept" // until its retention ends
	StateDue  = "due"  // it may go
	// StateNeeded is the state of a payload that would be due. The log keeps it: every reader of
	// the whole log, such as a rebuild, reads each payload, whatever its age.
	StateNeeded = "needed"
	StateGone   = "gone" // a disposal removed it, or somebody else did
)

// An Item says of one object when it is due, and why.
type Item struct {
	Object
	Kind   string   `json:"kind"`
	Batch  int64    `json:"batch"`
	Events int      `json:"events"`
	State  string   `json:"state"`
	Holds  []string `json:"holds"`
	Due
	// Lock is the latest end of a retention whose date is known, also while a contract is open.
	Lock time.Time `json:"lock_until"`

	now time.Time
}

// lock returns the time until which the object must be locked; zero if its lock is right. Under a
// hold, and while a contract is open, the lock is renewed for a time when half of that is left.
func (i Item) lock(holdFor time.Duration) (until time.Time) {
	if i.Lock.After(i.now) {
		until = i.Lock
	}
	endless := len(i.Holds) > 0 || i.Open != ""
	if renewed := i.now.Add(holdFor); endless && renewed.After(until) &&
		i.Until.Before(i.now.Add(holdFor/2)) {
		return renewed
	}
	return until
}

// Plan returns an item for each batch. An object stays as long as any of its records. A sealed
// event that the log lacks is a *contract.Fault.
func Plan(p Policy, f *Facts, h Holds, batches []Batch, now time.Time) ([]Item, error) {
	pl := planner{p, f, h, now, map[contract.Position]int{}, make([]*keep, len(f.Records))}
	for i, r := range f.Records {
		pl.at[r.Position] = i
	}
	items := make([]Item, 0, len(batches))
	for _, b := range batches {
		item, err := pl.item(b)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// A planner plans objects. Each record is judged once: every snapshot has the first one.
type planner struct {
	policy Policy
	facts  *Facts
	holds  Holds
	now    time.Time
	at     map[contract.Position]int // the index of a record
	kept   []*keep                   // by record; nil before it is judged
}

// A keep is the reason of one record to keep an object.
type keep struct {
	Due
	lock  time.Time
	holds []string
}

func (pl *planner) item(b Batch) (Item, error) {
	item := Item{Object: b.Object, Kind: b.Kind, Batch: b.Number, Holds: []string{}, now: pl.now}
	if b.Kind == KindSnapshot { // other kinds name their events, and there are many objects
		for i := range pl.facts.Records {
			at := pl.facts.Records[i].Position
			if at.Offset < b.Before.At(at.Partition) {
				item.add(pl.keep(i))
			}
		}
	}
	for _, e := range b.Events {
		i, found := pl.at[e.Position]
		if !found || pl.facts.Records[i].ID != e.ID {
			return item, &contract.Fault{Position: e.Position, Leaf: -1,
				What: fmt.Sprintf("%s has the event %s, which the log lacks at %s",
					b.name(), e.ID, e.Position)}
		}
		item.add(pl.keep(i))
	}
	slices.Sort(item.Holds)
	item.State = item.state()
	return item, nil
}

func (b Batch) name() string {
	if b.Kind == KindRecords {
		return fmt.Sprintf("batch %d", b.Number)
	}
	return b.Kind + " " + b.Name
}

func (pl *planner) keep(i int) *keep {
	if pl.kept[i] != nil {
		return pl.kept[i]
	}
	k, r := &keep{}, pl.facts.Records[i]
	for _, d := range pl.policy.due(r, pl.facts) {
		if d.later(k.Due) {
			k.Due = d
		}
		if d.At.After(k.lock) {
			k.lock = d.At
		}
	}
	k.holds = pl.holds.over(r, pl.facts)
	pl.kept[i] = k
	return k
}

func (i *Item) add(k *keep) {
	i.Events++
	if k.later(i.Due) {
		i.Due = k.Due
	}
	if k.lock.After(i.Lock) {
		i.Lock = k.lock
	}
	for _, id := range k.holds {
		i.Holds = with(i.Holds, id)
	}
}

func (i Item) state() string {
	switch {
	case i.Version == "":
		return StateGone
	case len(i.Holds) > 0:
		return StateHeld
	case i.Open != "":
		return StateOpen
	case i.Due.At.After(i.now) || i.Until.After(i.now) || i.Events == 0:
		return StateKept
	case i.Kind == KindPayload:
		return StateNeeded
	}
	return StateDue
}

// ErasureOf says whether the data of a person may be destroyed now.
func ErasureOf(person string, p Policy, f *Facts, h Holds, now time.Time) vault.Verdict {
	no := vault.Verdict{Rule: p.Persons.Rule, Policy: p.digest}
	for _, hold := range h.All {
		if hold.Lifted == nil && hold.Principal == person {
			return held(no, hold.Hold)
		}
	}
	var last Due // of the records that name the person
	var since time.Time
	for _, r := range f.Records {
		named := f.names(r, person)
		if !named && r.Party != person {
			continue
		}
		if ids := h.over(r, f); len(ids) > 0 {
			return held(no, ids[0])
		}
		if !named {
			continue // no law needs the person's own fields for a time
		}
		if c := f.contracts[r.Contract]; c != nil && c.ended.IsZero() {
			no.Detail = "contract " + r.Contract + " names the person and has not ended"
			return no
		}
		for _, d := range p.duePerson(r, f) {
			if d.later(last) {
				last, since = d, r.At
			}
		}
	}
	if since.IsZero() {
		return vault.Verdict{Allowed: true, Rule: p.Persons.Rule,
			Detail: "no record names the person", Policy: p.digest}
	}
	if last.At.After(now) {
		no.Rule, no.Until = last.Rule, last.At
		no.Detail = "a record of " + date(since) + " names the person, which is needed until " +
			date(last.At)
		return no
	}
	return vault.Verdict{Allowed: true, Rule: last.Rule, Policy: p.digest,
		Detail: "the last record that names the person was kept until " + date(last.At)}
}

func held(no vault.Verdict, hold string) vault.Verdict {
	no.Rule, no.Detail = "GDPR Art. 17(3)(e): legal claims", "legal hold "+hold+" covers it"
	return no
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }
