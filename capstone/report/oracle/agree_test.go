package oracle_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/mifir"
	"example.com/blotter/capstone/report/oracle"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/capstone/report/repository"
	"example.com/blotter/labs/kit/trade"
)

// The state at the repositories and our record agree after each day's run, whatever the commands of
// the day were: 10,000 of them, in three regimes. The repository accepts every record.
func TestAgree(t *testing.T) {
	t.Parallel()
	commands := 10_000
	if testing.Short() {
		commands = 1_000
	}
	w := newMarket(1)
	for w.sent < commands {
		touched := w.day()
		w.run(t)
		for _, uti := range touched {
			w.agree(t, uti)
		}
	}
	for _, uti := range w.desk.UTIs() {
		w.agree(t, uti)
	}
	t.Logf("%d commands, %d accepted, %d contracts, %d records", w.sent, w.accepted,
		len(w.desk.UTIs()), w.records)
}

// A market is a desk with random commands, and its repository.
type market struct {
	desk           *reporttest.Desk
	reference      report.Reference
	repository     *oracle.Repository
	simulated      map[string]*repository.Repository // by regime; nil where the model is enough
	random         *rand.Rand
	now            time.Time
	reported       time.Time // the end of the last day's run
	utis           []string
	touched        map[string]bool
	sent, accepted int
	records        int
}

var sets = []report.RuleSet{cftc.V32, remit.Table1(), mifir.RTS22()}

func newMarket(seed uint64) *market {
	d := reporttest.World()
	return &market{desk: d, repository: oracle.New(), random: rand.New(rand.NewPCG(seed, 1)),
		reference: report.FoldReference(slices.Values(d.Facts), time.Time{}),
		now:       reporttest.At("2025-01-01"), reported: reporttest.At("2025-01-01")}
}

// day sends the commands of a day, and returns the contracts that they are about.
func (w *market) day() (touched []string) {
	w.now, w.touched = w.now.Add(24*time.Hour), map[string]bool{}
	for range 10 + w.random.IntN(20) {
		w.now = w.now.Add(time.Minute)
		w.send()
	}
	touched = slices.Sorted(maps.Keys(w.touched))
	for _, uti := range touched {
		if !slices.Contains(w.utis, uti) { // it began from another one
			w.utis = append(w.utis, uti)
		}
	}
	return touched
}

// send sends one command. A refusal leaves no event.
func (w *market) send() {
	w.sent++
	if len(w.utis) == 0 || w.random.IntN(8) == 0 {
		w.begin()
		return
	}
	// Mostly one of the youngest contracts, which lives.
	uti := w.utis[max(0, len(w.utis)-1-w.random.IntN(40))]
	history := w.desk.Streams[trade.TradeStream(uti)]
	cmd := trade.Command{UTI: uti, EnteredAt: w.now, Body: w.change(history[0].Body.(trade.New))}
	switch w.random.IntN(8) {
	case 0, 1:
		wrong := history[w.random.IntN(len(history))]
		cmd.Corrects, cmd.Body = wrong.ID, w.restated(wrong.Body)
	case 2:
		cmd.EffectiveAt = w.now.Add(-time.Duration(w.random.IntN(200)) * time.Hour)
	}
	w.try(cmd)
}

func (w *market) try(cmd trade.Command) {
	before := map[string]int{}
	for _, uti := range w.linked(cmd) {
		before[uti] = len(w.desk.Streams[trade.TradeStream(uti)])
	}
	_, err := w.desk.Send(cmd)
	if err == nil {
		w.accepted++
	}
	for _, uti := range w.linked(cmd) {
		if n := len(w.desk.Streams[trade.TradeStream(uti)]); n > before[uti] {
			w.touched[uti] = true
		}
	}
}

