package governance

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/vault"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Governor applies the policy and the holds of a log to its archive and its shelves.
type Governor struct {
	Log     contract.Store
	Trades  contract.Codec
	Codec   *domain.Codec
	Policy  Policy
	Locks   Locks
	Batches func(ctx context.Context) ([]Batch, error) // of the sealed log, without their locks
	Shelves []Shelf
	Clock   func() time.Time
	// HoldFor is how long an object on hold is locked beyond now, each time that Apply finds less
	// than half of it left. Some servers, such as the embedded gateway, ignore the legal-hold flag
	// of an object whose lock has ended.
	HoldFor time.Duration
	// Verify compares the log with its archive, BEFORE a disposal. A difference is an error.
	Verify func(ctx context.Context) error
}

// A Shelf is a bucket beside the archive, whose objects stay as long as their events.
type Shelf struct {
	Kind string
	Locks
	Objects func(ctx context.Context) ([]Batch, error) // those on record, without their locks
}

// locks returns the locks of the objects of a kind.
func (g *Governor) locks(kind string) Locks {
	for _, s := range g.Shelves {
		if s.Kind == kind {
			return s.Locks
		}
	}
	return g.Locks
}

// objects returns the objects of the archive and of all shelves, with their locks.
func (g *Governor) objects(ctx context.Context) ([]Batch, error) {
	all, err := g.Batches(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Kind = KindRecords
	}
	for _, s := range g.Shelves {
		more, err := s.Objects(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	for i, b := range all {
		if b.Name == "" {
			continue
		}
		if all[i].Object, err = g.locks(b.Kind).Find(ctx, b.Name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Plan returns an item for each sealed batch, snapshot and offloaded payload, as the log and its
// objects are now.
func (g *Governor) Plan(ctx context.Context) ([]Item, error) {
	items, _, err := g.plan(ctx)
	return items, err
}

// plan also returns the holds that it applied.
func (g *Governor) plan(ctx context.Context) (_ []Item, holds Holds, _ error) {
	batches, err := g.objects(ctx)
	if err != nil {
		return nil, holds, err
	}
	// AFTER the objects: each of their events is then in the log.
	facts, err := Read(ctx, g.Log, g.Trades)
	if err != nil {
		return nil, holds, err
	}
	holds, err = FoldHolds(g.Log.Stream(ctx, HoldStream))
	if err != nil {
		return nil, holds, err
	}
	now, err := g.Locks.Earlier(ctx, g.Clock())
	if err != nil {
		return nil, holds, err
	}
	items, err := Plan(g.Policy, facts, holds, batches, now)
	return items, holds, err
}

// ErasureOf says whether the data of a person may be destroyed now. The earlier of two clocks
// counts, as for a disposal. A permission is on record BEFORE it is given: see Cleared.
func (g *Governor) ErasureOf(
	ctx context.Context, entry domain.Entry, person string,
) (v vault.Verdict, err error) {
	err = g.settled(func() (err error) {
		v, err = g.erasureOf(ctx, entry, person)
		return err
	})
	return v, err
}

func (g *Governor) erasureOf(
	ctx context.Context, entry domain.Entry, person string,
) (v vault.Verdict, err error) {
	facts, err := Read(ctx, g.Log, g.Trades)
	if err != nil {
		return v, err
	}
	holds, err := FoldHolds(g.Log.Stream(ctx, HoldStream))
	if err != nil {
		return v, err
	}
	now, err := g.Locks.Earlier(ctx, g.Clock())
	if err != nil {
		return v, err
	}
	if v = ErasureOf(person, g.Policy, facts, holds, now); v.Allowed {
		err = g.clear(ctx, entry, holds, Cleared{ActErase, person})
	}
	return v, err
}

// settled decides again as long as a hold is placed or lifted while it decides.
func (g *Governor) settled(decide func() error) error {
	for {
		err := decide()
		var moved *contract.ConflictError
		if !errors.As(err, &moved) || moved.Stream != HoldStream {
			return err
		}
	}
}

// clear puts it on record that the holds allow an act. A crash after it leaves a permission that
// nobody used: the next act asks for its own.
func (g *Governor) clear(
	ctx context.Context, entry domain.Entry, holds Holds, c Cleared,
) error {
	entry.CommandID += "/" + c.Act
	return g.append(ctx, HoldStream, holds.Version, entry, c)
}

// Apply makes the locks and the flags of the archive those of the policy and the holds on record.
// It returns the plan as it is then. An error of an object does not keep it from the others.
func (g *Governor) Apply(ctx context.Context) ([]Item, error) {
	items, _, err := g.applyAll(ctx)
	return items, err
}

func (g *Governor) applyAll(ctx context.Context) ([]Item, Holds, error) {
	items, holds, err := g.plan(ctx)
	if err != nil {
		return nil, holds, err
	}
	var failed error
	for i := range items {
		failed = errors.Join(failed, g.apply(ctx, &items[i]))
	}
	return items, holds, failed
}

func (g *Governor) apply(ctx context.Context, item *Item) error {
	if item.State == StateGone {
		return nil
	}
	locks := g.locks(item.Kind)
	// The flag first: a hold may be placed a moment before the lock ends.
	if on := len(item.Holds) > 0; on != item.Held {
		if err := locks.Flag(ctx, item.Object, on); err != nil {
			return err
		}
	}
	if err := locks.Extend(ctx, item.Object, item.lock(g.HoldFor)); err != nil {
		return err
	}
	found, err := locks.Find(ctx, item.Name)
	if err != nil {
		return err
	}
	item.Object = found
	item.State = item.state()
	return nil
}

// Place puts a hold on record, and AFTER that sets the flags.
func (g *Governor) Place(ctx context.Context, entry domain.Entry, p Placed) ([]Item, error) {
	holds, err := FoldHolds(g.Log.Stream(ctx, HoldStream))
	if err == nil {
		err = holds.Place(p)
	}
	if err == nil {
		err = g.append(ctx, HoldStream, holds.Version, entry, p)
	}
	if err != nil {
		return nil, err
	}
	// A crash here leaves objects without their flags. The next Apply sets them.
	return g.Apply(ctx)
}

// Lift puts it on record that a hold is lifted, and AFTER that clears the flags of the objects that
// no other hold covers.
func (g *Governor) Lift(ctx context.Context, entry domain.Entry, id string) ([]Item, error) {
	holds, err := FoldHolds(g.Log.Stream(ctx, HoldStream))
	if err == nil {
		err = holds.Lift(id, entry.Actor, entry.Approver)
	}
	if err == nil {
		err = g.append(ctx, HoldStream, holds.Version, entry, Lifted{id})
	}
	if err != nil {
		return nil, err
	}
	return g.Apply(ctx)
}

func (g *Governor) append(
	ctx context.Context, stream string, at int64, entry domain.Entry, body domain.Body,
) error {
	e, err := g.Codec.Event(ctx, stream, 0, entry, body)
	if err != nil {
		return err
	}
	_, err = g.Log.Append(ctx, stream, at, e)
	return err
}

// mostObjects is the most objects of one certificate, which must fit an event.
const mostObjects = 1000

// An Outcome is the end of a disposal. More is the number of objects that are due and were in no
// certificate of it.
type Outcome struct {
	Completed
	More int
}

// Dispose removes the objects that are due. It continues a disposal that was cut off. The
// certificate is on record BEFORE an object goes, and its outcome after that. It needs two people,
// and a log that agrees with its archive.
func (g *Governor) Dispose(ctx context.Context, entry domain.Entry) (done Outcome, err error) {
	if err := fourEyes("destroy records", entry.Actor, entry.Approver); err != nil {
		return done, err
	}
	if err := g.Verify(ctx); err != nil {
		return done, err
	}
	err = g.settled(func() (err error) {
		done, err = g.dispose(ctx, entry)
		return err
	})
	return done, err
}

func (g *Governor) dispose(ctx context.Context, entry domain.Entry) (done Outcome, err error) {
	items, holds, err := g.applyAll(ctx)
	if err != nil {
		return done, err
	}
	all, err := FoldDisposals(g.Log.Stream(ctx, DisposalStream))
	if err != nil {
		return done, err
	}
	cleared := Cleared{Act: ActDispose}
	for _, order := range all.Orders {
		if !order.Done {
			if err := g.clear(ctx, entry, holds, cleared); err != nil {
				return done, err
			}
			return g.carryOut(ctx, entry, order, all.Version, items)
		}
	}
	order, err := g.order(ctx, items)
	if err != nil || len(order.Objects) == 0 {
		return done, err
	}
	if err := g.clear(ctx, entry, holds, cleared); err != nil {
		return done, err
	}
	if err := g.append(ctx, DisposalStream, all.Version, entry, order); err != nil {
		return done, err
	}
	// A crash from here on leaves an order that is not done. The next disposal carries it out.
	id := trade.EventID(entry.CommandID, 0)
	return g.carryOut(ctx, entry, Order{Ordered: order, ID: id.String()}, all.Version+1, items)
}

// order returns the certificate of the objects that are due.
func (g *Governor) order(ctx context.Context, items []Item) (Ordered, error) {
	order := Ordered{Policy: g.Policy.Digest(), Log: LogKeeps}
	for _, item := range items {
		if item.State != StateDue || len(order.Objects) == mostObjects {
			continue
		}
		sum, err := g.locks(item.Kind).Digest(ctx, item.Object)
		if err != nil {
			return order, err
		}
		order.Objects = append(order.Objects, Destroyed{item.Kind, item.Name, item.Version, sum,
			item.Size, item.Batch, int64(item.Events), item.Rule, item.Due.At})
	}
	return order, nil
}

// carryOut removes the objects of a certificate. A hold that was placed since keeps its objects,
// and so does a server that refuses. After any other error an object may be gone: the order stays
// open.
func (g *Governor) carryOut(
	ctx context.Context, entry domain.Entry, order Order, version int64, items []Item,
) (done Outcome, err error) {
	now := map[string]Item{}
	for _, item := range items {
		now[item.Name] = item
		if item.State == StateDue {
			done.More++
		}
	}
	done.Completed = Completed{Order: order.ID, Deleted: []string{}, Kept: []NotGone{}}
	for _, o := range order.Objects {
		item, found := now[o.Object]
		if found && item.State != StateDue {
			done.Kept = append(done.Kept, NotGone{o.Object, "it is " + item.State +
				" since the certificate"})
			continue
		}
		if found {
			done.More--
		}
		switch err := g.locks(o.Kind).Remove(ctx, o.Object); {
		case refused(err):
			done.Kept = append(done.Kept, NotGone{o.Object, err.Error()})
		case err != nil:
			return done, err
		default:
			done.Deleted = append(done.Deleted, o.Object)
		}
	}
	entry.CommandID += "/" + uuid.NewString()
	return done, g.append(ctx, DisposalStream, version, entry, done.Completed)
}
