package filing_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/filing"
	"example.com/blotter/capstone/report/records"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/capstone/report/repository"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
)

// A desk records on a log, whose time it gives.
type desk struct {
	t      testing.TB
	log    *memory.Store
	domain *domain.Codec
	trades contract.Codec
	*reporttest.Desk
	facts, done int
	written     map[string]int
	now         time.Time
}

func newDesk(t testing.TB) *desk {
	return &desk{t: t, log: memory.NewSimulated(), domain: domain.Offline(),
		trades: codec.Offline(), Desk: reporttest.New(), written: map[string]int{}}
}

// flush puts everything that the desk decided since on the log, at a time.
func (d *desk) flush(at string) {
	d.t.Helper()
	d.now = reporttest.At(at)
	ctx := contract.At(d.t.Context(), d.now)
	for ; d.facts < len(d.Facts); d.facts++ {
		f := d.Facts[d.facts]
		entry := domain.Entry{CommandID: fmt.Sprintf("fact-%d", d.facts), Actor: "ops", Reason: "r",
			Source: "test", EnteredAt: d.now, EffectiveAt: f.EffectiveAt}
		require.NoError(d.t, filing.State(ctx, d.log, d.domain, entry, f.Stated))
	}
	for _, uti := range d.UTIs() {
		stream := trade.TradeStream(uti)
		for _, e := range d.Streams[stream][d.written[stream]:] {
			p, err := d.trades.Encode(ctx, e.Body)
			require.NoError(d.t, err)
			d.done++
			_, err = d.log.Append(ctx, stream, contract.Any, contract.Event{ID: e.ID,
				Stream: stream, Type: p.Type, Schema: p.Schema, Fingerprint: p.Fingerprint,
				Data: p.Data, EffectiveAt: e.EffectiveAt, EnteredAt: e.EnteredAt,
				Corrects: e.Corrects, CommandID: fmt.Sprint(d.done), Actor: e.Actor,
				Approver: "desk/control", Reason: "=as agreed", Source: "test"})
			require.NoError(d.t, err)
		}
		d.written[stream] = len(d.Streams[stream])
	}
}

// make makes a report as known at a time, and puts it on record there.
func (d *desk) make(known string, back ...string) (dir string, st filing.Statement) {
	d.t.Helper()
	d.flush(known)
	dir, w, st, lacks := d.look(known, back...)
	made := report.Made{Name: st.Name, Known: st.Known, Rows: st.Rows, Due: st.Due, Back: back,
		Digest: "digest", Exceptions: lacks}
	d.record(w.Version, "made", made)
	return dir, st
}

// look makes a report as known at a time, and records nothing.
func (d *desk) look(known string, back ...string) (
	string, *filing.World, filing.Statement, []report.Lack,
) {
	d.t.Helper()
	dir := filepath.Join(d.t.TempDir(), "report")
	w := d.world(known)
	st, lacks, err := filing.Make(d.t.Context(), dir, w, w.Run(cftc.V32, back))
	require.NoError(d.t, err)
	return dir, w, st, lacks
}

func (d *desk) world(known string) *filing.World {
	d.t.Helper()
	at := reporttest.At(known).Add(time.Millisecond) // after the events of that time
	w, err := filing.Open(d.t.Context(), filing.Of(d.log, d.trades, at), cftc.V32.Regime)
	require.NoError(d.t, err)
	return w
}

func (d *desk) record(at int64, what string, body domain.Body) {
	d.t.Helper()
	d.now = d.now.Add(time.Second)
	entry := domain.Entry{CommandID: fmt.Sprintf("%s-%d", what, at), Actor: "ops", Reason: "daily",
		Source: "test", EnteredAt: d.now}
	ctx := contract.At(d.t.Context(), d.now)
	require.NoError(d.t, filing.Record(ctx, d.log, d.domain, cftc.V32.Regime, at, entry, body))
}

const (
	lei   = "506700GE1G29325QX363"
	first = lei + "F1"
)

