package filing_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/filing"
	"example.com/blotter/capstone/report/mifir"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/capstone/report/repository"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// holding returns the records that a repository holds.
func holding(r *repository.Repository) filing.Holding {
	held := filing.Holding{}
	for key, h := range r.Holds {
		held[key] = h.Records
	}
	return held
}

// submit makes a report of everything as known at a time, and hands over its files, which the
// repository accepts. It returns the state file.
func (d *desk) submit(set report.RuleSet, known string) filing.Holding {
	d.t.Helper()
	d.flush(known)
	dir, sdr := filepath.Join(d.t.TempDir(), "report"), d.t.TempDir()
	w := d.world(known)
	st, lacks, err := filing.Make(d.t.Context(), dir, w, w.Run(set, nil))
	require.NoError(d.t, err)
	require.Empty(d.t, lacks)
	r, err := repository.Open(sdr, set.Regime)
	require.NoError(d.t, err)
	files, err := filepath.Glob(filepath.Join(dir, "report*"))
	require.NoError(d.t, err)
	for _, path := range files {
		file, err := os.ReadFile(path)
		require.NoError(d.t, err)
		_, answers, err := r.Submit(st.Name+filepath.Base(path), file)
		require.NoError(d.t, err)
		for _, a := range answers {
			require.Empty(d.t, a.Code, a)
		}
	}
	state, err := os.ReadFile(filepath.Join(sdr, set.Regime, "state.csv"))
	require.NoError(d.t, err)
	held, err := filing.ReadState(bytes.NewReader(state))
	require.NoError(d.t, err)
	require.Equal(d.t, without(holding(r)), held)
	return held
}

// without leaves out keys without a record, and elements without a text, as a state file does.
func without(held filing.Holding) filing.Holding {
	all := filing.Holding{}
	for key, records := range held {
		for _, r := range records {
			r = maps.Clone(r)
			maps.DeleteFunc(r, func(_, text string) bool { return text == "" })
			all[key] = append(all[key], r)
		}
	}
	return all
}

// In each regime the state that a repository has after a report is that of the record. A break of
// each kind is found, with its field and the event of the record that has it.
func TestBreaksOfEachRegime(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Desk = reporttest.World()
	const day = "2025-03-03T09:00:00Z"
	price := trade.Dec("82")
	wrong := d.do(day, first, forward("ACME"))
	d.do("2025-03-03T10:00:00Z", first,
		trade.Amend{Kind: trade.Amendment, Quantity: reporttest.MWh("120")})
	d.do(day, lei+"F2", forward("BETA"))
	d.do("2025-03-03T10:00:00Z", lei+"F2", trade.Amend{Kind: trade.Amendment, Price: &price})
	d.do(day, lei+"F3", forward("GAMMA"))
	d.do("2025-03-03T10:00:00Z", lei+"F3", trade.Cancel{Kind: trade.Terminate})
	d.do(day, lei+"F4", forward("BETA"))
	d.do("2025-03-03T11:00:00Z", lei+"F4", trade.Cancel{Kind: trade.Void})
	right := forward("ACME")
	right.Price = trade.Dec("79")
	_, err := d.Correct("2025-03-03T12:00:00Z", first, wrong, right)
	require.NoError(t, err)
	const known = "2025-03-03T17:00:00Z"
	for _, c := range []struct {
		set     report.RuleSet
		element string
		field   string
	}{
		{cftc.V32, "Price", "Price"}, {cftc.P43, "Price", "Price"},
		{remit.Table1(), "priceDetails/price", "Price"},
		{mifir.RTS22(), "Tx/Pric/Pric/MntryVal/Amt", "Price"},
	} {
		set := c.set
		set.Valuation = ""
		held := d.submit(set, known)
		w := d.world(known)
		run := w.Run(set, nil)
		run.Filings.Until = run.Known // a report has had all events
		found := func(held filing.Holding) (all []string) {
			differences, err := filing.Reconcile(w.Subjects(t.Context()), run, held)
			require.NoError(t, err)
			for _, f := range differences {
				all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s %v", f.Kind,
					strings.TrimPrefix(f.UTI, lei), f.Field, f.Ours, f.Held, len(f.Events))))
			}
			return all
		}
		require.Empty(t, found(held), set.Name)
		key := keyOf(t, held, c.element, "79")
		last := len(held[key]) - 1

		broken := maps.Clone(held)
		broken[key] = slices.Clone(held[key])
		broken[key][last] = maps.Clone(held[key][last])
		broken[key][last][c.element] = "78"
		require.Equal(t, []string{"mis-reported F1 " + c.field + " 79 78 1"}, found(broken),
			set.Name)
		differences, err := filing.Reconcile(w.Subjects(t.Context()), run, broken)
		require.NoError(t, err)
		if set.Standing != nil { // the record of its own event
			require.Contains(t, differences[0].Key, map[string]string{"remit-2014": "record 2",
				"mifir-rts22": "R"}[set.Name])
		}

		broken = maps.Clone(held)
		broken[key] = held[key][:last]
		require.Equal(t, []string{"under-reported F1  reportable  1"}, found(broken), set.Name)
		if last > 0 { // the first of several is missing: the others are those that they were
			broken[key] = held[key][1:]
			require.Equal(t, []string{"under-reported F1  reportable  1"}, found(broken), set.Name)
			broken[key] = append([]map[string]string{held[key][last]}, held[key]...)
			require.Equal(t, []string{"over-reported F1   reported 1"}, found(broken), set.Name)
		}

		broken = maps.Clone(held)
		broken[key] = append(slices.Clone(held[key]), held[key][last])
		want := "over-reported F1   reported 1"
		if set.Standing == nil { // it has one record of a swap: another swap is unknown
			broken = maps.Clone(held)
			broken[lei+"F9"] = held[key]
			want = "over-reported F9   reported 0"
		}
		require.Equal(t, []string{want}, found(broken), set.Name)
		if set.Key != "" { // a reference of no contract
			broken = maps.Clone(held)
			broken["OTHERR1"] = held[key]
			require.Equal(t, []string{"over-reported    reported 0"}, found(broken), set.Name)
		}
	}
}

