package ledger_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/ledger"
	"example.com/blotter/labs/kit/trade"
)

// hledger runs the Debian package hledger over the export of the books, and returns the rows of its
// CSV after the header.
func hledger(t *testing.T, file string, args ...string) [][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "hledger",
		append(args, "-f", file, "-O", "csv")...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	in := csv.NewReader(bytes.NewReader(out))
	in.FieldsPerRecord = -1 // a title has fewer fields
	rows, err := in.ReadAll()
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	return rows[1:]
}

// compareWithHledger lets hledger read the export, and compares its balances, its registers of a
// few accounts, and its income statement with ours.
func compareWithHledger(t *testing.T, b *ledger.Books, at trade.AsOf) {
	t.Helper()
	if _, err := exec.LookPath("hledger"); err != nil {
		if os.Getenv("BLOTTER_CI") != "" {
			t.Fatal("hledger is not installed: .tools/setup ledger installs it")
		}
		t.Skip("hledger is not installed: .tools/setup ledger installs it")
	}
	file := filepath.Join(t.TempDir(), "export.journal")
	out, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, b.WriteHledger(out, at))
	require.NoError(t, out.Close())

	balances := b.Balances(at)
	theirs := map[string]string{}
	for _, row := range hledger(t, file, "balance", "--flat", "-N", "-E") {
		theirs[row[0]] = row[1]
	}
	for _, s := range balances {
		require.Equal(t, amount(s.Balance, s.Currency), theirs[s.Account], s.Account)
	}
	require.Len(t, theirs, len(balances))
	for i := 0; i < len(balances); i += max(1, len(balances)/4) {
		compareRegister(t, b, at, file, balances[i].Account)
	}
	net := hledger(t, file, "incomestatement")
	total := strings.Split(net[len(net)-1][1], ", ")
	gain := 0
	for c, g := range b.Gain(at) {
		if !g.IsZero() {
			gain++
			require.Contains(t, total, amount(g, c))
		}
	}
	require.Positive(t, gain)
}

func compareRegister(t *testing.T, b *ledger.Books, at trade.AsOf, file, account string) {
	t.Helper()
	rows := hledger(t, file, "register", "acct:^"+account+"$")
	ours := b.Statement(account, at)
	require.Len(t, rows, len(ours))
	for i, row := range rows { // txnidx, date, code, description, account, amount, total
		want := []string{ours[i].EffectiveAt.In(b.Zone).Format(time.DateOnly), ours[i].Entry,
			amount(ours[i].Amount, ours[i].Currency), amount(ours[i].Balance, ours[i].Currency)}
		require.Equal(t, want, []string{row[1], row[2], row[5], row[6]}, "%s, row %d", account, i)
	}
}

// amount returns an amount as hledger shows it.
func amount(a trade.Decimal, c trade.Currency) string {
	if a.IsZero() {
		return "0"
	}
	return string(c) + " " + c.Show(a)
}

// hledger adds the entries of a random ledger up as we do.
func TestHledgerAgreesOnRandomLedger(t *testing.T) {
	t.Parallel()
	entries := 10_000
	if testing.Short() {
		entries = 1000
	}
	d := random(t, 11, entries)
	compareWithHledger(t, d.books, trade.AsOf{})
	compareWithHledger(t, d.books, trade.AsOf{Known: start.Add(500 * time.Minute),
		Effective: day(200)})
}