func market(d *desk) *desk {
	const day = "2024-01-01"
	for _, calendar := range []string{"TARGET", "US"} {
		d.State(day, report.Calendar, calendar, "zone", "UTC")
	}
	d.State(day, report.Book, "POWER", "lei", lei, "financial_entity", "true",
		"federal_entity", "false", "swap_dealer", "false")
	d.State(day, report.Role, "CFTC/POWER/ACME", "reporting_side", "we")
	d.State(day, report.Role, "CFTC/POWER/BETA", "reporting_side", "we")
	d.party("ACME", "213800WSGIIZCXF1P572")
	for _, class := range []string{"power/DE-LU/base", "power/DE-LU/base/option"} {
		d.State(day, report.Product, class, "swap", "true", "unit", "MWHO", "settlement", "cash",
			"settlement_days", "14", "premium_days", "2", "venue", "XXXX", "delta", "0.5")
	}
	return d
}

func (d *desk) party(name, id string) {
	d.State("2024-01-01", report.Party, name, "lei", id, "financial_entity", "false",
		"federal_entity", "false", "initial_margin_portfolio", "NOTAPPLICABLE",
		"variation_margin_portfolio", "NOTAPPLICABLE")
}

func forward(party string) trade.New {
	delivery, err := trade.ParsePeriod("2025-06")
	if err != nil {
		panic(err)
	}
	return trade.New{Book: "POWER", Counterparty: party, Trader: "anna", Side: trade.Buy,
		Instrument: trade.Instrument{Commodity: trade.Power, Zone: "DE-LU", Profile: "base",
			Delivery: delivery}, Price: trade.Dec("80.5"), Currency: "EUR",
		Quantity: trade.Quantity{Value: trade.Dec("100"), Unit: trade.MWh}}
}

func (d *desk) do(at, uti string, b trade.Body) trade.Event {
	d.t.Helper()
	e, err := d.Do(at, uti, b)
	require.NoError(d.t, err)
	return e
}

// messages returns the ids of the messages of a report, without the LEI.
func messages(t testing.TB, dir string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, filing.RowsFile))
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		all = append(all, strings.TrimPrefix(strings.Split(line, ",")[1], lei))
	}
	return all
}

// A message is made once: when it is recorded, or when its data is there, or again after the
// repository rejected it. Later messages of its contract wait for it.
func TestLifeCycle(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	d.do("2025-03-03T10:00:00Z", lei+"F2", forward("BETA"))
	d.do("2025-03-03T11:00:00Z", lei+"F2", trade.Amend{Kind: trade.Update, Trader: "ben"})
	price := trade.Dec("81")
	dir, st := d.make("2025-03-03T17:00:00Z")
	require.Equal(t, []string{"F1/1/1"}, messages(t, dir))
	// Three attributes of BETA are missing in five fields, a message waits, and two valuations
	// lack a mark or wait.
	require.EqualValues(t, 7, st.Exceptions)

	d.party("BETA", "5493000IBP32UQZ0KL24")
	d.do("2025-03-04T09:00:00Z", first, trade.Amend{Kind: trade.Amendment, Price: &price})
	dir, _ = d.make("2025-03-04T17:00:00Z")
	require.Equal(t, []string{"F1/2/1", "F2/1/1", "F2/2/1"}, messages(t, dir))

	w := d.world("2025-03-04T18:00:00Z")
	name := w.Filings.Reports[1].Name
	d.record(w.Version, "sent", report.Sent{Name: name, To: "sdr"})
	d.record(w.Version+1, "answered", report.Answered{Name: name, Accepted: 2,
		Rejected: []report.Rejected{{Message: lei + "F2/2/1", Code: "STATE", Text: "unknown"}}})
	d.now = reporttest.At("2025-03-04T19:00:00Z")
	dir, _ = d.make("2025-03-05T17:00:00Z")
	require.Equal(t, []string{"F2/2/1"}, messages(t, dir))
	dir, _ = d.make("2025-03-06T17:00:00Z", first)
	require.Equal(t, []string{"F1/1/1", "F1/2/1"}, messages(t, dir), "a back-report")

	var status []string
	for _, f := range d.world("2025-03-07").Filings.Reports {
		status = append(status, f.Status())
	}
	require.Equal(t, []string{"made", "rejected", "made", "made"}, status)
}

