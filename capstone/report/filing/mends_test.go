package filing_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/filing"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/capstone/report/repository"
	"example.com/blotter/labs/kit/trade"
)

// A daily run makes the report of a time, submits it, and records the answer.
type daily struct {
	*desk
	sdr *repository.Repository
}

func newDaily(t *testing.T) daily {
	sdr, err := repository.Open(t.TempDir(), "CFTC")
	require.NoError(t, err)
	return daily{market(newDesk(t)), sdr}
}

// run returns the accepted and rejected messages; a rejected one ends with its code.
func (d daily) run(at string) (all []string) {
	d.t.Helper()
	dir, st := d.make(at)
	file, err := os.ReadFile(filepath.Join(dir, "report.csv"))
	require.NoError(d.t, err)
	_, answers, err := d.sdr.Submit(st.Name, file)
	require.NoError(d.t, err)
	ids := messages(d.t, dir)
	body := report.Answered{Name: st.Name, Rejected: []report.Rejected{}}
	for i, a := range answers {
		text := a.Action + " " + ids[i]
		if a.Code == "" {
			body.Accepted++
		} else {
			text += " " + a.Code
			body.Rejected = append(body.Rejected, report.Rejected{Message: lei + ids[i],
				Code: a.Code})
		}
		all = append(all, text)
	}
	version := d.world(at).Version + 1 // the report is recorded after its known time
	d.record(version, "sent", report.Sent{Name: st.Name, To: "sdr"})
	d.record(version+1, "answered", body)
	return all
}

func (d daily) reconcile(at string) []filing.Difference {
	d.t.Helper()
	w := d.world(at)
	found, err := filing.Reconcile(w.Subjects(d.t.Context()), w.Run(cftc.V32, nil),
		holding(d.sdr))
	require.NoError(d.t, err)
	return found
}

func (d daily) correct(at, uti string, wrong trade.Event, b trade.Body) {
	d.t.Helper()
	_, err := d.Correct(at, uti, wrong, b)
	require.NoError(d.t, err)
}

// A message that cannot be made does not block its contract after it was corrected, before the
// first report or after it: the repository is told of the contract as it is now.
func TestCorrectedMessageBlocksNothing(t *testing.T) {
	t.Parallel()
	d := newDaily(t)
	wrong := d.do("2025-03-03T09:00:00Z", first, forward("ACNE"))
	d.correct("2025-03-03T10:00:00Z", first, wrong, forward("ACME"))
	second := d.do("2025-03-03T09:00:00Z", lei+"F2", forward("ACNE"))
	d.do("2025-03-03T09:00:00Z", lei+"F3", forward("ACNE"))
	got := d.run("2025-03-03T17:00:00Z")
	require.Equal(t, []string{"NEWT F1/2/after-0/1"}, got)

	d.correct("2025-03-04T10:00:00Z", lei+"F2", second, forward("ACME"))
	d.do("2025-03-04T10:00:00Z", lei+"F3", trade.Cancel{Kind: trade.Void})
	got = d.run("2025-03-04T17:00:00Z")
	require.Equal(t, []string{"NEWT F2/2/after-0/1"}, got)
	require.Empty(t, d.reconcile("2025-03-04T18:00:00Z"))

	// Later messages are made as usual, and a wrong one in the middle blocks nothing either.
	price := trade.Dec("82")
	d.do("2025-03-05T09:00:00Z", first, trade.Amend{Kind: trade.Amendment, Price: &price})
	bad := d.do("2025-03-05T10:00:00Z", first,
		trade.Amend{Kind: trade.Update, Counterparty: "ACNE"})
	got = d.run("2025-03-05T17:00:00Z")
	require.Equal(t, []string{"MODI F1/3/1"}, got)
	d.correct("2025-03-06T10:00:00Z", first, bad, trade.Amend{Kind: trade.Update, Trader: "ben"})
	got = d.run("2025-03-06T17:00:00Z")
	require.Equal(t, []string{"CORR F1/5/after-3/1"}, got)
	require.Empty(t, d.reconcile("2025-03-06T18:00:00Z"))
}

