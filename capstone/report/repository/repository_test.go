package repository_test

import (
	"os"
	"path/filepath"
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
			r, err := repository.Open(t.TempDir())
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
	r, err := repository.Open(dir)
	require.NoError(t, err)
	newt := record("NEWT", "TRAD", "", "")
	require.Equal(t, []string{"NEWT LAPSED"}, codes(t, r, "one", newt))
	require.Empty(t, r.Swaps)
	require.NoError(t, os.Remove(lapsed))
	r, err = repository.Open(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"NEWT LAPSED"}, codes(t, r, "one", newt), "the answer stands")
	require.Equal(t, []string{"NEWT"}, codes(t, r, "two", newt))
	_, _, err = r.Submit("two", []byte(header+newt+newt))
	require.ErrorIs(t, err, repository.ErrTaken)

	r, err = repository.Open(dir)
	require.NoError(t, err)
	require.Equal(t, "open", r.Swaps[ours+"F1"].State)
	require.Equal(t, "8050", r.Swaps[ours+"F1"].Record["Notional amount"])
}

// A crash between the report and its answer leaves no record that counts: the same report gets the
// same answer later.
func TestCrashBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := repository.Open(dir)
	require.NoError(t, err)
	newt := record("NEWT", "TRAD", "", "")
	require.Equal(t, []string{"NEWT"}, codes(t, r, "one", newt))
	answers, err := filepath.Glob(filepath.Join(dir, "outbox", "*"))
	require.NoError(t, err)
	require.Len(t, answers, 1)
	require.NoError(t, os.Remove(answers[0])) // as if the process had ended before it
	r, err = repository.Open(dir)
	require.NoError(t, err)
	require.Empty(t, r.Swaps)
	require.Equal(t, []string{"NEWT"}, codes(t, r, "one", newt))
}

// A file of other rules is refused, and leaves nothing in the inbox.
func TestFileOfOtherRulesIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := repository.Open(dir)
	require.NoError(t, err)
	_, _, err = r.Submit("kept", []byte("Order of entry,UTI\n1,X\n"))
	require.ErrorContains(t, err, `the report has no column "Action type"`)
	left, err := filepath.Glob(filepath.Join(dir, "inbox", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