// What is past its deadline is late: a message that no report has, and a report that nobody
// acknowledged. Monday's trade of a party that is no dealer is due on Wednesday.
func TestLate(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	d.flush("2025-03-03T10:00:00Z")
	w := d.world("2025-03-05T23:00:00Z")
	due, err := w.Due(t.Context(), w.Run(cftc.V32, nil))
	require.NoError(t, err)
	require.Equal(t, first+"/1/1", due[0].Message)
	require.Equal(t, reporttest.At("2025-03-05T23:59:59.999999Z"), due[0].Due)
	late, err := w.Late(t.Context(), cftc.V32)
	require.NoError(t, err)
	require.Empty(t, late)
	late, err = d.world("2025-03-06T00:00:01Z").Late(t.Context(), cftc.V32)
	require.NoError(t, err)
	require.Equal(t, first+"/1/1", late[0].Message)

	d.make("2025-03-04T17:00:00Z")
	filed := d.world("2025-03-05").Filings.Reports[0]
	require.False(t, filed.Late(reporttest.At("2025-03-05T23:00:00Z")))
	require.True(t, filed.Late(reporttest.At("2025-03-06T00:00:01Z")))

	// A report that is kept, not sent, waits for no answer.
	after := d.world("2025-03-07")
	require.Len(t, after.Run(cftc.V32, nil).Late(), 1)
	kept := records.Kept()
	require.Empty(t, after.Run(kept, nil).Late())
}

// An answer names each message of a report once. It is refused by the place that is wrong.
func TestReadAnswer(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	d.do("2025-03-03T09:00:00Z", lei+"F2", forward("ACME"))
	dir, st := d.make("2025-03-03T17:00:00Z")
	const head = "message,code,text\n"
	one, two := first+"/1/1", lei+"F2/1/1"
	a, err := filing.ReadAnswer(dir, []byte(head+two+",CON-412,late\n"+one+",,\n"))
	require.NoError(t, err)
	require.Equal(t, st.Name, a.Name)
	require.EqualValues(t, 1, a.Accepted)
	require.Equal(t, []report.Rejected{{Message: two, Code: "CON-412", Text: "late"}}, a.Rejected)
	long, unprintable := strings.Repeat("x", 1025), " has characters that cannot be printed"
	for text, want := range map[string]string{
		"":                                 "line 1: want the header",
		"row,code,text\n":                  "line 1: want the header",
		head + one + ",,\n":                "lacks 1 messages of the report, such as " + two,
		head + one + ",,\n" + one + ",,\n": "record 2: the report has no message",
		head + "X/1/1,,\n":                 "record 1: the report has no message",
		head + one + "\n":                  "wrong number of fields",
		head + one + ",E1," + long + "\n":  "record 1: its text has 1025 bytes",
		head + one + "," + long + ",\n":    "record 1: its code has 1025 bytes",
		head + one + ",E1,\"a\nb\"\n":      "record 1: its text" + unprintable,
		head + one + ",\x1b[2J,red\n":      "record 1: its code" + unprintable,
		head + one + ",E1,\xff\n":          "record 1: its text" + unprintable,
	} {
		_, err := filing.ReadAnswer(dir, []byte(text))
		require.ErrorContains(t, err, want)
	}
}