// A rejected NEWT whose contract was corrected meanwhile is not sent again: its opening shows the
// contract as it is, and is open until the repository accepts it.
func TestRejectedNewtIsOpenedAsItIs(t *testing.T) {
	t.Parallel()
	d := newDaily(t)
	d.party("BETA", "5493000IBP32UQZ0KL24")
	wrong := d.do("2025-03-03T09:00:00Z", first, forward("BETA"))
	dir, st := d.make("2025-03-03T17:00:00Z")
	require.Equal(t, []string{"F1/1/1"}, messages(t, dir))
	reject := func(known, message string) {
		w := d.world(known)
		name := w.Filings.Reports[len(w.Filings.Reports)-1].Name
		d.record(w.Version, "answered", report.Answered{Name: name,
			Rejected: []report.Rejected{{Message: lei + message, Code: "LAPSED"}}})
	}
	require.EqualValues(t, 1, st.Rows)
	reject("2025-03-03T18:00:00Z", "F1/1/1")
	d.correct("2025-03-04T09:00:00Z", first, wrong, forward("ACME"))
	dir, _ = d.make("2025-03-04T17:00:00Z")
	require.Equal(t, []string{"F1/2/after-0/1"}, messages(t, dir))
	reject("2025-03-04T18:00:00Z", "F1/2/after-0/1")
	price := trade.Dec("82")
	d.do("2025-03-05T09:00:00Z", first, trade.Amend{Kind: trade.Amendment, Price: &price})
	dir, _ = d.make("2025-03-05T17:00:00Z")
	require.Equal(t, []string{"F1/3/after-0/1"}, messages(t, dir))
	d.do("2025-03-06T09:00:00Z", first, trade.Cancel{Kind: trade.Terminate})
	dir, _ = d.make("2025-03-06T17:00:00Z")
	require.Equal(t, []string{"F1/4/1"}, messages(t, dir))
}

// A correction that takes a contract out of scope withdraws it, and one that takes it into scope
// reports it; 17 CFR 45.14 asks for the correction of what should not have been reported.
func TestCorrectionChangesScope(t *testing.T) {
	t.Parallel()
	d := newDaily(t)
	d.party("BETA", "5493000IBP32UQZ0KL24")
	d.State("2024-01-01", report.Role, "CFTC/POWER/BETA", "reporting_side", "they")
	a := d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	b := d.do("2025-03-03T09:00:00Z", lei+"F2", forward("BETA"))
	got := d.run("2025-03-03T17:00:00Z")
	require.Equal(t, []string{"NEWT F1/1/1"}, got)
	d.correct("2025-03-04T09:00:00Z", first, a, forward("BETA"))
	d.correct("2025-03-04T09:00:00Z", lei+"F2", b, forward("ACME"))
	require.Len(t, d.reconcileKinds("2025-03-04T10:00:00Z"), 2)
	got = d.run("2025-03-04T17:00:00Z")
	require.Equal(t, []string{"EROR F1/2/1", "NEWT F2/2/1"}, got)
	require.Empty(t, d.reconcile("2025-03-04T18:00:00Z"))
}

func (d daily) reconcileKinds(at string) map[string]bool {
	d.flush(at)
	kinds := map[string]bool{}
	for _, f := range d.reconcile(at) {
		kinds[f.UTI] = true
	}
	return kinds
}

// A message that is sent again replaces no newer one: all later messages are sent again, too.
func TestResentMessageKeepsTheNewest(t *testing.T) {
	t.Parallel()
	d := newDaily(t)
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	d.run("2025-03-03T17:00:00Z")
	for i, price := range []string{"81", "82"} {
		p := trade.Dec(price)
		d.do([]string{"2025-03-04T09:00:00Z", "2025-03-04T10:00:00Z"}[i], first,
			trade.Amend{Kind: trade.Amendment, Price: &p})
	}
	d.make("2025-03-04T17:00:00Z")
	w := d.world("2025-03-04T18:00:00Z")
	d.record(w.Version, "answered", report.Answered{Name: w.Filings.Reports[1].Name,
		Rejected: []report.Rejected{{Message: first + "/2/1", Code: "FORMAT"}}})
	got := d.run("2025-03-05T17:00:00Z")
	require.Equal(t, []string{"CORR F1/3/after-1+3.1/1"}, got)
	require.Equal(t, "82", d.sdr.Holds[first].Records[0]["Price"])
	require.Empty(t, d.reconcile("2025-03-05T18:00:00Z"))
}

