package e2e_test

import (
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var exported = regexp.MustCompile(`^wrote ([0-9]+) entries`)

// The process of postings is killed again and again. No entry is there in part (export compares the
// entries with the events of the accounts), the trial balance is zero, and in the end the ledger
// ties out with the trades. A killed broker of the embedded stack may show a part of a transaction
// that nobody acknowledged, so only Postgres is tested here; package ledger kills the process
// at every append on a log in memory.
func TestKilledPostingsAreWhole(t *testing.T) {
	t.Parallel()
	n, pieces := 50, 3
	if testing.Short() {
		n, pieces = 4, 1
	}
	k := newKiller(t, setting{"postgres", true}, *seed)
	k.imported(lines(t, 0, pieces*pieceLines))
	began := time.Now()
	k.ok("position")
	k.starts = time.Since(began) // about as long as a run of postings needs before the first one
	file, entries, amid := filepath.Join(t.TempDir(), "books"), 0, 0
	count := func() int {
		r := k.run("ledger", "export", file)
		found := exported.FindStringSubmatch(r.stdout)
		if found == nil {
			require.Contains(t, r.stderr, "has no account")
			return 0
		}
		all, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		return all
	}
	for range n {
		k.lasts["ledger"] = 2 * k.starts
		delay := k.kill(k.starts*3/4, "ledger", "post")
		if now := count(); now > entries {
			entries, amid, k.starts = now, amid+1, k.starts*9/10
		} else {
			k.starts = max(k.starts, delay) * 11 / 10
		}
	}
	k.ok("ledger", "post")
	require.Positive(t, amid, "kills amid the postings")
	require.GreaterOrEqual(t, count(), entries)
	k.ok("ledger", "balances")
	k.ok("ledger", "reconcile")
	t.Logf("%v killed, %d amid the postings; %d entries before the last run", k.killed, amid,
		entries)
}
