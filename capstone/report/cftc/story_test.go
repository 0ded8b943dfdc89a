package cftc_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

// A story of contracts step by step, from one NEW to the last late correction. The golden file has
// the messages that each step adds, and nothing is taken back.
func TestStory(t *testing.T) {
	t.Parallel()
	d, n := market(reporttest.New()), 0
	var out bytes.Buffer
	seen := map[string]int{}
	events := map[string]trade.Event{}
	step := func(what, name string, e trade.Event, err error) {
		require.NoError(t, err, what)
		events[name], n = e, n+1
		fmt.Fprintf(&out, "%d. %s\n", n, what)
		for _, uti := range d.UTIs() {
			all := shown(t, d, uti)
			for _, s := range all[seen[uti]:] {
				fmt.Fprintf(&out, "   %s: %s\n", uti[len(lei):], s)
			}
			seen[uti] = len(all)
		}
	}
	day := func() string {
		return reporttest.At("2025-01-05").AddDate(0, 0, n).Format(time.DateOnly)
	}
	do := func(what, name, uti string, b trade.Body) {
		e, err := d.Do(day(), lei+uti, b)
		step(what, name, e, err)
	}
	correct := func(what, name, uti string, b trade.Body) {
		e, err := d.Correct(day(), lei+uti, events[name], b)
		step(what, name, e, err)
	}
	late := func(what, name, uti, at string, b trade.Body) {
		e, err := d.Late(at, day(), lei+uti, b)
		step(what, name, e, err)
	}
	novate := func(q, uti, to, role string) trade.Novate {
		return trade.Novate{Role: role, Quantity: mwh(q), NewUTI: lei + uti, Incoming: to}
	}
	exercise := func(q, how, uti string) trade.Exercise {
		if uti != "" {
			uti = lei + uti
		}
		return trade.Exercise{Quantity: mwh(q), Settlement: how, NewUTI: uti,
			UnderlyingPrice: trade.Dec("85")}
	}
	amount := func(q string) trade.Amend {
		return trade.Amend{Kind: trade.Amendment, Quantity: mwh(q)}
	}
	at := func(p string) trade.Amend { return trade.Amend{Kind: trade.Amendment, Price: price(p)} }
	end := func(q string) trade.Cancel {
		return trade.Cancel{Kind: trade.Terminate, Quantity: mwh(q)}
	}
	all := trade.Cancel{Kind: trade.Terminate}
	void := trade.Cancel{Kind: trade.Void}
	trader := func(s string) trade.Amend { return trade.Amend{Kind: trade.Update, Trader: s} }
	cheaper, ours := forward(), forward()
	cheaper.Price, ours.Side = trade.Dec("79"), trade.Sell

	do("A begins", "A", "A", forward())
	do("A: another trader", "", "A", trader("ben"))
	do("A: another price", "A price", "A", at("82"))
	correct("A: the price was mistyped", "A price", "A", at("81"))
	do("A: more", "", "A", amount("150"))
	do("A: less", "", "A", amount("140"))
	do("A: a part ends", "A end", "A", end("20"))
	correct("A: the part was larger", "A end", "A", end("30"))
	do("A: a part goes to BETA, and we remain", "A to B", "A",
		novate("40", "B", "BETA", trade.Remaining))
	correct("A: that part was larger", "A to B", "A", novate("50", "B", "BETA", trade.Remaining))
	do("B: another price", "", "B", at("83"))
	do("A: a part leaves us", "", "A", novate("10", "X1", "BETA", trade.Transferor))
	correct("A: the NEW had another price", "A", "A", cheaper)
	do("C begins, sold", "C", "C", ours)
	do("C is a duplicate", "", "C", void)
	do("D begins", "D", "D", forward())
	do("D leaves us", "", "D", novate("100", "X2", "BETA", trade.Transferor))
	do("E begins", "E", "E", forward())
	do("E ends", "E end", "E", all)
	correct("E ended in part only", "E end", "E", end("60"))
	do("E: the rest goes to BETA, and we remain", "E to F", "E",
		novate("40", "F", "BETA", trade.Remaining))
	do("F: another trader", "", "F", trader("ben"))
	do("O, a call, begins", "O", "O", call())
	do("O: a higher premium", "", "O", at("7"))
	do("O: a part is used for cash", "O cash", "O", exercise("20", trade.Cash, ""))
	correct("O: the part was smaller", "O cash", "O", exercise("10", trade.Cash, ""))
	do("O: a part is used for delivery", "O to G", "O", exercise("30", trade.Physical, "G"))
	correct("O: that part was larger", "O to G", "O", exercise("35", trade.Physical, "G"))
	do("G: a part ends", "", "G", end("5"))
	do("O: the rest is used for delivery", "", "O", exercise("55", trade.Physical, "H"))
	do("P, a call, begins", "P", "P", call())
	do("P is used for cash", "P cash", "P", exercise("100", trade.Cash, ""))
	correct("P was not used", "P cash", "P", exercise("0", trade.Cash, ""))
	do("P ends", "", "P", all)
	late("P: the premium had been raised before", "", "P", "2025-02-04T12:00:00Z", at("6.5"))
	do("K begins", "K", "K", forward())
	do("K ends", "K end", "K", all)
	late("K had been raised before", "K more", "K", "2025-02-09T12:00:00Z", amount("110"))
	do("K: the rest ends", "", "K", all)
	correct("A: the novation did not happen", "A to B", "A",
		novate("0", "B", "BETA", trade.Remaining))
	do("A: the rest is delivered", "", "A", trade.Settle{Quantity: mwh("100"),
		Price: trade.Dec("90")})
	do("G: a part is delivered", "G part", "G", trade.Settle{Quantity: mwh("10"),
		Price: trade.Dec("90")})
	correct("G: it was less", "G part", "G", trade.Settle{Quantity: mwh("8"),
		Price: trade.Dec("90")})
	do("G: the rest ends", "", "G", all)

	require.GreaterOrEqual(t, n, 40)
	golden(t, "story.txt", out.Bytes())
	actions, _ := report.Actions(d.Contract(lei+"A"), time.Time{})
	require.Equal(t, trade.Settled, actions[len(actions)-1].After.Status)
	require.Equal(t, cftc.New, cftc.Messages(actions)[0].Type)
}