// A valuation that lacked its mark is made when the mark is there, as of its own day; and all
// messages after a parked version are made when the stream is repaired.
func TestMissedValuationIsMade(t *testing.T) {
	t.Parallel()
	d := newDaily(t)
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	d.run("2025-03-03T17:00:00Z")
	open := d.world("2025-03-04").Filings.Open
	require.Contains(t, open, first+"/valuation/2025-03-03")
	_, _, _, lacks := d.look("2025-03-04T17:00:00Z")
	var ids []string
	for _, l := range lacks {
		ids = append(ids, l.Message)
	}
	require.Equal(t, []string{first + "/valuation/2025-03-03", first + "/valuation/2025-03-04"},
		ids)
}

// A parked stream opens every version from there on, with the deadline of the first one.
func TestParkedStreamIsOpen(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	d.do("2025-03-03T10:00:00Z", first, trade.Amend{Kind: trade.Update, Trader: "ben"})
	c := d.Contract(first)
	run := report.Run{Rules: cftc.V32, Known: reporttest.At("2025-03-03T17:00:00Z"),
		Reference: report.FoldReference(slices.Values(d.Facts), time.Time{})}
	parked := c
	parked.History = slices.Clone(c.History)
	parked.History[1].Body = trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("900"),
		Unit: trade.MWh}}
	out := run.Contract(report.Subject{Contract: parked})
	require.Equal(t, first+"/2/parked", out.Exceptions[0].Message)
	require.Equal(t, reporttest.At("2025-03-05T23:59:59.999999Z"), out.Exceptions[0].Due)
	run.Filings.Take("made", run.Known, report.Made{Known: run.Known, Exceptions: []report.Lack{
		{Message: out.Exceptions[0].Message}}})
	run.Known = reporttest.At("2025-03-04T17:00:00Z")
	out = run.Contract(report.Subject{Contract: c})
	require.Equal(t, first+"/2/1", out.Rows[0].Message.ID())
}

// Lists that are longer than an event may be are spread over several. Nothing is lost, and the same
// step again changes nothing.
func TestLongLists(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const known, n = "2025-03-03T17:00:00Z", 20_000
	at := reporttest.At(known)
	made := report.Made{Name: known, Known: at, Due: at, Digest: "made"}
	answered := report.Answered{Name: known, Digest: "answer"}
	for i := range n {
		id := fmt.Sprintf("%sL%d/1/1", lei, i)
		made.Exceptions = append(made.Exceptions, report.Lack{Message: id, Field: "14",
			Missing: "party ACME has no lei", Owner: "client-data", Due: at})
		made.Back = append(made.Back, fmt.Sprintf("%sB%048d", lei, i))
		answered.Rejected = append(answered.Rejected, report.Rejected{
			Message: fmt.Sprintf("%sR%d/1/1", lei, i), Code: "LAPSED",
			Text: "the LEI of a counterparty has lapsed"})
	}
	for range 2 {
		d.now = at
		d.record(0, "made", made)
	}
	const later = "2025-03-04"
	version := d.world(later).Version
	require.Greater(t, version, int64(1), "several events")
	d.record(version, "sent", report.Sent{Name: known, To: "sdr"})
	d.record(version+1, "answered", answered)
	got := d.world(later).Filings
	require.Len(t, got.Reports, 1)
	require.Equal(t, made.Back, got.Reports[0].Back)
	require.Equal(t, answered.Rejected, got.Reports[0].Answered.Rejected)
	require.Len(t, got.Reports[0].Exceptions, n)
	require.Len(t, got.Open, 2*n)
	require.False(t, got.Open[lei+"L19999/1/1"])
	require.True(t, got.Open[lei+"R0/1/1"])

	// The events of one append have rising times. A known time between them has the whole step.
	var times []time.Time
	for r, err := range filing.Of(d.log, d.trades, at).Read(t.Context()) {
		require.NoError(t, err)
		times = append(times, r.RecordedAt)
	}
	require.IsIncreasing(t, micros(times))
	for i, known := range times {
		w, err := filing.Open(t.Context(), filing.Of(d.log, d.trades, known), cftc.V32.Regime)
		require.NoError(t, err)
		require.Equal(t, n, len(w.Filings.Reports[0].Exceptions), known)
		require.Equal(t, n, len(w.Filings.Reports[0].Back), known)
		if int64(i) < version {
			require.Equal(t, version, w.Version)
			continue
		}
		if a := w.Filings.Reports[0].Answered; a != nil {
			require.Equal(t, n, len(a.Rejected), known)
			require.Equal(t, int64(len(times)), w.Version)
		}
	}
}