// A report that is made again after a year of further events has the same bytes. The difference to
// a report of today is the messages of the later events.
func TestReportIsMadeAgain(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	wrong := d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	dir, _ := d.make("2025-03-03T17:00:00Z")
	right := forward("ACME")
	right.Price = trade.Dec("79")
	d.party("ACME", "5493000IBP32UQZ0KL24")
	corrected, err := d.Correct("2025-09-01", first, wrong, right)
	require.NoError(t, err)
	ended := d.do("2026-02-01", first, trade.Cancel{Kind: trade.Terminate})
	later, _ := d.make("2026-03-03T17:00:00Z")
	require.Equal(t, []string{"F1/2/1", "F1/3/1"}, messages(t, later))

	again, _, _, _ := d.look("2025-03-03T17:00:00Z")
	for _, name := range []string{"report.csv", filing.RowsFile, filing.ExceptionsFile,
		filing.StatementFile} {
		before, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		after, err := os.ReadFile(filepath.Join(again, name))
		require.NoError(t, err)
		require.Equal(t, string(before), string(after))
	}
	rows, err := os.ReadFile(filepath.Join(again, filing.RowsFile))
	require.NoError(t, err)
	require.Contains(t, string(rows), wrong.ID.String())
	require.Contains(t, string(rows), ",'=as agreed,", "a formula is harmless in the table")

	// Each difference to the report of today names the event of the contract, or the events of
	// reference data, that explain it.
	here, there := d.world("2025-03-03T17:00:00Z"), d.world("2026-03-03T17:00:00Z")
	found, err := filing.Compare(t.Context(), there, here.Since(cftc.V32, time.Time{}),
		there.Since(cftc.V32, time.Time{}))
	require.NoError(t, err)
	const old, new = "213800WSGIIZCXF1P572", "5493000IBP32UQZ0KL24"
	renewed := report.Change{Message: first + "/1/1", Event: wrong.ID.String(), Here: old,
		There: new, Reference: d.recorded("reference/party/ACME"), Why: "reference data"}
	require.Len(t, renewed.Reference, 2)
	counterparty, seller := renewed, renewed
	counterparty.Field, seller.Field = "Counterparty 2", "Seller identifier"
	second := report.Change{Message: first + "/2/1", Event: corrected.ID.String(),
		There: "reported", Reference: []string{}, Why: "recorded later"}
	third := second
	third.Message, third.Event = first+"/3/1", ended.ID.String()
	require.Equal(t, []report.Change{counterparty, seller, second, third}, found)
	same, err := filing.Compare(t.Context(), there, there.Since(cftc.V32, time.Time{}),
		there.Since(cftc.V32, time.Time{}))
	require.NoError(t, err)
	require.Empty(t, same)
}

// recorded returns the ids of the events of a stream.
func (d *desk) recorded(stream string) (ids []string) {
	d.t.Helper()
	end, err := d.log.End(d.t.Context())
	require.NoError(d.t, err)
	for r, err := range d.log.Read(d.t.Context(), nil, end) {
		require.NoError(d.t, err)
		if r.Stream == stream {
			ids = append(ids, r.ID.String())
		}
	}
	return ids
}

// A year of events under two versions of the rules of REMIT, whose files are XML: the rows that
// differ are those of the events since the day from which the second one holds, and the difference
// is the deadline. Ten business days after 29 April 2026 are 13 May, and a contract of 28 April
// still has a month (the example of the source). Reports that were made before change nothing.
func TestCompareVersionsOverAYear(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	const day, before, since = "2024-01-01", "2026-04-28T09:00:00Z", "2026-04-29T09:00:00Z"
	d.State(day, report.Product, "power/DE-LU/base", "remit", "non-standard", "eic",
		"10Y1001A1001A82H")
	d.State(day, report.Trader, "anna", "acer_trader_id", "T4")
	later := forward("ACME")
	var err error
	later.Instrument.Delivery, err = trade.ParsePeriod("2027-06")
	require.NoError(t, err)
	d.do("2025-03-03T09:00:00Z", lei+"F9", later)
	d.flush("2025-03-03T10:00:00Z")
	d.do("2025-09-01T09:00:00Z", first, later)
	price := trade.Dec("81")
	d.do(before, first, trade.Amend{Kind: trade.Amendment, Price: &price})
	ended := d.do(since, first, trade.Cancel{Kind: trade.Terminate})
	d.State("2026-04-29T10:00:00Z", report.Product, "power/DE-LU/base", "remit",
		"standard")
	begun := d.do("2026-04-29T11:00:00Z", lei+"F2", later)
	d.flush("2026-04-29T12:00:00Z")
	w := d.world("2026-04-29T12:00:00Z")
	year := reporttest.At("2025-04-29")
	found, err := filing.Compare(t.Context(), w, w.Since(remit.Table1(), year),
		w.Since(remit.Recast(), year))
	require.NoError(t, err)
	why := "rules: " + remit.Table1().DeadlineSource + "; then " + remit.Recast().DeadlineSource
	late := report.Change{Event: ended.ID.String(), Field: "due", Reference: []string{}, Why: why,
		Message: first + "/3/1", Here: "2026-05-29T23:59:59Z", There: "2026-05-13T23:59:59Z"}
	soon := report.Change{Event: begun.ID.String(), Field: "due", Reference: []string{}, Why: why,
		Message: lei + "F2/1/1", Here: "2026-04-30T23:59:59Z", There: "2026-05-01T23:59:59Z"}
	require.Equal(t, []report.Change{late, soon}, found)
	// Two regimes have few fields in common; a message that one of them lacks says why.
	d.State(day, report.Product, "power/DE-LU/base", "swap", "false")
	d.flush("2026-04-29T13:00:00Z")
	w = d.world("2026-04-29T13:00:00Z")
	found, err = filing.Compare(t.Context(), w, w.Since(cftc.V32, year),
		w.Since(remit.Recast(), year))
	require.NoError(t, err)
	require.Len(t, found, 4)
	require.Equal(t, "the product is no swap", found[3].Why)
	require.Equal(t, "reported", found[3].There)
}