// linked returns the contract of a command, and those that began from it, directly or not.
func (w *market) linked(cmd trade.Command) []string {
	all := []string{cmd.UTI}
	if next := trade.Begun(cmd.Body); next != "" {
		all = append(all, next)
	}
	for i := 0; i < len(all); i++ {
		for _, e := range w.desk.Streams[trade.TradeStream(all[i])] {
			if next := trade.Begun(e.Body); next != "" && !slices.Contains(all, next) {
				all = append(all, next)
			}
		}
	}
	return all
}

func (w *market) uti() string {
	return fmt.Sprintf("%sR%d", reporttest.LEI("OURFIRM"), w.sent)
}

func (w *market) quantity(low, high int) trade.Quantity {
	return trade.Quantity{Value: trade.Int(int64(low + w.random.IntN(high-low+1))),
		Unit: trade.MWh}
}

func (w *market) price() trade.Decimal { return trade.Int(int64(w.random.IntN(120) - 10)) }

func (w *market) begin() {
	begins := w.now.AddDate(0, 4, 0)
	delivery, err := trade.ParsePeriod(begins.Format("2006-01"))
	if err != nil {
		panic(err)
	}
	n := trade.New{Book: "POWER", Counterparty: w.one("ACME", "BETA", "GAMMA"),
		Trader: w.one("anna", "ben"), Side: trade.Buy,
		Instrument: trade.Instrument{Commodity: trade.Power, Zone: "DE-LU",
			Profile: w.one("base", "peak"), Delivery: delivery},
		Quantity: w.quantity(20, 60), Price: w.price(), Currency: "EUR"}
	if w.random.IntN(3) == 0 {
		n.Instrument.Commodity, n.Instrument.Zone = trade.Gas, "TTF"
		n.Book, n.Instrument.Profile = "GAS", "base"
	}
	if w.random.IntN(2) == 0 {
		n.Side = trade.Sell
	}
	if w.random.IntN(3) == 0 {
		n.Price = n.Price.Abs()
		n.Instrument.Option = &trade.Option{Kind: w.one(trade.Call, trade.Put),
			Strike: trade.Int(50), From: w.now, Until: w.now.AddDate(0, 3, 0)}
	}
	uti := w.uti()
	w.try(trade.Command{UTI: uti, EnteredAt: w.now, Body: n})
	if w.touched[uti] {
		w.utis = append(w.utis, uti)
	}
}

func (w *market) one(of ...string) string { return of[w.random.IntN(len(of))] }

// change returns a random event of a contract.
func (w *market) change(n trade.New) trade.Body {
	price := w.price()
	q := w.quantity(1, 25)
	if w.random.IntN(6) == 0 {
		q = trade.Quantity{} // in full
	}
	switch w.random.IntN(11) {
	case 0, 1:
		return trade.Amend{Kind: trade.Amendment, Price: &price}
	case 2:
		return trade.Amend{Kind: trade.Amendment, Quantity: w.quantity(1, 70)}
	case 3:
		return trade.Amend{Kind: trade.Amendment, Quantity: w.quantity(20, 70), Price: &price}
	case 4:
		if n.Counterparty == "ACME" && w.random.IntN(2) == 0 {
			return trade.Amend{Kind: trade.Update, Counterparty: "ACME-OLD"}
		}
		return trade.Amend{Kind: trade.Update, Trader: w.one("anna", "ben")}
	case 5:
		if w.random.IntN(3) == 0 {
			return trade.Cancel{Kind: trade.Void}
		}
		return trade.Cancel{Kind: trade.Terminate, Quantity: q}
	case 6, 7:
		return trade.Novate{Role: w.one(trade.Remaining, trade.Transferor), Quantity: q,
			NewUTI: w.uti(), Incoming: "BETA"}
	case 8, 9:
		e := trade.Exercise{Quantity: q, UnderlyingPrice: price, Settlement: trade.Physical,
			NewUTI: w.uti()}
		if w.random.IntN(2) == 0 {
			e.Settlement, e.NewUTI = trade.Cash, ""
		}
		return e
	}
	return trade.Settle{Quantity: q, Price: price}
}

