package trade_test

import (
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// This file holds the lineage of the oracle: the terms with which a contract must begin, as the
// contract before it determines them. The quantity that leaves one contract arrives in the other.

// A birth is the beginning of a contract from another one.
type birth struct {
	at    time.Time
	terms map[string]string
}

// bears notes that q goes on in another contract of ours, on the terms of c except for some.
func (c *oracleTrade) bears(s oracleSlot, uti string, q trade.Decimal, except map[string]string) {
	if q.IsZero() {
		return
	}
	b := birth{s.last.EffectiveAt, termsOf(c.terms)}
	b.terms["price"], b.terms["quantity"] = c.price.RatString(), rat(q).RatString()
	b.terms["prior"] = strings.TrimPrefix(c.stream, "trade/")
	b.terms["fee"], b.terms["carried in"] = "0", "0"
	maps.Copy(b.terms, except)
	c.births[uti] = b
}

// termsOf names every term with which a contract begins.
func termsOf(n trade.New) map[string]string {
	return map[string]string{
		"quantity": rat(n.Quantity.Value).RatString(), "side": string(n.Side),
		"price": rat(n.Price).RatString(), "currency": string(n.Currency),
		"instrument": n.Instrument.ID(), "prior": n.PriorUTI,
		"carried in": rat(n.CarriedIn).RatString(), "book": n.Book, "trader": n.Trader,
		"counterparty": n.Counterparty, "fee": rat(n.Fee).RatString(),
	}
}

// free lists the terms of a contract that may be changed by hand, although it began from another.
var free = []string{"book", "trader", "counterparty", "fee"}

// checkBirths compares every contract that a follow-up began with its cause. A contract without a
// cause that still stands is voided.
func (o *oracle) checkBirths(t require.TestingT, d *desk) {
	require.Empty(t, d.orphaned, "a command whose follow-up is refused is refused itself")
	require.Empty(t, trade.Mismatches(d.streams, time.Time{}))
	for _, uti := range utis(d) {
		events := d.streams[trade.TradeStream(uti)]
		if events[0].Actor != trade.FollowUpActor {
			continue
		}
		b, borne := o.births[uti]
		if !borne {
			require.Equal(t, trade.Voided, o.trades[uti].status, "%s has no cause", uti)
			o.seen["a voided successor"]++
			continue
		}
		begins := valid(events, trade.AsOf{})[0].last
		o.overlay(b.terms, events)
		require.Equal(t, b.terms, termsOf(begins.Body.(trade.New)), uti)
		require.True(t, b.at.Equal(begins.EffectiveAt), "%s begins with its cause", uti)
		delete(o.births, uti)
	}
	require.Empty(t, o.births, "they never began")
}

// overlay keeps the terms that were changed by hand: each as it was changed last.
func (o *oracle) overlay(terms map[string]string, events []trade.Event) {
	was := map[string]string{}
	hands, follows := 0, 0
	for _, e := range events {
		n, begins := e.Body.(trade.New)
		if !begins {
			continue
		}
		now := termsOf(n)
		for _, term := range free {
			if e.Corrects != uuid.Nil && e.Actor != trade.FollowUpActor && now[term] != was[term] {
				terms[term], hands, follows = now[term], hands+1, 0
			}
		}
		if e.Actor == trade.FollowUpActor {
			follows++
		}
		was = now
	}
	if hands > 0 {
		o.seen["a term changed by hand"]++
		if follows > 0 {
			o.seen["a term changed by hand, then a changed cause"]++
		}
	}
}
