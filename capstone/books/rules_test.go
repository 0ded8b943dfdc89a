package books_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

// The end of the sample book is written by hand, in testdata/rules.jsonl: the rules of the domain
// that the simulated desk never meets.

// handwritten returns these lines, and the rules that refuse some of them.
func handwritten(t *testing.T) (text []byte, refused map[string]trade.Rule) {
	t.Helper()
	text, err := os.ReadFile("testdata/rules.jsonl")
	require.NoError(t, err)
	return text, map[string]trade.Rule{
		"rule-05": trade.BreaksLater, "rule-08": trade.AlreadyBegun, "rule-11": trade.BreaksLater,
		"rule-13": trade.BadTerms, "rule-14": trade.BadTerms,
	}
}

// Each rule of the domain occurs in the sample book, which the demo imports.
func TestSampleBookHasEveryDomainRule(t *testing.T) {
	t.Parallel()
	d := &desk{streams: map[string][]trade.Event{}, refused: map[string]string{}}
	seen, byHand := map[string]int{}, map[string]bool{}
	for line, err := range lines.Read(bytes.NewReader(open(t, books.Sample))) {
		require.NoError(t, err)
		c := line.Command
		see := func(what string, is bool) {
			if is {
				seen[what]++
			}
		}
		before := d.contract(c)
		d.enter(t, c)
		if _, refused := d.refused[c.ID]; refused {
			_, err := trade.Decide(d.streams, c) // again, for the detail
			refusal := new(trade.Refusal)
			require.ErrorAs(t, err, &refusal)
			seeRefusal(see, c, refusal)
			continue
		}
		seeCommand(see, c, before, d.contract(c))
		successor := d.streams[c.Stream()][0].Actor == trade.FollowUpActor
		byHand[c.Stream()] = byHand[c.Stream()] || successor && c.Corrects != uuid.Nil
	}
	for stream := range byHand {
		for _, e := range d.streams[stream][1:] {
			if byHand[stream] && e.Actor == trade.FollowUpActor {
				seen["a cause corrected after a change by hand"]++
			}
		}
	}
	seeState(seen, trade.StateOf(d.streams, trade.AsOf{}))
	for _, what := range []string{
		"a void of what is settled in part", "an amendment of a closed contract",
		"an amendment that opens a contract again", "less than is settled, of a closed contract",
		"an exit of a forward", "an exit of an option", "a lower quantity of an option",
		"a novated option, remaining", "a void with a time of its own", "a contract booked again",
		"a carried-in amount by hand", "a prior UTI by hand",
		"a cause corrected after a change by hand", "a follow-up onto a taken UTI",
		"a follow-up below what is settled", "an expired option", "a delivery under way",
		"delivered and not settled", "no mark", "a mark of a longer period", "marks of months",
		"a negative price of power", "a negative price of gas", "a negative price of oil",
		"a negative mark", "a premium of zero", "MW over a settled period",
		"legs of one time, by entry",
		"DE-LU", "FR", "NL", "PL", "GB", "TTF", "NBP", "THE", "HENRY-HUB", "BRENT", "WTI", "DUBAI",
	} {
		require.Positive(t, seen[what], what)
	}
}

// contract returns the contract that c is about, as it is now.
func (d *desk) contract(c trade.Command) (t trade.Trade) {
	if c.UTI != "" {
		t, _ = trade.Fold(c.UTI, d.streams[c.Stream()], trade.AsOf{})
	}
	return t
}

func seeRefusal(see func(string, bool), c trade.Command, r *trade.Refusal) {
	n, _ := c.Body.(trade.New)
	cancel, _ := c.Body.(trade.Cancel)
	followUp := strings.HasPrefix(r.Detail, "the follow-up on ")
	see("a follow-up onto a taken UTI", followUp && r.Rule == trade.AlreadyBegun)
	see("a follow-up below what is settled", followUp && r.Rule == trade.BreaksLater)
	see("less than is settled, of a closed contract",
		r.Rule == trade.BreaksLater && c.Label() == "AMEND amendment")
	see("a void with a time of its own", cancel.Kind == trade.Void && !c.EffectiveAt.IsZero())
	see("a carried-in amount by hand", !n.CarriedIn.IsZero())
}

func seeCommand(see func(string, bool), c trade.Command, before, after trade.Trade) {
	option := before.Terms.Instrument.Option != nil
	closed := before.Status != "" && before.Status != trade.Live
	switch b := c.Body.(type) {
	case trade.New:
		i := b.Instrument
		see(i.Zone, true)
		see("a negative price of "+string(i.Commodity), b.Price.Sign() < 0)
		see("a premium of zero", i.Option != nil && b.Price.IsZero())
		see("a prior UTI by hand", b.PriorUTI != "" && c.Corrects == uuid.Nil)
		see("a contract booked again", c.Reason == "booked again")
	case trade.Amend:
		amended := c.Corrects == uuid.Nil
		see("an amendment of a closed contract", amended && closed)
		see("an amendment that opens a contract again", amended && closed &&
			after.Status == trade.Live)
		see("a lower quantity of an option", amended && option &&
			after.Contracted.Cmp(before.Contracted) < 0)
	case trade.Cancel:
		taken := before.Contracted.Sub(before.Open)
		see("a void of what is settled in part", b.Kind == trade.Void && !taken.IsZero() && !closed)
		see("an exit of an option", b.Kind == trade.Terminate && option)
		see("an exit of a forward", b.Kind == trade.Terminate && !option)
	case trade.Novate:
		see("a novated option, remaining", b.Role == trade.Remaining && option)
	case trade.Settle:
		see("MW over a settled period", b.Quantity.Unit == trade.MW && !b.From.IsZero())
	case trade.PriceMarked:
		for _, p := range b.Points {
			see("a negative mark", p.Price.Sign() < 0)
		}
	}
}

// seeState looks at the positions as they are valued at the end of the year.
func seeState(seen map[string]int, s trade.State) {
	see := func(what string, is bool) {
		if is {
			seen[what]++
		}
	}
	for _, v := range s.ValuedAt(time.Date(2025, 12, 31, 19, 0, 0, 0, time.UTC)) {
		see("an expired option", v.Expired)
		see("a delivery under way", !v.Delivered.IsZero() && !v.Undelivered.IsZero())
		see("delivered and not settled", !v.Delivered.IsZero())
		see("no mark", v.MarketValue == nil)
		see("marks of months", len(v.Marks) > 1)
		for _, m := range v.Marks {
			_, delivery, _ := strings.Cut(v.Instrument, "@")
			see("a mark of a longer period", len(v.Marks) == 1 && m.Delivery != delivery)
		}
	}
	last := map[trade.PoolKey]trade.LegKey{}
	for _, t := range s.Trades { // sorted by UTI, so a later one that was entered earlier is a case
		for _, l := range t.Legs {
			was, ok := last[l.Pool]
			see("legs of one time, by entry", ok && was.EffectiveAt.Equal(l.Key.EffectiveAt) &&
				l.Key.EnteredAt.Before(was.EnteredAt))
			last[l.Pool] = l.Key
		}
	}
}
