package repository_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report/repository"
)

const header = "Counterparty 1 (reporting counterparty),Counterparty 2,Action type,Event type," +
	"Amendment indicator,Event timestamp,Notional amount,Total notional quantity," +
	"Execution timestamp,Reporting timestamp," +
	"Prior UTI (for one-to-one and one-to-many relations between transactions)," +
	"Unique transaction identifier (UTI),Valuation amount\n"

const (
	ours   = "506700GE1G29325QX363"
	theirs = "213800WSGIIZCXF1P572"
)

// record returns a line: an action, an event, the amendment indicator and the prior UTI.
func record(action, event, amended, prior string) string {
	return strings.Join([]string{ours, theirs, action, event, amended, "2025-03-04T09:00:00Z",
		"8050", "100", "2025-03-03T09:00:00Z", "2025-03-04T17:00:00Z", prior, ours + "F1", ""},
		",") + "\n"
}

func codes(t *testing.T, r *repository.Repository, name, records string) (all []string) {
	t.Helper()
	_, answers, err := r.Submit(name, []byte(header+records))
	require.NoError(t, err)
	for _, a := range answers {
		all = append(all, strings.TrimSpace(a.Action+" "+a.Code))
	}
	return all
}

func TestRepositoryAnswers(t *testing.T) {
	t.Parallel()
	newt := record("NEWT", "TRAD", "", "")
	for name, c := range map[string]struct {
		records string
		want    []string
	}{
		"a life": {newt + record("MODI", "TRAD", "True", "") + record("TERM", "ETRM", "", "") +
			record("REVI", "", "", "") + record("EROR", "", "", ""),
			[]string{"NEWT", "MODI", "TERM", "REVI", "EROR"}},
		"two births":        {newt + newt, []string{"NEWT", "NEWT STATE"}},
		"unknown":           {record("MODI", "TRAD", "True", ""), []string{"MODI STATE"}},
		"a wrong pair":      {record("NEWT", "ETRM", "", ""), []string{"NEWT PAIR"}},
		"an event for CORR": {newt + record("CORR", "TRAD", "", ""), []string{"NEWT", "CORR PAIR"}},
		"no indicator": {newt + record("MODI", "TRAD", "", ""),
			[]string{"NEWT", "MODI FORMAT"}},
		"no prior UTI":     {record("NEWT", "NOVA", "", ""), []string{"NEWT PRIOR"}},
		"a needless prior": {record("NEWT", "TRAD", "", ours+"F0"), []string{"NEWT PRIOR"}},
		"before execution": {strings.Replace(newt, "03-03T", "03-05T", 1), []string{"NEWT TIME"}},
		"a UTI of other form": {strings.Replace(newt, "QX363F1", "QX363-1", 1),
			[]string{"NEWT FORMAT"}},
		"after an error": {newt + record("EROR", "", "", "") + record("CORR", "", "", ""),
			[]string{"NEWT", "EROR", "CORR STATE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := repository.Open(t.TempDir(), "CFTC")
			require.NoError(t, err)
			require.Equal(t, c.want, codes(t, r, "one", c.records))
		})
	}
}

// A report is answered once. The state and the answers survive, and a rejected record leaves no
// trace in the state.
func TestRepositoryKeepsItsState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lapsed := filepath.Join(dir, "lapsed.txt")
	require.NoError(t, os.WriteFile(lapsed, []byte(theirs+"\n"), 0o644))
	r, err := repository.Open(dir, "CFTC")
	require.NoError(t, err)
	newt := record("NEWT", "TRAD", "", "")
	require.Equal(t, []string{"NEWT LAPSED"}, codes(t, r, "one", newt))
	require.Empty(t, r.Holds)
	require.NoError(t, os.Remove(lapsed))
	r, err = repository.Open(dir, "CFTC")
	require.NoError(t, err)
	require.Equal(t, []string{"NEWT LAPSED"}, codes(t, r, "one", newt), "the answer stands")
	require.Equal(t, []string{"NEWT"}, codes(t, r, "two", newt))
	_, _, err = r.Submit("two", []byte(header+newt+newt))
	require.ErrorIs(t, err, repository.ErrTaken)

	r, err = repository.Open(dir, "CFTC")
	require.NoError(t, err)
	require.Equal(t, "open", r.Holds[ours+"F1"].State)
	require.Equal(t, "8050", r.Holds[ours+"F1"].Records[0]["Notional amount"])
}

// A crash between the report and its answer leaves no record that counts: the same report gets the
// same answer later.
func TestCrashBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := repository.Open(dir, "CFTC")
	require.NoError(t, err)
	newt := record("NEWT", "TRAD", "", "")
	require.Equal(t, []string{"NEWT"}, codes(t, r, "one", newt))
	answers, err := filepath.Glob(filepath.Join(dir, "CFTC", "outbox", "*"))
	require.NoError(t, err)
	require.Len(t, answers, 1)
	require.NoError(t, os.Remove(answers[0])) // as if the process had ended before it
	r, err = repository.Open(dir, "CFTC")
	require.NoError(t, err)
	require.Empty(t, r.Holds)
	require.Equal(t, []string{"NEWT"}, codes(t, r, "one", newt))
}

