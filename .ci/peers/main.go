// Command peers seals the same leaves with this project's auditor, with Tessera's POSIX driver and
// with immudb's store, one after the other:
//
//	go run . [EVENTS [ROUNDS]]
//
// All three are equally durable: each leaf that they acknowledge is on the disk, and 1,000 leaves
// share a commit. The auditor signs a checkpoint for each 1,000 leaves. Tessera signs at most one
// in 100 ms, and this program waits for the last one only. immudb signs nothing.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/embedded/store"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	audit "example.com/blotter/solutions/5-audit"
)

const (
	origin = "peers.example/log"
	batch  = 1000
)

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // of Tessera
	events, rounds := number(1, 100_000), number(2, 3)
	if err := compare(context.Background(), generate(events), rounds); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// number returns an argument, or a default.
func number(arg, without int) int {
	if len(os.Args) <= arg {
		return without
	}
	n, err := strconv.Atoi(os.Args[arg])
	if err != nil || n < 1 {
		fmt.Fprintf(os.Stderr, "error: %q is not a count\n", os.Args[arg])
		os.Exit(2)
	}
	return n
}

// A peer makes all leaves of a log durable below a folder.
type peer struct {
	name string
	seal func(ctx context.Context, dir string, log generated) error
}

// compare prints the leaves a second of each peer, the median of several rounds. Each round runs
// all peers, so that a slow minute of the machine is a slow minute for all.
func compare(ctx context.Context, log generated, rounds int) error {
	peers := []peer{{"blotter", withBlotter}, {"tessera", withTessera}, {"immudb", withImmudb}}
	took := map[string][]time.Duration{}
	for range rounds {
		for _, p := range peers {
			dir, err := os.MkdirTemp(".", "peers-")
			if err != nil {
				return err
			}
			start := time.Now()
			err = p.seal(ctx, dir, log)
			took[p.name] = append(took[p.name], time.Since(start))
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	ours := 0.0
	for _, p := range peers {
		all := slices.Sorted(slices.Values(took[p.name]))
		rate := float64(len(log)) / all[len(all)/2].Seconds()
		if ours == 0 {
			ours = rate
		}
		fmt.Printf("%-8s %8.0f leaves/s  %5.2f of ours\n", p.name, rate, rate/ours)
	}
	return nil
}

func keys() (note.Signer, note.Verifier, error) {
	private, public, err := note.GenerateKey(nil, origin)
	if err != nil {
		return nil, nil, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, nil, err
	}
	verifier, err := note.NewVerifier(public)
	return signer, verifier, err
}

// withBlotter seals each 1,000 events when they are in the log, and has each object on the disk.
func withBlotter(ctx context.Context, dir string, log generated) error {
	signer, verifier, err := keys()
	if err != nil {
		return err
	}
	growing := &growing{generated: log}
	a, err := audit.Open(audit.Options{Log: growing, Archive: files{dir}, Origin: origin,
		Signer: signer, Verifier: verifier, Clock: time.Now, Batch: batch})
	if err != nil {
		return err
	}
	for growing.end < len(log) {
		growing.end = min(growing.end+batch, len(log))
		if _, err := a.Seal(ctx); err != nil {
			return err
		}
	}
	return nil
}

func withTessera(ctx context.Context, dir string, log generated) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends its work in the background
	signer, _, err := keys()
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return err
	}
	const often = 100 * time.Millisecond // the driver's least interval
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(batch, often).WithCheckpointInterval(often)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	var last tessera.IndexFuture
	for begin := 0; begin < len(log); begin += batch {
		var added []tessera.IndexFuture
		for _, r := range log[begin:min(begin+batch, len(log))] {
			added = append(added, appender.Add(ctx, tessera.NewEntry(r.Leaf())))
		}
		for _, index := range added {
			if _, err := index(); err != nil {
				return err
			}
		}
		last = added[len(added)-1]
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 10*time.Millisecond)
	if _, _, err := awaiter.Await(ctx, last); err != nil {
		return err
	}
	return shutdown(ctx)
}

func withImmudb(ctx context.Context, dir string, log generated) error {
	quiet := logger.NewMemoryLogger()
	s, err := store.Open(dir, store.DefaultOptions().WithSynced(true).WithLogger(quiet))
	if err != nil {
		return err
	}
	for begin := 0; begin < len(log); begin += batch {
		tx, err := s.NewWriteOnlyTx(ctx)
		if err != nil {
			return err
		}
		for i, r := range log[begin:min(begin+batch, len(log))] {
			key := binary.BigEndian.AppendUint64(nil, uint64(begin+i))
			if err := tx.Set(key, nil, r.Leaf()); err != nil {
				return err
			}
		}
		if _, err := tx.Commit(ctx); err != nil {
			return err
		}
	}
	return s.Close()
}