// A life has the reports of a regime made, sent and answered, by a repository of one entity.
type life struct {
	*desk
	sdr string
}

// world returns the log as known at a time.
func (l life) world(set report.RuleSet, known string) *filing.World {
	l.t.Helper()
	at := reporttest.At(known).Add(time.Millisecond)
	w, err := filing.Open(l.t.Context(), filing.Of(l.log, l.trades, at), set.Regime)
	require.NoError(l.t, err)
	return w
}

// report makes a report, and has it answered. It returns the messages, and those rejected.
func (l life) report(set report.RuleSet, known string) (all, rejected []string) {
	l.t.Helper()
	l.flush(known)
	w, dir := l.world(set, known), filepath.Join(l.t.TempDir(), "report")
	st, lacks, err := filing.Make(l.t.Context(), dir, w, w.Run(set, nil))
	require.NoError(l.t, err)
	all = messages(l.t, dir)
	r, err := repository.Open(l.sdr, set.Regime)
	require.NoError(l.t, err)
	file, err := os.ReadFile(filepath.Join(dir, "report-"+lei+".xml"))
	require.NoError(l.t, err)
	_, answers, err := r.Submit(st.Name, file)
	require.NoError(l.t, err)
	answered := report.Answered{Name: st.Name, Digest: "answer"}
	for i, a := range answers {
		if a.Code != "" {
			rejected = append(rejected, all[i])
			answered.Rejected = append(answered.Rejected,
				report.Rejected{Message: lei + all[i], Code: a.Code, Text: a.Text})
		}
	}
	for i, body := range []domain.Body{report.Made{Name: st.Name, Rules: set.Name, Known: st.Known,
		Due: st.Due, Rows: st.Rows, Digest: "digest", Exceptions: lacks},
		report.Sent{Name: st.Name, To: "rrm"}, answered} {
		require.NoError(l.t, filing.Record(contract.At(l.t.Context(), st.Known), l.log, l.domain,
			set.Regime, w.Version+int64(i), domain.Entry{CommandID: fmt.Sprint(known, i),
				Actor: "ops", Reason: "daily", Source: "test", EnteredAt: st.Known}, body))
	}
	return all, rejected
}

// late returns the late messages and reports, without the LEI.
func (l life) late(set report.RuleSet, known string) (all []string) {
	l.t.Helper()
	late, err := l.world(set, known).Late(l.t.Context(), set)
	require.NoError(l.t, err)
	for _, e := range late {
		all = append(all, strings.TrimPrefix(e.Message, lei))
	}
	return all
}