// A folder from before each regime had one is refused, and serves in its new place.
func TestFolderOfBeforeIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, sub := range []string{"inbox", "outbox"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	for name, text := range map[string]string{
		"inbox/one.csv": header + record("NEWT", "TRAD", "", ""),
		"outbox/000001-one.csv": "row,uti,action,answer,code,text\n1," + ours +
			"F1,NEWT,ACK,,\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	_, err := repository.Open(dir, "CFTC")
	require.ErrorContains(t, err, "has inbox outside the folder of a regime: move it to "+
		filepath.Join(dir, "CFTC", "inbox"))
	require.NoDirExists(t, filepath.Join(dir, "CFTC"))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "CFTC"), 0o755))
	for _, sub := range []string{"inbox", "outbox"} {
		require.NoError(t, os.Rename(filepath.Join(dir, sub), filepath.Join(dir, "CFTC", sub)))
	}
	r, err := repository.Open(dir, "CFTC")
	require.NoError(t, err)
	require.Equal(t, "open", r.Holds[ours+"F1"].State)
}

// public returns a file of part 43: it lacks elements of part 45.
func public(records string) string {
	var text strings.Builder
	for line := range strings.Lines(header + records) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ",")
		fields = slices.Delete(fields, 12, 13)
		text.WriteString(strings.Join(slices.Delete(fields, 10, 11), ",") + "\n")
	}
	return text.String()
}

// Under part 43 the repository takes what is public, and disseminates it without the elements that
// name the parties or the swap. A message names the one about the same swap that it follows.
func TestTape(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := repository.Open(dir, "CFTC-P43")
	require.NoError(t, err)
	records := record("NEWT", "TRAD", "", "") + record("MODI", "TRAD", "False", "") +
		record("MODI", "TRAD", "True", "") + record("VALU", "", "", "") +
		strings.ReplaceAll(record("NEWT", "TRAD", "", ""), ours+"F1", ours+"F2") +
		record("TERM", "ETRM", "", "") + record("TERM", "ETRM", "", "")
	_, answers, err := r.Submit("one", []byte(public(records)))
	require.NoError(t, err)
	var codes []string
	for _, a := range answers {
		codes = append(codes, strings.TrimSpace(a.Action+" "+a.Code))
	}
	require.Equal(t, []string{"NEWT", "MODI PUBLIC", "MODI", "VALU PUBLIC", "NEWT", "TERM",
		"TERM STATE"}, codes)
	tape, err := os.ReadFile(filepath.Join(dir, "CFTC-P43", "tape.csv"))
	require.NoError(t, err)
	for _, name := range []string{ours, theirs} {
		require.NotContains(t, string(tape), name)
	}
	var links []string
	for line := range strings.Lines(string(tape)) {
		links = append(links, strings.Join(strings.Split(line, ",")[:2], " "))
	}
	require.Equal(t, []string{"D000000001 ", "D000000002 D000000001", "D000000003 ",
		"D000000004 D000000002"}, links[1:])
	before := r.Holds
	r, err = repository.Open(dir, "CFTC-P43")
	require.NoError(t, err)
	require.Equal(t, before, r.Holds, "the state survives")
	again, err := os.ReadFile(filepath.Join(dir, "CFTC-P43", "tape.csv"))
	require.NoError(t, err)
	require.Equal(t, string(tape), string(again), "and the tape")
}

// supply returns a record of REMIT: an action, the time of the transaction and the quantity.
func supply(action, at, quantity string) string {
	return "<TradeReport><idOfMarketParticipant><lei>" + ours + "</lei></idOfMarketParticipant>" +
		"<otherMarketParticipant><lei>" + theirs + "</lei></otherMarketParticipant>" +
		"<transactionTime>" + at + "</transactionTime><uniqueTransactionIdentifier>" +
		"<uniqueTransactionIdentifier>" + ours + "F1</uniqueTransactionIdentifier>" +
		"</uniqueTransactionIdentifier><totalNotionalContractQuantity><value>" + quantity +
		"</value></totalNotionalContractQuantity><actionType>" + action +
		"</actionType></TradeReport>"
}

// transaction returns a report of MiFIR.
func transaction(kind, reference string) string {
	text := "<Tx><" + kind + "><TxId>" + reference + "</TxId><ExctgPty>" + ours + "</ExctgPty>" +
		"<SubmitgPty>" + ours + "</SubmitgPty>"
	if kind == "New" {
		side := "<AcctOwnr><Id><LEI>" + theirs + "</LEI></Id></AcctOwnr>"
		text += "<Buyr>" + side + "</Buyr><Sellr>" + side + "</Sellr><Tx><TradDt>" +
			"2025-03-03T09:00:00.000000Z</TradDt><Qty><Unit>5</Unit></Qty></Tx>"
	}
	return text + "</" + kind + "></Tx>"
}

