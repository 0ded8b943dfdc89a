package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Kept holds the addresses of an embedded stack that a process keeps running, see Keep. It contains
// secrets.
type Kept struct {
	PID      int       `json:"pid"` // of the process that keeps it
	Since    time.Time `json:"since"`
	Kafka    Kafka     `json:"kafka"`
	Postgres Postgres  `json:"postgres"`
	S3       S3        `json:"s3"`
	Registry Registry  `json:"registry"`
}

// keptFile records a Kept in the data directory. Only the owner may read it. The record is valid
// while the process that it names holds the directory's lock; the next holder removes it.
const keptFile = "up.json"

// FindKept returns the stack that a process keeps in dir. ok reports whether there is one.
func FindKept(dir string) (kept Kept, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, keptFile))
	if errors.Is(err, fs.ErrNotExist) {
		return kept, false, nil
	}
	if err != nil {
		return kept, false, err
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		return kept, false, fmt.Errorf("%s: %w", filepath.Join(dir, keptFile), err)
	}
	forgetUsersPostgres()
	pid, err := Holder(dir)
	return kept, err == nil && pid != 0 && pid == kept.PID, err
}

// Keep starts all four components of the embedded stack and records their addresses, where Open
// finds them. Then it calls ready, and keeps the components until ctx ends or one of them fails.
func Keep(ctx context.Context, opt EmbeddedOptions, ready func(Kept)) error {
	failed := make(chan error, 4) // one for each component
	opt.Failed = func(err error) { failed <- err }
	s := Embedded(opt)
	kept, err := startAll(ctx, s)
	path := filepath.Join(opt.Dir, keptFile)
	if err == nil {
		// A crash after this line leaves an invalid record, since the lock ends with the process.
		err = kept.record(path)
	}
	if err == nil {
		ready(kept)
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
		// BEFORE the components stop: nobody must find addresses that are about to disappear.
		err = errors.Join(err, os.Remove(path))
	}
	if closing := s.Close(); err == nil {
		err = closing
	}
	return err
}

func startAll(ctx context.Context, s Stack) (kept Kept, err error) {
	kept.PID, kept.Since = os.Getpid(), time.Now().UTC().Truncate(time.Second)
	if kept.Kafka, err = s.Kafka(ctx); err != nil {
		return kept, err
	}
	if kept.Postgres, err = s.Postgres(ctx); err != nil {
		return kept, err
	}
	if kept.S3, err = s.S3(ctx); err != nil {
		return kept, err
	}
	kept.Registry, err = s.Registry(ctx)
	return kept, err
}

func (k Kept) record(path string) error {
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return writeDurably(path, append(text, '\n'))
}

// keptStack is a Stack whose components another process keeps.
type keptStack struct {
	kept Kept
	stop chan struct{}
	once sync.Once
	done sync.WaitGroup
}

func useKept(kept Kept, opt EmbeddedOptions) *keptStack {
	s := &keptStack{kept: kept, stop: make(chan struct{})}
	if opt.Failed != nil {
		s.done.Go(func() { s.watch(opt.Dir, opt.Failed) })
	}
	return s
}

func (s *keptStack) Kafka(context.Context) (Kafka, error)       { return s.kept.Kafka, nil }
func (s *keptStack) Postgres(context.Context) (Postgres, error) { return s.kept.Postgres, nil }
func (s *keptStack) S3(context.Context) (S3, error)             { return s.kept.S3, nil }
func (s *keptStack) Registry(context.Context) (Registry, error) { return s.kept.Registry, nil }

// Close leaves the components running.
func (s *keptStack) Close() error {
	s.once.Do(func() { close(s.stop) })
	s.done.Wait()
	return nil
}

// watch calls failed when the process that keeps the stack has ended. Without it the clients of the
// lost broker would retry for ever.
func (s *keptStack) watch(dir string, failed func(error)) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if pid, err := Holder(dir); err == nil && pid != s.kept.PID {
			failed(withHint(
				fmt.Errorf("the stack that process %d kept in %s has ended", s.kept.PID, dir),
				"run the command again; acknowledged data is kept"))
			return
		}
	}
}
