package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

type demoCmd struct {
	Book string `help:"Another book of commands." placeholder:"FILE" type:"existingfile"`
	Keep bool   `help:"Keep the log in the data folder instead of a temporary one."`
}

// Run imports a book into a new simulated log and takes it through the whole flow.
func (c *demoCmd) Run(ctx context.Context, a *app) error {
	began := time.Now()
	book, err := books.FS.ReadFile(books.Sample)
	if c.Book != "" {
		book, err = os.ReadFile(c.Book)
	}
	if err != nil {
		return err
	}
	a.access = writes
	if err := a.beginDemo(c.Keep); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "one year of a trading desk, on the %s stack, in the %s store\n", a.cli.Stack, a.where())
	system, err := a.system(ctx, withReadModel, withSnapshots, withSealer)
	if err != nil {
		return err
	}
	progress := a.progress("lines")
	sum, err := system.Run(ctx, lines.Read(bytes.NewReader(book)), capstone.Watch{
		Step: func(name string) {
			progress.clear()
			fmt.Fprintf(a.stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), name)
		},
		Result: func(capstone.Result) { progress.add() },
	})
	progress.clear()
	if err != nil {
		return err
	}
	if err := a.answer(summaryJSON(sum), func(w io.Writer) { showSummary(w, sum) }); err != nil {
		return err
	}
	if c.Keep {
		fmt.Fprintf(a.stderr, "kept in %s: try blotter --data %s position\n", a.cli.Data, a.cli.Data)
	}
	return demoVerdict(sum)
}

func (a *app) where() string {
	if a.settings.Store == "kafka" {
		return fmt.Sprintf("kafka (%s)", plural(int64(a.settings.Partitions), "partition"))
	}
	return a.settings.Store
}

// beginDemo creates a new simulated log, in a temporary folder unless it is to be kept.
func (a *app) beginDemo(keep bool) error {
	if keep {
		return a.beginKept()
	}
	dir, err := os.MkdirTemp("", "blotter-demo-")
	if err != nil {
		return err
	}
	a.onClose(func() error { return os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // the database may run as another user, who has to pass through
		return err
	}
	a.cli.Data, a.temporary = dir, true
	if a.cli.Stack == "external" && a.cli.Name == string(defaultName) {
		a.cli.Name = "demo-" + strings.ToLower(rand.Text()[:8]) // the stack may hold another's log of that name
	}
	return a.begin(true)
}

// beginKept begins the demo's log in the data folder, which must not hold one: not even one that is elsewhere or cannot be opened.
func (a *app) beginKept() error {
	err := a.open()
	var none *noLogError
	switch {
	case errors.As(err, &none):
		return a.begin(true)
	case err == nil:
		return &usageError{fmt.Sprintf("there is a log in %s already", a.cli.Data), "name another folder with --data"}
	}
	return err
}

// demoVerdict fails the demo unless everything that it offloads was seen to hold.
func demoVerdict(sum capstone.Summary) error {
	switch {
	case sum.Imported.Bad > 0:
		return &failure{plural(int64(sum.Imported.Bad), "bad line") + " in the book", "blotter import names each"}
	case sum.Replayed.Difference != nil:
		return &failure{sum.Replayed.Difference.Error(), ""}
	case sum.Verification.Fault != nil:
		return &failure{sum.Verification.Fault.Error(), ""}
	case sum.Verification.Unanchored > 0:
		return &failure{plural(sum.Verification.Unanchored, "event") + " past the checkpoint", ""}
	}
	return nil
}

// shown is how many positions the demo prints.
const shown = 12

func showSummary(w io.Writer, sum capstone.Summary) {
	fmt.Fprintln(w, "\nwhat went in, and what was refused by which rule")
	fmt.Fprint(w, "  ")
	showImported(w, sum.Imported)
	showMissing(w, sum.Orphaned)
	positions := sum.State.Positions
	fmt.Fprintf(w, "\nthe largest open positions\n")
	showPositions(w, largest(positions, shown))
	fmt.Fprintln(w, "\nprofit and loss, by average cost and by fifo")
	showTotals(w, totals(positions))
	fmt.Fprintf(w, "\nstate     %s, %s, digest sha256:%x\n", plural(int64(len(sum.State.Trades)), "trade"), plural(int64(len(positions)), "position"), sum.State.Digest())
	fmt.Fprint(w, "snapshot  ")
	showSnapshot(w, sum.Snapshot)
	if sum.Replayed.Difference == nil {
		fmt.Fprintf(w, "replay    %s folded from the log alone: equal to the snapshot, byte for byte\n", plural(sum.Replayed.Events, "event"))
	}
	fmt.Fprint(w, "audit     ")
	showVerification(w, sum.Verification)
}

func showMissing(w io.Writer, missing []capstone.OrphanedFollowUp) {
	if len(missing) == 0 {
		fmt.Fprintln(w, "  every contract that had to begin from another has begun")
		return
	}
	showApart(w, apartOf(missing))
}

func summaryJSON(sum capstone.Summary) any {
	return struct {
		Imported   capstone.Imported `json:"imported"`
		Positions  []trade.Position  `json:"positions"`
		Totals     []bookTotal       `json:"totals"`
		Digest     string            `json:"digest"`
		Snapshot   any               `json:"snapshot"`
		Replayed   int64             `json:"replayed"`
		Checkpoint any               `json:"checkpoint"`
	}{sum.Imported, sum.State.Positions, totals(sum.State.Positions), fmt.Sprintf("%x", sum.State.Digest()),
		snapshotJSON(sum.Snapshot), sum.Replayed.Events, checkpointJSON(sum.Checkpoint)}
}