// Over-, under- and misreported contracts are found, each with the events that explain it.
func TestReconcile(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	d.do("2025-03-03T09:00:00Z", first, forward("ACME"))
	dir, st := d.make("2025-03-03T17:00:00Z")
	sdr, err := repository.Open(t.TempDir(), "CFTC")
	require.NoError(t, err)
	file, err := os.ReadFile(filepath.Join(dir, "report.csv"))
	require.NoError(t, err)
	_, answers, err := sdr.Submit(st.Name, file)
	require.NoError(t, err)
	require.Equal(t, []repository.Answer{{Row: 1, Key: first, Action: "NEWT"}}, answers)
	differences := func(known string) (all []string) {
		w := d.world(known)
		found, err := filing.Reconcile(w.Subjects(t.Context()), w.Run(cftc.V32, nil),
			holding(sdr))
		require.NoError(t, err)
		for _, f := range found {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s %d", f.Kind,
				strings.TrimPrefix(f.UTI, lei), f.Field, f.Ours, f.Held, len(f.Events))))
		}
		return all
	}
	require.Empty(t, differences("2025-03-03T17:00:00Z"))

	// Of a difference that reference data makes, the events that state it are named.
	d.State("2024-01-01", report.Product, "power/DE-LU/base", "venue", "XOFF")
	d.flush("2025-03-03T18:00:00Z")
	w := d.world("2025-03-03T18:00:00Z")
	moved, err := filing.Reconcile(w.Subjects(t.Context()), w.Run(cftc.V32, nil), holding(sdr))
	require.NoError(t, err)
	require.Len(t, moved, 1)
	require.Equal(t, "Platform identifier XOFF XXXX",
		strings.Join([]string{moved[0].Field, moved[0].Ours, moved[0].Held}, " "))
	stated := d.recorded("reference/product/power/DE-LU/base")
	require.Equal(t, stated[len(stated)-1:], moved[0].Reference)
	d.State("2024-01-01", report.Product, "power/DE-LU/base", "venue", "XXXX")

	end := d.do("2025-03-04", first, trade.Cancel{Kind: trade.Terminate})
	d.do("2025-03-04", lei+"F2", forward("ACME"))
	sdr.Holds[lei+"X"] = repository.Held{State: "open", Records: make([]repository.Record, 1)}
	d.flush("2025-03-04T09:00:00Z")
	require.Equal(t, []string{
		"mis-reported F1 Action type TERM NEWT 1", "mis-reported F1 Event type ETRM TRAD 1",
		"mis-reported F1 Event timestamp 2025-03-04T00:00:00Z 2025-03-03T09:00:00Z 1",
		"under-reported F2  reportable  1", "over-reported X   reported 0",
	}, differences("2025-03-04T09:00:00Z"))
	require.NotEmpty(t, end.ID)

	d.State("2024-01-01", report.Product, "power/DE-LU/base", "swap", "false")
	d.flush("2025-03-05T09:00:00Z")
	require.Equal(t, []string{"over-reported F1   reported 1", "over-reported X   reported 0"},
		differences("2025-03-05T09:00:00Z"))
}

// A stream to which another process has appended refuses a report made before that.
func TestOvertakenReportIsNotRecorded(t *testing.T) {
	t.Parallel()
	d := market(newDesk(t))
	d.make("2025-03-03T17:00:00Z")
	entry := domain.Entry{CommandID: "other", Actor: "ops", Reason: "r", Source: "test",
		EnteredAt: reporttest.At("2025-03-04")}
	err := filing.Record(t.Context(), d.log, d.domain, cftc.V32.Regime, 0, entry,
		report.Made{Name: "other", Known: entry.EnteredAt, Due: entry.EnteredAt})
	require.ErrorIs(t, err, filing.ErrOvertaken)
}