// restated returns a body with another quantity, price or party.
func (w *market) restated(b trade.Body) trade.Body {
	switch b := b.(type) {
	case trade.New:
		switch w.random.IntN(4) {
		case 0:
			b.Quantity = w.quantity(20, 60)
		case 1:
			if b.Counterparty != "ACME" { // it may have another name by now
				b.Counterparty = w.one("BETA", "GAMMA")
			}
		case 2:
			b.Side = b.Side.Opposite()
		default:
			b.Price = w.price()
		}
		return b
	case trade.Amend:
		return w.change(trade.New{})
	case trade.Reducer:
		return b.WithReduction(w.quantity(0, 25))
	}
	return b
}

// run makes the files of the day, and sends them.
func (w *market) run(t *testing.T) {
	t.Helper()
	for _, set := range sets {
		file := w.file(t, set)
		answers, err := w.repository.Submit(set.Regime, file)
		require.NoError(t, err)
		for _, a := range answers {
			require.True(t, a.Accepted(), "%s: %+v", set.Regime, a)
		}
		w.records += len(answers)
	}
	w.reported = w.now.Add(time.Second) // follow-ups are recorded microseconds later
}

// file writes the messages of the events that were recorded since the last run.
func (w *market) file(t *testing.T, set report.RuleSet) []byte {
	t.Helper()
	var rows []report.Row
	for uti := range w.touched {
		actions, parked := report.Actions(w.desk.Contract(uti), time.Time{})
		require.Nil(t, parked)
		for _, m := range set.Messages(actions) {
			if !m.Action.Event.RecordedAt.After(w.reported) {
				continue
			}
			in := report.Input{Message: m, Reference: w.reference}
			reported, _, gap := set.InScope(in)
			require.Nil(t, gap)
			require.True(t, reported)
			r, missing, ok := set.Row(in)
			require.True(t, ok, "%v", missing)
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b report.Row) int {
		x, y := a.Message.Action, b.Message.Action
		return cmp.Or(x.Event.RecordedAt.Compare(y.Event.RecordedAt), strings.Compare(x.UTI, y.UTI))
	})
	var b bytes.Buffer
	writer := set.Write(&b, report.Header{Reference: w.reference})
	for _, r := range rows {
		require.NoError(t, writer.Row(r))
	}
	require.NoError(t, writer.Close())
	return b.Bytes()
}

// record returns a contract as its events on record say.
func (w *market) record(uti string) (now trade.Trade) {
	stream := trade.TradeStream(uti)
	now = trade.Trade{UTI: uti}
	for _, s := range trade.Slots(stream, w.desk.Streams[stream], trade.AsOf{}) {
		if now.Status != trade.Voided {
			now, _ = trade.Evolve(now, s)
		}
	}
	return now
}

// agree compares a contract on record with the repositories.
func (w *market) agree(t *testing.T, uti string) {
	t.Helper()
	now := w.record(uti)
	w.agreeOnSwap(t, now)
	w.agreeOnSupply(t, now)
	w.agreeOnTransactions(t, now)
}

func (w *market) agreeOnSwap(t *testing.T, now trade.Trade) {
	t.Helper()
	uti := now.UTI
	swap, _ := w.repository.State("CFTC", uti)
	require.Equal(t, statusOfSwap(now), known(swap), "CFTC %s: %+v", uti, now)
	if swap.Status == oracle.Open {
		require.Equal(t, now.Open.Add(now.Settled).String(), swap.Terms["44"], "CFTC %s", uti)
		if now.Terms.Instrument.Option == nil {
			require.Equal(t, now.Price.String(), swap.Terms["69"], "CFTC %s", uti)
		}
	}
}

