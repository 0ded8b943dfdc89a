package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"example.com/blotter/capstone/chaos"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	kafkastore "example.com/blotter/solutions/2-store/kafka"
)

// A chaosCrew opens the disturbed log: as a writer in a process of its own, or as a reader.
type chaosCrew struct {
	Store      string
	Endpoint   session.Endpoint
	Name       logdir.Name
	Partitions int32
	Dir        string // of the index files of all machines
	Machine    string // a folder in Dir
	Address    string
}

// chaosEnv holds the crew of a writer process. It may contain a password: arguments can be seen by
// other users.
const chaosEnv = "BLOTTER_CHAOS_WRITER"

// launch starts this program again, as a writer.
func (c *chaosCrew) launch(address, machine string) (chaos.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(c.as(address, machine))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "chaos-writer")
	cmd.Env = append(os.Environ(), chaosEnv+"="+string(text))
	return chaos.Spawn(cmd)
}

// as returns the crew for another process.
func (c chaosCrew) as(address, machine string) *chaosCrew {
	c.Address, c.Machine = address, machine
	return &c
}

func (c *chaosCrew) reader(ctx context.Context) (chaos.Log, error) {
	return c.as("feed", "").open(ctx, true)
}

const lastAddress = "last"

// last opens the log with the index files of the first writer, which are incomplete or damaged. A
// service keeps its index files elsewhere: after services, the index begins empty.
func (c *chaosCrew) last(ctx context.Context) (chaos.Log, error) {
	return c.as(lastAddress, "writer-1.0").open(ctx, false)
}

// commitTimeout is how long a writer waits for the broker. The broker allows a transaction four
// times as long, and at least 10 s.
const commitTimeout = 2500 * time.Millisecond

func (c *chaosCrew) open(ctx context.Context, readOnly bool) (chaos.Log, error) {
	level := slog.LevelWarn
	if c.Address == lastAddress {
		level = slog.LevelError // it tests damaged index files: no warning about them
	}
	store, err := session.StoreOf(c.Store)
	if err != nil {
		return nil, err
	}
	o := session.LogOptions{
		Name: c.Name, Partitions: c.Partitions, Address: c.Address, ReadOnly: readOnly,
		Timeout: commitTimeout, Unwritten: 64,
		Clock: func(context.Context) time.Time { return time.Now() },
		Log:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
	if !readOnly {
		o.Dir = filepath.Join(c.Dir, c.Machine)
	}
	return store.Open(ctx, c.Endpoint, o)
}

type chaosWriterCmd struct{}

// Run is a writer. It ends with its standard input.
func (chaosWriterCmd) Run(ctx context.Context) error {
	log, err := openAsWriter(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	return chaos.Serve(ctx, log, os.Stdin, os.Stdout, kafkastore.ErrUnknownOutcome)
}

func openAsWriter(ctx context.Context) (chaos.Log, error) {
	var c chaosCrew
	if err := json.Unmarshal([]byte(os.Getenv(chaosEnv)), &c); err != nil {
		return nil, &usageError{fmt.Sprintf("%s does not describe a log: %v", chaosEnv, err),
			"run blotter chaos, which calls this command"}
	}
	return c.open(ctx, false)
}
