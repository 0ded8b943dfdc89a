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

// Standing is where an embedded stack answers that a process of its own keeps running: see Keep. It holds secrets.
type Standing struct {
	PID      int       `json:"pid"` // of the process that keeps it
	Since    time.Time `json:"since"`
	Kafka    []string  `json:"kafka"`
	Postgres string    `json:"postgres"`
	S3       S3        `json:"s3"`
	Registry string    `json:"registry"`
}

// upFile is where a Standing is recorded, in the data directory, for its owner alone to read. It counts only while the
// process it names has the directory locked; whoever takes the lock removes what it finds.
const upFile = "up.json"

// FindStanding is the stack that some process keeps in dir; ok says whether there is one.
func FindStanding(dir string) (at Standing, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, upFile))
	if errors.Is(err, fs.ErrNotExist) {
		return at, false, nil
	}
	if err != nil {
		return at, false, err
	}
	if err := json.Unmarshal(text, &at); err != nil {
		return at, false, fmt.Errorf("%s: %w", filepath.Join(dir, upFile), err)
	}
	pid, err := Holder(dir)
	return at, err == nil && pid != 0 && pid == at.PID, err
}

// Keep starts all four parts of the embedded stack, records where they are, so that Open finds them, calls ready, and keeps
// them until ctx ends or one of them fails.
func Keep(ctx context.Context, opt EmbeddedOptions, ready func(Standing)) error {
	failed := make(chan error, 4) // one for each part
	opt.Failed = func(err error) { failed <- err }
	s := Embedded(opt)
	at, err := startAll(ctx, s)
	path := filepath.Join(opt.Dir, upFile)
	if err == nil {
		// A crash from here on leaves a record that counts for nothing, since the lock ends with the process.
		err = at.record(path)
	}
	if err == nil {
		ready(at)
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
		// BEFORE the parts stop: nobody is to be sent to what is about to end.
		err = errors.Join(err, os.Remove(path))
	}
	if closing := s.Close(); err == nil {
		err = closing
	}
	return err
}

func startAll(ctx context.Context, s Stack) (at Standing, err error) {
	at.PID, at.Since = os.Getpid(), time.Now().UTC().Truncate(time.Second)
	if at.Kafka, err = s.Kafka(ctx); err != nil {
		return at, err
	}
	if at.Postgres, err = s.Postgres(ctx); err != nil {
		return at, err
	}
	if at.S3, err = s.S3(ctx); err != nil {
		return at, err
	}
	at.Registry, err = s.Registry(ctx)
	return at, err
}

func (at Standing) record(path string) error {
	text, err := json.MarshalIndent(at, "", "  ")
	if err != nil {
		return err
	}
	return writeDurably(path, append(text, '\n'))
}

// standing is the use of a stack that another process keeps.
type standing struct {
	at   Standing
	stop chan struct{}
	once sync.Once
	done sync.WaitGroup
}

func useStanding(at Standing, opt EmbeddedOptions) *standing {
	s := &standing{at: at, stop: make(chan struct{})}
	if opt.Failed != nil {
		s.done.Go(func() { s.watch(opt.Dir, opt.Failed) })
	}
	return s
}

func (s *standing) Kafka(context.Context) ([]string, error)  { return s.at.Kafka, nil }
func (s *standing) Postgres(context.Context) (string, error) { return s.at.Postgres, nil }
func (s *standing) S3(context.Context) (S3, error)           { return s.at.S3, nil }
func (s *standing) Registry(context.Context) (string, error) { return s.at.Registry, nil }

// Close leaves the stack as it is.
func (s *standing) Close() error {
	s.once.Do(func() { close(s.stop) })
	s.done.Wait()
	return nil
}

// watch tells when the process that keeps the stack has ended: clients of a broker that is gone would try for ever.
func (s *standing) watch(dir string, failed func(error)) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if pid, err := Holder(dir); err == nil && pid != s.at.PID {
			failed(withHint(fmt.Errorf("the stack that process %d kept in %s has ended", s.at.PID, dir),
				"what was acknowledged is kept; run the command again"))
			return
		}
	}
}