// A draft becomes final: the reports of the regime go on under the later version. A message that
// was made under the version before is not made again; a rejected one and an exception are, and
// are late until then. A record that the repository has by the version before is explained.
func TestFilingsFollowTheRegime(t *testing.T) {
	t.Parallel()
	l := life{market(newDesk(t)), t.TempDir()}
	const day = "2024-01-01"
	l.State(day, report.Product, "power/DE-LU/base", "remit", "standard", "eic",
		"10Y1001A1001A82H")
	l.State(day, report.Trader, "anna", "acer_trader_id", "T4")
	const gamma = "5299000J2N45DDNE4Y28"
	l.party("GAMMA", gamma)
	final := remit.Recast()
	final.Draft = false
	for i, f := range final.Fields {
		if f.Element == "priceDetails/price" {
			final.Fields[i].Rule = func(report.Input) report.Value { return report.Text("80.50") }
		}
	}
	for uti, party := range map[string]string{first: "ACME", lei + "F2": "BETA",
		lei + "F3": "GAMMA"} {
		n := forward(party)
		n.Instrument.Delivery = reporttest.Period("2027-06")
		l.do("2026-04-28T09:00:00Z", uti, n)
	}
	lapsed := filepath.Join(l.sdr, "lapsed.txt")
	require.NoError(t, os.WriteFile(lapsed, []byte(gamma+"\n"), 0o644))
	all, rejected := l.report(remit.Table1(), "2026-04-28T17:00:00Z")
	require.Equal(t, []string{"F1/1/1", "F3/1/1"}, all)
	require.Equal(t, []string{"F3/1/1"}, rejected)
	require.NoError(t, os.Remove(lapsed))

	l.party("BETA", "5493000IBP32UQZ0KL24")
	l.do("2026-04-30T09:00:00Z", first, trade.Cancel{Kind: trade.Terminate})
	l.flush("2026-04-30T10:00:00Z")
	require.Equal(t, []string{"F2/1/1", "F3/1/1"}, l.late(final, "2026-05-04"))
	require.Equal(t, []string{"F2/1/1", "F3/1/1", "F1/2/1"}, l.late(final, "2026-05-05"))
	all, rejected = l.report(final, "2026-05-04T17:00:00Z")
	require.Equal(t, []string{"F1/2/1", "F2/1/1", "F3/1/1"}, all)
	require.Empty(t, rejected)
	require.Empty(t, l.late(final, "2026-06-01"))

	w := l.world(final, "2026-06-01")
	var rules []string
	for _, f := range w.Filings.Reports {
		rules = append(rules, f.Rules)
	}
	require.Equal(t, []string{"remit-2014", "remit-2026"}, rules)
	r, err := repository.Open(l.sdr, "REMIT")
	require.NoError(t, err)
	found, err := filing.Reconcile(w.Subjects(t.Context()), w.Run(final, nil), holding(r))
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "F1 Price 80.50 80.5 record 1", strings.Join([]string{
		strings.TrimPrefix(found[0].UTI, lei), found[0].Field, found[0].Ours, found[0].Held,
		found[0].Key}, " "))
	require.Equal(t, "it was first reported under remit-2014, which may want another text",
		found[0].Why)
}

// The filings on the stream of a rule set, where all were before version 2 of report.made, are
// those of its regime, with its name. Later steps are on the stream of the regime.
func TestFilingsBeforeTheRegimeAreRead(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	const known, later = "2025-03-03T17:00:00Z", "2025-03-04T17:00:00Z"
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	d.do("2025-03-03T09:00:00Z", lei+"F2", forward("BETA"))
	d.flush(known)
	at := reporttest.At(known).Add(time.Millisecond)
	old := func(version int64, what, stream string, body domain.Body) {
		entry := domain.Entry{CommandID: what, Actor: "ops", Reason: "daily", Source: "test",
			EnteredAt: at}
		require.NoError(t, filing.Record(contract.At(t.Context(), at.Add(time.Second)), d.log,
			d.domain, stream, version, entry, body))
	}
	old(0, "made", "cftc-v3.2", report.Made{Name: known, Known: at, Due: at, Rows: 1,
		Exceptions: []report.Lack{{Message: lei + "F2/1/1", Due: at}}})
	old(1, "sent", "cftc-v3.2", report.Sent{Name: known, To: "sdr"})
	old(0, "other", "cftc-p43-v3.2", report.Made{Name: "public", Known: at, Due: at})
	w := d.world(later)
	require.Len(t, w.Filings.Reports, 1)
	require.Equal(t, "cftc-v3.2", w.Filings.Reports[0].Rules)
	require.Equal(t, "sent", w.Filings.Reports[0].Status())
	require.Zero(t, w.Version)

	d.party("BETA", "5493000IBP32UQZ0KL24")
	d.record(w.Version, "answered", report.Answered{Name: known, Digest: "digest", Accepted: 1})
	dir, _ := d.make(later)
	require.Equal(t, []string{"F2/1/1"}, slices.DeleteFunc(messages(t, dir), isValuation))
	require.Equal(t, "acknowledged", d.world(later).Filings.Reports[0].Status())
}

func isValuation(message string) bool { return strings.Contains(message, "/valuation/") }

// keyOf returns the key of the last record in which an element has a text.
func keyOf(t *testing.T, held filing.Holding, element, text string) (found string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if n := len(held[key]); n > 0 && held[key][n-1][element] == text {
			found = key
		}
	}
	require.NotEmpty(t, found)
	return found
}

// A state file that is cut or mixed up is refused by its place.
func TestReadState(t *testing.T) {
	t.Parallel()
	const head = "key,record,element,text\n"
	held, err := filing.ReadState(strings.NewReader(head +
		"A,1,Price,80\nA,2,Price,81\nB,1,Price,82\n"))
	require.NoError(t, err)
	require.Equal(t, filing.Holding{"A": {{"Price": "80"}, {"Price": "81"}},
		"B": {{"Price": "82"}}}, held)
	for text, want := range map[string]string{
		"":                          "line 1: want the header key,record,element,text",
		"uti,record,element,text\n": "line 1: want the header",
		head + "A,1\n":              "wrong number of fields",
		head + "A,2,Price,80\n":     "line 2: A has 0 records before",
		head + "A,x,Price,80\n":     `this is number "x"`,
		head + "A,0,Price,80\n":     `this is number "0"`,
		head + "A,1,\"Pr\nice\",80\nA,1,\"Pr\nice\",8\n": "line 4: A has the element",
	} {
		_, err := filing.ReadState(strings.NewReader(text))
		require.ErrorContains(t, err, want)
	}
}
