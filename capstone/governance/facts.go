package governance

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/vault"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Record is the part of an event that retention and holds ask for.
type Record struct {
	ID         uuid.UUID
	Type       string
	At         time.Time // recorded_at
	Position   contract.Position
	Contract   string   // the UTI; empty for an event about no contract
	Principals []string // who acted
	Party      string   // the person whose fields it has; empty for every other event
	// Follows are the contracts that a record about none leads to, such as that of a journal: see
	// reach. Holds reach the record by them; retention does not count from the end of a contract.
	Follows  []string
	Accounts []string // of a ledger that it moves
}

// Facts are all records of a log, and the contracts that they are about.
type Facts struct {
	Records   []Record
	contracts map[string]*contractFacts
	events    map[string][]trade.Event // of contracts, by UTI
	reach     *reach
}

func newFacts() *Facts {
	return &Facts{contracts: map[string]*contractFacts{}, events: map[string][]trade.Event{},
		reach: newReach()}
}

// contractFacts are the values that a contract ever had.
type contractFacts struct {
	books, counterparties, traders []string
	ended                          time.Time // zero while it is open
}

// Read folds the whole log, in one pass.
func Read(ctx context.Context, log contract.Reader, codec contract.Codec) (*Facts, error) {
	end, err := log.End(ctx)
	if err != nil {
		return nil, err
	}
	f := newFacts()
	for r, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		var e trade.Event
		if strings.HasPrefix(r.Stream, trade.TradeStream("")) {
			if e, err = contract.Decoded(ctx, codec, r); err != nil {
				return nil, err
			}
		}
		if err := f.add(r, e); err != nil {
			return nil, err
		}
	}
	f.finish()
	return f, nil
}

// subject returns the contract of a stream.
func subject(stream string) string {
	for _, prefix := range []string{"trade/", "confirmation/", "refused/"} {
		if uti, ok := strings.CutPrefix(stream, prefix); ok && !strings.Contains(uti, "/") {
			return uti
		}
	}
	return ""
}

func (f *Facts) add(r contract.Recorded, e trade.Event) (err error) {
	record := Record{ID: r.ID, Type: r.Type, At: r.RecordedAt, Position: r.Position,
		Contract: subject(r.Stream)}
	record.Party, _ = vault.Of(r.Stream)
	for _, who := range []string{r.Actor, r.Approver, r.SubmittedBy} {
		record.Principals = with(record.Principals, who)
	}
	if record.Accounts, err = f.reach.add(r); err != nil {
		return err
	}
	f.Records = append(f.Records, record)
	if e.Body == nil {
		return nil
	}
	c := f.contracts[record.Contract]
	if c == nil {
		c = &contractFacts{}
		f.contracts[record.Contract] = c
	}
	switch b := e.Body.(type) {
	case trade.New:
		c.books, c.traders = with(c.books, b.Book), with(c.traders, b.Trader)
		c.counterparties = with(c.counterparties, b.Counterparty)
	case trade.Amend:
		c.traders, c.counterparties = with(c.traders, b.Trader),
			with(c.counterparties, b.Counterparty)
	}
	f.events[record.Contract] = append(f.events[record.Contract], e)
	return nil
}

func with(all []string, one string) []string {
	if one == "" || slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// finish finds the contracts that records follow, and those that have ended. A parked one counts as
// open.
func (f *Facts) finish() {
	for i := range f.Records {
		if r := &f.Records[i]; r.Contract == "" {
			r.Follows = f.reach.contracts(r.ID)
		}
	}
	for uti, events := range f.events {
		t, parked := trade.Fold(uti, events, trade.AsOf{})
		if parked != nil || t.Status == trade.Live {
			continue
		}
		for _, e := range events {
			for _, at := range []time.Time{e.RecordedAt, e.EffectiveAt} {
				if c := f.contracts[uti]; at.After(c.ended) {
					c.ended = at
				}
			}
		}
	}
	f.events, f.reach = nil, nil
}

// names reports whether a record is about a person: who acted, or a trader of its contract.
func (f *Facts) names(r Record, person string) bool {
	c := f.contracts[r.Contract]
	return slices.Contains(r.Principals, person) || c != nil && slices.Contains(c.traders, person)
}
