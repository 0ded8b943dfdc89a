package forensics

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A Cause is an event of a chain of causes. An event comes after the event that it handles, and
// after the event that it corrects.
type Cause struct {
	Fact
	Depth int    `json:"depth"`         // negative before the event that was asked for
	Via   string `json:"via,omitempty"` // causation or correction
}

// Most is the largest number of events of a chain, and of contracts of a lineage.
const Most = 1000

// CauseOf returns the causes of an event, the event, and its effects, as far as they were known.
// ok is false if the event is not in the index.
func CauseOf(ctx context.Context, in Index, id uuid.UUID, at trade.AsOf) (
	chain []Cause, ok bool, err error) {
	start, err := in.Facts(ctx, []uuid.UUID{id})
	if err != nil || len(start) == 0 || !at.Knows(start[0].RecordedAt) {
		return nil, false, err
	}
	seen := map[uuid.UUID]bool{id: true}
	up, err := walk(start, seen, -1, func(level []Fact) ([]Fact, error) {
		return in.Facts(ctx, parents(level))
	})
	if err != nil {
		return nil, false, err
	}
	down, err := walk(start, seen, 1, func(level []Fact) ([]Fact, error) {
		effects, err := in.Effects(ctx, idsOf(level))
		return slices.DeleteFunc(effects, func(f Fact) bool { return !at.Knows(f.RecordedAt) }), err
	})
	slices.Reverse(up)
	return slices.Concat(up, []Cause{{Fact: start[0]}}, down), true, err
}

// walk follows next, level by level.
func walk(level []Fact, seen map[uuid.UUID]bool, step int,
	next func([]Fact) ([]Fact, error)) (all []Cause, err error) {
	for depth := step; len(level) > 0 && len(all) < Most; depth += step {
		found, err := next(level)
		if err != nil {
			return all, err
		}
		from := idsOf(level)
		level = nil
		for _, f := range found {
			if seen[f.ID] {
				continue
			}
			seen[f.ID] = true
			level = append(level, f)
			all = append(all, Cause{f, depth, via(f, from, step)})
		}
	}
	return all, nil
}

// via names the way from one level to an event of the next one.
func via(f Fact, from []uuid.UUID, step int) string {
	if step > 0 && slices.Contains(from, f.Corrects) {
		return "correction"
	}
	return "causation"
}

func idsOf(all []Fact) (ids []uuid.UUID) {
	for _, f := range all {
		ids = append(ids, f.ID)
	}
	return ids
}

func parents(all []Fact) (ids []uuid.UUID) {
	for _, f := range all {
		for _, id := range []uuid.UUID{f.Causation, f.Corrects} {
			if id != uuid.Nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// A Lineage is the contracts that are linked to one by novations and exercises.
type Lineage struct {
	Contracts []trade.Trade `json:"contracts"` // by UTI; one without a status is not ours
	Links     []Link        `json:"links"`
	Breaks    []Break       `json:"breaks"`
}

// A Break is a contract whose quantities do not add up, or that does not go on as its cause says.
type Break struct {
	UTI string `json:"uti"`
	Why string `json:"why"`
}

// LineageOf returns the lineage of a contract as known and as effective at two times, and checks
// that quantity is conserved: within each contract, and from each contract to the one that goes on.
func LineageOf(ctx context.Context, in Index, uti string, at trade.AsOf) (l Lineage, err error) {
	l = Lineage{Contracts: []trade.Trade{}, Links: []Link{}, Breaks: []Break{}} // never nil
	seen, links := map[string]bool{}, map[Link]bool{}
	for next := []string{uti}; len(next) > 0 && len(seen) < Most; {
		for _, uti := range next {
			seen[uti] = true
		}
		found, err := in.Links(ctx, next)
		if err != nil {
			return l, err
		}
		next = nil
		for _, link := range found {
			if !at.Knows(link.RecordedAt) || links[link] {
				continue
			}
			links[link] = true
			l.Links = append(l.Links, link)
			for _, uti := range []string{link.FromUTI, link.ToUTI} {
				if !seen[uti] && !slices.Contains(next, uti) {
					next = append(next, uti)
				}
			}
		}
	}
	slices.SortFunc(l.Links, func(a, b Link) int { return a.compare(b.Fact) })
	return l, l.fold(ctx, in, slices.Sorted(maps.Keys(seen)), at)
}

// fold folds the contracts and checks that quantity is conserved.
func (l *Lineage) fold(ctx context.Context, in Index, utis []string, at trade.AsOf) error {
	streams := map[string][]trade.Event{}
	for _, uti := range utis {
		stream := trade.TradeStream(uti)
		_, events, err := in.History(ctx, stream)
		if err != nil {
			return err
		}
		streams[stream] = events
		t, _ := trade.Fold(uti, events, at)
		l.Contracts = append(l.Contracts, t)
		sum := t.Open.Add(t.Settled).Add(t.Novated).Add(t.Exercised).Add(t.Terminated)
		if !sum.Equal(t.Contracted) {
			l.Breaks = append(l.Breaks, Break{uti, fmt.Sprintf(
				"%s is contracted, and its parts add up to %s", t.Contracted, sum)})
		}
	}
	for _, m := range trade.Mismatches(streams, at.Known) {
		l.Breaks = append(l.Breaks, Break{m.UTI,
			fmt.Sprintf("it does not match %s: %s", m.Cause, m.Why)})
	}
	return nil
}

// A State is a contract as known and as effective at two times, with the events behind it.
type State struct {
	trade.Trade
	Fields map[string]string `json:"fields"`
	Events []Fact            `json:"events"` // known and effective by then
}

// StateOf returns the state of a contract. ok is false if it had not begun.
func StateOf(ctx context.Context, in Index, uti string, at trade.AsOf) (
	s State, ok bool, err error) {
	facts, events, err := in.History(ctx, trade.TradeStream(uti))
	if err != nil {
		return s, false, err
	}
	s.Trade, _ = trade.Fold(uti, events, at)
	s.Fields = FieldsOf(s.Trade)
	s.Events = []Fact{} // never nil
	for _, f := range facts {
		if at.Knows(f.RecordedAt) && at.Counts(f.EffectiveAt) {
			s.Events = append(s.Events, f)
		}
	}
	return s, s.Status != "", nil
}
