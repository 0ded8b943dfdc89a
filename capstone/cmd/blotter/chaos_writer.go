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
	kafkastore "example.com/blotter/solutions/2-store/kafka"
	postgresstore "example.com/blotter/solutions/2-store/postgres"
)

// A chaosCrew opens the log that is disturbed: as a writer in a process of its own, and as who looks on.
type chaosCrew struct {
	Store      string
	Brokers    []string
	DSN        string
	Registry   string
	Name       logName
	Partitions int32
	Dir        string // of all machines' index files
	Machine    string // a folder in it
	Address    string
}

// chaosEnv tells a writer process what it is to open. It may hold a password, so it is no argument, which others could see.
const chaosEnv = "BLOTTER_CHAOS_WRITER"

func newChaosCrew(ctx context.Context, a *app) (c *chaosCrew, err error) {
	c = &chaosCrew{Store: a.cli.Store, Name: a.settings.Name, Partitions: a.settings.Partitions, Dir: filepath.Join(a.cli.Data, "index")}
	if c.Store == "postgres" {
		c.DSN, err = a.stack.Postgres(ctx)
		return c, err
	}
	if c.Brokers, err = a.stack.Kafka(ctx); err != nil {
		return nil, err
	}
	c.Registry, err = a.stack.Registry(ctx)
	return c, err
}

// launch starts this very program once more.
func (c *chaosCrew) launch(address, machine string) (chaos.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	as := *c
	as.Address, as.Machine = address, machine
	what, err := json.Marshal(as)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "chaos-writer")
	cmd.Env = append(os.Environ(), chaosEnv+"="+string(what))
	return chaos.Spawn(cmd)
}

func (c *chaosCrew) reader(ctx context.Context) (chaos.Log, error) {
	as := *c
	as.Address = "feed"
	return as.open(ctx, true)
}

const lastAddress = "last"

// last opens the log with the index that the first writer left, which is behind, or half written.
func (c *chaosCrew) last(ctx context.Context) (chaos.Log, error) {
	as := *c
	as.Address, as.Machine = lastAddress, "writer-1.0"
	return as.open(ctx, false)
}

// commitTimeout is how long a writer waits for the broker. The broker gives a transaction four times as long, and at least 10 s.
const commitTimeout = 2500 * time.Millisecond

func (c *chaosCrew) open(ctx context.Context, readOnly bool) (chaos.Log, error) {
	level := slog.LevelWarn
	if c.Address == lastAddress {
		level = slog.LevelError // that an index has to be made anew is what it is there to try
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	clock := func(context.Context) time.Time { return time.Now() }
	if c.Store == "postgres" {
		return postgresstore.Open(ctx, postgresstore.Options{DSN: c.DSN, Schema: c.Name.logSchema(), Clock: clock, ReadOnly: readOnly, Log: log})
	}
	registry, err := openRegistry(c.Registry)
	if err != nil {
		return nil, err
	}
	heads, err := openCodec(ctx, registry, c.Name.topics())
	if err != nil {
		return nil, err
	}
	opts := kafkastore.Options{
		Brokers: c.Brokers, Prefix: c.Name.topics(), Partitions: c.Partitions, Clock: clock, Heads: heads,
		Address: c.Address, ReadOnly: readOnly, Timeout: commitTimeout, Unwritten: 64, Log: log,
	}
	if !readOnly {
		opts.Dir = filepath.Join(c.Dir, c.Machine)
	}
	return kafkastore.Open(ctx, opts)
}

type chaosWriterCmd struct{}

// Run is a writer. It ends when its standard input does.
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
		return nil, &usageError{fmt.Sprintf("%s does not say what to write: %v", chaosEnv, err), "this is a part of: blotter chaos"}
	}
	return c.open(ctx, false)
}