// The documents of REMIT and MiFIR are answered by the state of the contract or transaction. The
// repository holds what was not withdrawn.
func TestDocumentsAreAnswered(t *testing.T) {
	t.Parallel()
	const one, two = "2025-03-03T09:00:00Z", "2025-03-04T09:00:00Z"
	n, m, c := supply("N", one, "100"), supply("M", two, "90"), supply("C", two, "90")
	for name, tc := range map[string]struct {
		regime, records, want string
		held                  int
	}{
		"a life":            {"REMIT", n + m + c, "N,M,C", 3},
		"two births":        {"REMIT", n + n, "N,N STATE", 1},
		"unknown":           {"REMIT", m, "M STATE", 0},
		"after the end":     {"REMIT", n + c + m, "N,C,M STATE", 2},
		"the end withdrawn": {"REMIT", n + c + supply("E", two, "90") + m, "N,C,E,M", 2},
		"another withdrawn": {"REMIT", n + m + supply("E", one, "100"), "N,M,E RECORD", 2},
		"withdrawn, again":  {"REMIT", n + supply("E", one, "100") + n, "N,E,N", 1},
		"an action unknown": {"REMIT", supply("X", one, "1"), "X FORMAT", 0},
		"no quantity":       {"REMIT", supply("N", one, ""), "N FORMAT", 0},
		"cancelled once": {"MIFIR", transaction("New", "R1") + transaction("Cxl", "R1") +
			transaction("Cxl", "R1"), "NEWT,CANC,CANC STATE", 0},
		"a reference used": {"MIFIR", transaction("New", "R1") + transaction("New", "R1"),
			"NEWT,NEWT STATE", 1},
		"never free again": {"MIFIR", transaction("New", "R1") + transaction("Cxl", "R1") +
			transaction("New", "R1"), "NEWT,CANC,NEWT STATE", 0},
		"unknown reference": {"MIFIR", transaction("Cxl", "R1"), "CANC STATE", 0},
		"a lower case":      {"MIFIR", transaction("New", "r1"), "NEWT FORMAT", 0},
		"neither": {"MIFIR", "<Tx><Amd><TxId>R1</TxId><ExctgPty>" + ours + "</ExctgPty></Amd></Tx>",
			" FORMAT", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := repository.Open(t.TempDir(), tc.regime)
			require.NoError(t, err)
			file := `<REMITTable1 xmlns="http://www.acer.europa.eu/REMIT/REMITTable1_V3.xsd">` +
				"<reportingEntityID><lei>" + ours + "</lei></reportingEntityID><TradeList>" +
				tc.records + "</TradeList></REMITTable1>"
			if tc.regime == "MIFIR" {
				file = `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:auth.016.001.01">` +
					"<FinInstrmRptgTxRpt>" + tc.records + "</FinInstrmRptgTxRpt></Document>"
			}
			_, answers, err := r.Submit("one", []byte(file))
			require.NoError(t, err)
			var got []string
			for _, a := range answers {
				text := a.Action + " " + a.Code
				if a.Code == "" {
					text = a.Action
				}
				got = append(got, text)
			}
			require.Equal(t, tc.want, strings.Join(got, ","))
			held := 0
			for _, h := range r.Holds {
				held += len(h.Records)
			}
			require.Equal(t, tc.held, held)
		})
	}
}

// A file of other rules is refused, and leaves nothing in the inbox.
func TestFileOfOtherRulesIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := repository.Open(dir, "CFTC")
	require.NoError(t, err)
	_, _, err = r.Submit("kept", []byte("Order of entry,UTI\n1,X\n"))
	require.ErrorContains(t, err, `the report has no column "Action type"`)
	_, _, err = r.Submit("public", []byte(public("")))
	require.ErrorContains(t, err, "it is of other rules")
	p43, err := repository.Open(dir, "CFTC-P43")
	require.NoError(t, err)
	_, _, err = p43.Submit("both", []byte(header+record("NEWT", "TRAD", "", "")))
	require.ErrorContains(t, err, "it is of part 45")
	arm, err := repository.Open(dir, "MIFIR")
	require.NoError(t, err)
	_, _, err = arm.Submit("supply", []byte("<?xml version=\"1.0\"?>\n"+
		`<REMITTable1 xmlns="urn:other"/>`))
	require.ErrorContains(t, err,
		`line 2: REMITTable1 is in the namespace "urn:other": it is of other rules`)
	_, _, err = arm.Submit("cut", []byte("<Document"))
	require.ErrorContains(t, err, "the report is no XML document")
	_, err = repository.Open(dir, "RECORDS")
	require.ErrorContains(t, err, "takes no reports of RECORDS")
	left, err := filepath.Glob(filepath.Join(dir, "CFTC", "inbox", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
