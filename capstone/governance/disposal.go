package governance

import (
	"iter"
	"slices"
	"time"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
)

// DisposalStream has the certificates of destruction.
const DisposalStream = "governance/disposals"

// Ordered is the body of disposal.ordered: the certificate of destruction. It is on record BEFORE
// anything is removed, and the next checkpoint seals it.
type Ordered struct {
	Policy  string      `avro:"policy"` // the digest of the policy that was applied
	Objects []Destroyed `avro:"objects"`
	// Log says what becomes of the same events in the log: LogKeeps.
	Log string `avro:"log"`
}

// LogKeeps says what a disposal does not do.
const LogKeeps = "the log keeps its events, with their offloaded payloads; their personal data " +
	"is unreadable where a party was erased, since its key is destroyed"

// Destroyed is an object that a disposal removes. Batch is zero unless it has the records of one.
type Destroyed struct {
	Kind    string    `avro:"kind"` // KindRecords, KindSnapshot or KindPayload
	Object  string    `avro:"object"`
	Version string    `avro:"version"`
	SHA256  string    `avro:"sha256"`
	Size    int64     `avro:"size"`
	Batch   int64     `avro:"batch"`
	Events  int64     `avro:"events"`
	Rule    string    `avro:"rule"`
	Due     time.Time `avro:"due"`
}

// Completed is the body of disposal.completed.
type Completed struct {
	Order   string    `avro:"order"` // the id of disposal.ordered
	Deleted []string  `avro:"deleted"`
	Kept    []NotGone `avro:"kept"`
}

// NotGone is an object that a disposal left, and the reason.
type NotGone struct {
	Object string `avro:"object" json:"object"`
	Why    string `avro:"why" json:"why"`
}

// EventType implements domain.Body.
func (Ordered) EventType() string { return "disposal.ordered" }

// EventType implements domain.Body.
func (Completed) EventType() string { return "disposal.completed" }

// Disposals are the certificates of a log.
type Disposals struct {
	Version int64
	Orders  []Order
}

// An Order is a certificate. It is Done once each object is gone, or stays for a reason on record.
// Deleted are then the objects that are gone.
type Order struct {
	Ordered
	ID      string
	Done    bool
	Deleted []string
}

// FoldDisposals returns the certificates of their stream.
func FoldDisposals(events iter.Seq2[contract.Recorded, error]) (d Disposals, err error) {
	for r, err := range events {
		if err != nil {
			return d, err
		}
		if err := d.apply(r); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *Disposals) apply(r contract.Recorded) error {
	d.Version = r.Version
	if r.Type == (Ordered{}).EventType() {
		body, err := domain.Decode[Ordered](r)
		d.Orders = append(d.Orders, Order{Ordered: body, ID: r.ID.String()})
		return err
	}
	body, err := domain.Decode[Completed](r)
	for i := range d.Orders {
		if o := &d.Orders[i]; o.ID == body.Order {
			o.Done, o.Deleted = true, append(o.Deleted, body.Deleted...)
		}
	}
	return err
}

// destroyed yields the objects of a kind that a certificate removed, with the id of that. Those of
// an order that is not done are among them: any of its objects may be gone.
func (d Disposals) destroyed(kind string) iter.Seq2[string, Destroyed] {
	return func(yield func(string, Destroyed) bool) {
		for _, o := range d.Orders {
			for _, x := range o.Objects {
				gone := !o.Done || slices.Contains(o.Deleted, x.Object)
				if gone && x.Kind == kind && !yield(o.ID, x) {
					return
				}
			}
		}
	}
}

// Batches returns the numbers of the batches whose records a certificate removed.
func (d Disposals) Batches() map[int64]bool {
	all := map[int64]bool{}
	for _, x := range d.destroyed(KindRecords) {
		all[x.Batch] = true
	}
	return all
}

// Certificates returns the ids of the certificates that removed objects of a kind, by the names of
// the objects.
func (d Disposals) Certificates(kind string) map[string]string {
	all := map[string]string{}
	for id, x := range d.destroyed(kind) {
		all[x.Object] = id
	}
	return all
}