func (w *market) agreeOnSupply(t *testing.T, now trade.Trade) {
	t.Helper()
	uti := now.UTI
	supply, _ := w.repository.State("REMIT", uti)
	agreed := now.Open.Add(now.Settled).Add(now.Exercised)
	require.Equal(t, statusOfSupply(now, agreed), known(supply), "REMIT %s: %+v", uti, now)
	if known(supply) != oracle.Withdrawn {
		side := map[trade.Side]string{trade.Buy: "B", trade.Sell: "S"}[now.Side]
		party := reporttest.LEI(strings.TrimSuffix(now.Counterparty, "-OLD"))
		require.Equal(t, []string{party, now.Trader + "-1", side, now.Price.String(), "EUR"},
			[]string{supply.Terms["4"], supply.Terms["3"], supply.Terms["11"], supply.Terms["35"],
				supply.Terms["37"]}, "REMIT %s", uti)
	}
	if supply.Status == oracle.Open {
		require.Equal(t, agreed.String(), supply.Terms["41"], "REMIT %s", uti)
	}
}

// known returns the status of a contract at the repository. One that was voided before the
// repository accepted it was never sent: it is as good as withdrawn.
func known(s oracle.State) string { return cmp.Or(s.Status, oracle.Withdrawn) }

func statusOfSwap(t trade.Trade) string {
	switch t.Status {
	case trade.Voided:
		return oracle.Withdrawn
	case trade.Live, trade.Settled:
		return oracle.Open
	}
	return oracle.Ended
}

// statusOfSupply: a contract that is exercised or settled in full is fulfilled, and does not end
// early.
func statusOfSupply(t trade.Trade, agreed trade.Decimal) string {
	switch {
	case t.Status == trade.Voided:
		return oracle.Withdrawn
	case t.Status == trade.Terminated, t.Status == trade.Novated, agreed.IsZero():
		return oracle.Ended
	}
	return oracle.Open
}

// agreeOnTransactions compares a contract on record with the repository of MiFIR, where reports
// name no contract. Their reference begins with the id of an event.
func (w *market) agreeOnTransactions(t *testing.T, now trade.Trade) {
	t.Helper()
	want := now.Contracted.Sub(now.Terminated)
	if w.continues(now.UTI) {
		want = want.Sub(w.begun(now.UTI))
	}
	if now.Status == trade.Voided {
		want = trade.Decimal{}
	}
	parties := []string{reporttest.LEI("OURFIRM"),
		reporttest.LEI(strings.TrimSuffix(now.Counterparty, "-OLD"))}
	if now.Side == trade.Sell {
		slices.Reverse(parties)
	}
	var got trade.Decimal
	for _, s := range w.transactions(now.UTI) {
		require.Equal(t, parties, []string{s.Terms["7"], s.Terms["16"]}, "MIFIR %s", now.UTI)
		q := trade.Dec(s.Terms["30"])
		if s.Terms["32"] == "DECR" {
			q = q.Neg()
		} else {
			require.Equal(t, now.Price.Abs().String(), s.Terms["33"], "MIFIR %s", now.UTI)
		}
		got = got.Add(q)
	}
	require.Equal(t, want.String(), got.String(), "MIFIR %s", now.UTI)
}

// transactions returns the open transactions of a contract.
func (w *market) transactions(uti string) (all []oracle.State) {
	history := w.desk.Streams[trade.TradeStream(uti)]
	for _, e := range history {
		id := strings.ToUpper(strings.ReplaceAll(e.ID.String(), "-", ""))
		for n := range history { // a catch-up skips references
			s, ok := w.repository.State("MIFIR", fmt.Sprintf("%sR%d", id, n+1))
			if ok && s.Status == oracle.Open {
				all = append(all, s)
			}
		}
	}
	return all
}

// continues reports whether a contract began from another one of ours.
func (w *market) continues(uti string) bool {
	n, _ := w.desk.Streams[trade.TradeStream(uti)][0].Body.(trade.New)
	return n.PriorUTI != ""
}

// begun returns the quantity that a contract began with.
func (w *market) begun(uti string) trade.Decimal {
	stream := trade.TradeStream(uti)
	for _, s := range trade.Slots(stream, w.desk.Streams[stream], trade.AsOf{}) {
		if n, ok := s.Event.Body.(trade.New); ok {
			return n.Quantity.Value
		}
	}
	return trade.Decimal{}
}