func micros(times []time.Time) (all []int64) {
	for _, at := range times {
		all = append(all, at.UnixMicro())
	}
	return all
}

// Two steps are never taken for the parts of one, even with the same name and digest.
func TestEqualReportsAreTwo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const known = "2025-03-03T17:00:00Z"
	d.now = reporttest.At(known)
	made := report.Made{Name: known, Known: d.now, Due: d.now, Digest: "made",
		Exceptions: []report.Lack{{Message: first + "/1/1", Due: d.now}}}
	d.record(0, "made", made)
	d.record(1, "made", made)
	reports := d.world("2025-03-04").Filings.Reports
	require.Len(t, reports, 2)
	require.Len(t, reports[0].Exceptions, 1)
	require.Len(t, reports[1].Exceptions, 1)
}

// A file of REMIT has one reporting entity: a report of two has two files, each with its own
// numbers of records. The statement has the digests of both.
func TestFileOfEachEntity(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	const day, known = "2024-01-01", "2025-03-03T17:00:00Z"
	d.State(day, report.Product, "power/DE-LU/base", "remit", "standard", "eic",
		"10Y1001A1001A82H")
	d.State(day, report.Trader, "anna", "acer_trader_id", "T4")
	const other = "529900T8BM49AURSDO55"
	d.State(day, report.Book, "SUPPLY", "lei", other)
	theirs := forward("ACME")
	theirs.Book = "SUPPLY"
	d.do("2025-03-03T09:00:00Z", lei+"S1", theirs)
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	d.do("2025-03-03T10:00:00Z", lei+"S1", trade.Cancel{Kind: trade.Terminate})
	d.flush(known)
	dir, w := filepath.Join(t.TempDir(), "report"), d.world(known)
	st, lacks, err := filing.Make(t.Context(), dir, w, w.Run(remit.Table1(), nil))
	require.NoError(t, err)
	require.Empty(t, lacks)
	require.EqualValues(t, 3, st.Rows)
	read, err := filing.Read(dir)
	require.NoError(t, err)
	require.Equal(t, st, read)
	digest, err := st.Digest()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, filing.StatementFile))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(text)), digest)
	require.Len(t, st.Digests, 4)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 5, "the statement and no part of it")
	for id, want := range map[string][]string{lei: {"1 N F1"}, other: {"1 N S1", "2 C S1"}} {
		file, err := os.ReadFile(filepath.Join(dir, "report-"+id+".xml"))
		require.NoError(t, err)
		root, err := remit.Read(file)
		require.NoError(t, err)
		entity, _ := root.Find("reportingEntityID/lei")
		require.Equal(t, id, entity)
		var records []string
		for _, n := range root.Children[1].Children {
			number, _ := n.Find("RecordSeqNumber")
			action, _ := n.Find("actionType")
			uti, _ := n.Find("uniqueTransactionIdentifier/uniqueTransactionIdentifier")
			records = append(records, number+" "+action+" "+strings.TrimPrefix(uti, lei))
		}
		require.Equal(t, want, records)
	}
	rows, err := os.ReadFile(filepath.Join(dir, filing.RowsFile))
	require.NoError(t, err)
	require.Regexp(t, `\n2,`+lei+`S1/2/1,.*,report-`+other+`.xml\n`, string(rows))
	statement := filepath.Join(dir, filing.StatementFile)
	doubled := strings.Replace(string(text), "{", `{"format":"",`, 1)
	require.NoError(t, os.WriteFile(statement, []byte(doubled), 0o644))
	_, err = filing.Read(dir)
	require.ErrorContains(t, err, `the member "format" is given twice`)
	// A crash before the statement has its name leaves no report.
	require.NoError(t, os.Rename(statement, statement+".new"))
	_, err = filing.Read(dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
