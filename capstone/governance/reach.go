package governance

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/ledger"
	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/labs/kit/contract"
)

// A reach finds the contracts that a record is about without naming them. Its nodes are the ids of
// events, the entries of ledgers and the keys of breaks. A node leads to another one
//
//	event   its cause, its entry, its break
//	entry   the causes of its events, the entries that it reverses or replaces
//
// so a journal that somebody posted by hand leads to the contract of the entry that it mends.
type reach struct {
	contract map[uuid.UUID]string
	next     map[uuid.UUID][]uuid.UUID
}

func newReach() *reach {
	return &reach{map[uuid.UUID]string{}, map[uuid.UUID][]uuid.UUID{}}
}

func (w *reach) link(from uuid.UUID, to ...uuid.UUID) {
	for _, node := range to {
		if node != from && !slices.Contains(w.next[from], node) {
			w.next[from] = append(w.next[from], node)
		}
	}
}

// add takes an event of the log. It returns the accounts that an event of a ledger moves.
func (w *reach) add(r contract.Recorded) (accounts []string, err error) {
	if uti := subject(r.Stream); uti != "" {
		w.contract[r.ID] = uti
		return nil, nil
	}
	w.link(r.ID, r.Causation)
	if r.Type == (reconcile.Opened{}).EventType() {
		body, err := domain.Decode[reconcile.Opened](r)
		w.contract[breakOf(r)] = body.Key // no contract has a key that is no UTI
		w.link(r.ID, breakOf(r))
		return nil, err
	}
	if strings.HasPrefix(r.Type, "break.") {
		w.link(r.ID, breakOf(r))
		return nil, nil
	}
	f, ok, err := ledger.FactOf(r)
	if err != nil || !ok {
		return nil, err
	}
	return w.addLedger(f), nil
}

// breakOf returns the node of the break that an event is about: each has a stream.
func breakOf(r contract.Recorded) uuid.UUID { return node(r.Stream) }

func node(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)) }

func (w *reach) addLedger(f ledger.Fact) (accounts []string) {
	book, name, _ := ledger.Of(f.Stream)
	entry := func(name string) uuid.UUID { return node(ledger.JournalStream(book, name)) }
	belongs := func(name string) {
		w.link(f.ID, entry(name))
		w.link(entry(name), f.Causation)
	}
	if f.Stream == ledger.AccountStream(book, name) {
		accounts = []string{name}
	}
	switch b := f.Body.(type) {
	case ledger.JournalEntryPosted:
		belongs(b.Entry)
		for _, mended := range []string{b.Reverses, b.Replaces} {
			if mended != "" {
				w.link(entry(b.Entry), entry(mended))
			}
		}
		return accountsOf(b.Lines)
	case ledger.JournalCreated:
		belongs(b.Entry)
		return accountsOf(b.Lines)
	case ledger.JournalEntryReversed:
		belongs(b.Entry)
	case ledger.AccountDebited:
		belongs(b.Entry)
	case ledger.AccountCredited:
		belongs(b.Entry)
	}
	return accounts
}

func accountsOf(lines []ledger.Line) (all []string) {
	for _, l := range lines {
		all = with(all, l.Account)
	}
	return all
}

// contracts returns the contracts that a node leads to, sorted.
func (w *reach) contracts(from uuid.UUID) (all []string) {
	seen, todo := map[uuid.UUID]bool{from: true}, []uuid.UUID{from}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if uti, ok := w.contract[at]; ok {
			all = with(all, uti)
			continue
		}
		for _, to := range w.next[at] {
			if !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	slices.Sort(all)
	return all
}
