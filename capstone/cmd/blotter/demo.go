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
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
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
	s, system, err := c.open(ctx, a)
	if err != nil {
		return err
	}
	add, done := a.progress.counting("lines", 0, 0)
	sum, err := system.Run(ctx, lines.Read(bytes.NewReader(book)), capstone.Watch{
		Step: func(name string) {
			if name != "import" {
				done()
			}
			fmt.Fprintf(a.stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), name)
		},
		Result: func(capstone.Result) { add(1, 0) },
	})
	if err != nil {
		return err
	}
	answered := of(s)
	answered.times = &sum.Times
	err = a.answer(answered, summaryJSON(sum), func(w io.Writer) { printSummary(w, sum) })
	if err != nil {
		return err
	}
	if c.Keep {
		fmt.Fprintf(a.stderr, "kept in %[1]s: try blotter --data %[1]s position\n", a.cli.Data)
	}
	return demoVerdict(sum)
}

// open creates a simulated log and opens the whole flow over it.
func (c *demoCmd) open(ctx context.Context, a *app) (*session.Session, *capstone.System, error) {
	config, err := c.config(a)
	if err != nil {
		return nil, nil, err
	}
	if _, err := config.Folder(); err != nil { // wrong usage: BEFORE the demo is announced
		return nil, nil, err
	}
	fmt.Fprintf(a.stderr, "one year of a trading desk, on the %s stack, in the %s store\n",
		a.cli.Stack, describeStore(*config.New))
	s, err := a.openAs(ctx, config, session.Write)
	if err != nil {
		return nil, nil, err
	}
	system := s.System()
	if system.Projection, err = s.ReadModel(ctx); err != nil {
		return nil, nil, err
	}
	if system.Snapshots, err = s.Snapshots(ctx, true); err != nil {
		return nil, nil, err
	}
	sealer, err := s.Sealer(ctx)
	if err != nil {
		return nil, nil, err
	}
	system.Auditor = sealer.ForDemo()
	return s, system, nil
}

// config names a folder without a log: the data folder with --keep, otherwise a temporary one.
func (c *demoCmd) config(a *app) (session.Config, error) {
	if c.Keep {
		_, err := a.config().Folder()
		if none := new(logdir.NoLogError); !errors.As(err, &none) {
			return session.Config{}, firstOf(err, &usageError{
				fmt.Sprintf("there is already a log in %s", a.cli.Data),
				"name another folder with --data"})
		}
	} else if err := a.temporaryFolder("blotter-demo-"); err != nil {
		return session.Config{}, err
	} else if a.cli.Stack == "external" && a.cli.Name == string(logdir.DefaultName) {
		// The stack may have a log of the default name.
		a.cli.Name = "demo-" + strings.ToLower(rand.Text()[:8])
	}
	config := a.config()
	config.New, config.Temporary = a.newLog(true), !c.Keep
	config.Source = "sample book"
	return config, nil
}

// describeStore names the store of a log, with its partitions if it has any.
func describeStore(s logdir.Settings) string {
	if kind, err := session.StoreOf(s.Store); err == nil && kind.Owned {
		return fmt.Sprintf("%s (%s)", s.Store, plural(int64(s.Partitions), "partition"))
	}
	return s.Store
}

// demoVerdict fails the demo unless every claim of its summary was checked and holds.
func demoVerdict(sum capstone.Summary) error {
	switch {
	case sum.Imported.Bad > 0:
		return &failure{plural(int64(sum.Imported.Bad), "bad line") + " in the book",
			"blotter import names each of them"}
	case sum.Replayed.Difference != nil:
		return &failure{sum.Replayed.Difference.Error(), ""}
	case sum.Replayed.Faults != nil:
		return sum.Replayed.Faults
	case sum.Verification.Fault != nil:
		return &failure{sum.Verification.Fault.Error(), ""}
	case len(sum.Verification.Offenders) > 0:
		return checkOffenders(sum.Verification.Offenders)
	case sum.Verification.Unanchored > 0:
		return &failure{plural(sum.Verification.Unanchored, "event") + " past the checkpoint", ""}
	}
	return nil
}

// shown is the number of positions in the summary.
const shown = 12

func printSummary(w io.Writer, sum capstone.Summary) {
	fmt.Fprintln(w, "\naccepted commands, and refused ones by rule")
	fmt.Fprint(w, "  ")
	printImported(w, sum.Imported)
	if len(sum.Orphaned) == 0 {
		fmt.Fprintln(w, "  every follow-up is on record")
	}
	printOrphans(w, serve.OrphansOf(sum.Orphaned))
	positions := sum.Positions
	fmt.Fprintf(w, "\nthe largest open positions\n")
	printPositions(w, largest(positions, shown))
	fmt.Fprintln(w, "\nprofit and loss, by average cost and by fifo")
	printTotals(w, totals(positions))
	fmt.Fprintf(w, "\nstate     %s\n", describe(sum.State))
	fmt.Fprint(w, "snapshot  ")
	printSnapshot(w, sum.Snapshot)
	if sum.Replayed.Difference == nil {
		fmt.Fprintf(w, "replay    %s folded from the log: equal to the snapshot, byte for byte\n",
			plural(sum.Replayed.Events, "event"))
	}
	fmt.Fprint(w, "audit     ")
	printVerification(w, sum.Verification)
}

func summaryJSON(sum capstone.Summary) any {
	return struct {
		Imported   capstone.Imported `json:"imported"`
		Positions  []positionAnswer  `json:"positions"`
		Totals     []bookTotal       `json:"totals"`
		Digest     string            `json:"digest"`
		Snapshot   any               `json:"snapshot"`
		Replayed   int64             `json:"replayed"`
		Checkpoint any               `json:"checkpoint"`
	}{sum.Imported, positionsJSON(sum.Positions), totals(sum.Positions),
		fmt.Sprintf("%x", sum.State.Digest()),
		takenJSON(sum.Snapshot), sum.Replayed.Events, checkpointJSON(sum.Checkpoint)}
}
