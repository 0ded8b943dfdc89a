package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/blotter/capstone/chaos"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/stack/containers"
)

type chaosCmd struct {
	Seed    uint64        `help:"${chaos_seed}"`
	Kills   int           `help:"${chaos_kills}" default:"50"`
	Writers int           `help:"Number of processes that write." default:"3"`
	Clients int           `help:"Number of clients, each with one operation at a time." default:"8"`
	Hold    time.Duration `help:"${chaos_hold}" default:"11s"`
	Brokers int           `help:"${chaos_brokers}" default:"1"`
	Serve   bool          `help:"${chaos_serve}"`
	History string        `help:"${chaos_history}" placeholder:"FILE"`
	Judge   string        `help:"Run nothing: judge this history." placeholder:"FILE" xor:"judge"`
	Limit   time.Duration `help:"${chaos_limit}" default:"1m"`
}

// Run disturbs the writers of a new log in a temporary folder, and judges the history.
func (c *chaosCmd) Run(ctx context.Context, a *app) error {
	if c.Judge != "" {
		return c.judgeFile(a)
	}
	if c.Kills < 0 || c.Writers < 1 || c.Clients < 1 {
		return &usageError{"--writers and --clients must be at least 1, and --kills at least 0",
			"see: blotter chaos --help"}
	}
	if c.Brokers < 1 || c.Brokers > 1 && (a.cli.Stack != "containers" || a.cli.Store != "kafka") {
		return &usageError{"several brokers need --stack containers and --store kafka",
			"see: blotter chaos --help"}
	}
	if c.Serve && a.cli.Store != "kafka" {
		return &usageError{"services share the partitions of a log in Kafka",
			"add --store kafka"}
	}
	if c.Seed == 0 {
		c.Seed = drawSeed()
	}
	o, err := c.prepare(ctx, a)
	if err != nil {
		return err
	}
	began := time.Now()
	add, counted := a.progress.counting("faults", 0, 0)
	o.Step = func(step string) {
		fmt.Fprintf(a.stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), step)
	}
	o.OnFault = func() { add(1, 0) }
	fmt.Fprintf(a.stderr, "%d writers and %d clients on the %s stack, in the %s store; seed %d\n",
		c.Writers, c.Clients, a.cli.Stack, describeStore(*a.newLog(false)), c.Seed)
	entries, err := chaos.Do(ctx, o)
	counted()
	if err != nil {
		path, writing := c.keep(entries)
		return errors.Join(&outage{fmt.Sprintf("the run stopped early: %v", err),
			fmt.Sprintf("its history is in %s; run it again: %s", path, c.command(a))}, writing)
	}
	fmt.Fprintf(a.stderr, "%6.1fs  judging\n", time.Since(began).Seconds())
	return c.judge(a, entries)
}

// drawSeed returns a seed that a person can type.
func drawSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return 1 + binary.BigEndian.Uint64(b[:])%1_000_000
}

// prepare creates a folder for the log and starts the parts of the stack that the store needs.
func (c *chaosCmd) prepare(ctx context.Context, a *app) (o chaos.Options, err error) {
	if err := a.temporaryFolder("blotter-chaos-"); err != nil {
		return o, err
	}
	if a.cli.Stack == "external" {
		a.cli.Name = "chaos-" + strings.ToLower(rand.Text()[:8]) // a log of its own
	}
	config := a.config()
	config.New, config.Temporary, config.Brokers = a.newLog(false), true, c.Brokers
	dir, err := config.Folder()
	if err != nil {
		return o, err
	}
	services, err := session.OpenStack(config)
	if err != nil {
		return o, err
	}
	a.onClose(services.Close)
	store, err := session.StoreOf(a.cli.Store)
	if err != nil {
		return o, err
	}
	at, err := store.Reach(ctx, services)
	if err == nil && store.Owned { // owners write heads
		at.Registry, err = services.Registry(ctx)
	}
	crew := &chaosCrew{
		Store: store.Name, Endpoint: at, Dir: dir.Index(),
		Name: dir.Settings().Name, Partitions: dir.Settings().Partitions,
	}
	o = chaos.Options{
		Run: chaos.Run{
			Store: store.Name, Stack: a.cli.Stack, Seed: c.Seed, Writers: c.Writers,
			Clients: c.Clients, Kills: c.Kills, Owned: store.Owned, Services: c.Serve,
		},
		Hold: c.Hold, Launch: crew.launch, Read: crew.reader, Last: crew.last,
		Interrupt: c.interrupter(a, services, store, at),
	}
	if err == nil && c.Serve {
		err = crew.serve(ctx, a, services, &o)
	}
	return o, err
}

// interrupter returns a function that kills the component of the stack that holds the log and
// starts it again; nil where the stack cannot do that. Of several brokers it kills one after the
// other, and each stays away as long as a stalled writer.
func (c *chaosCmd) interrupter(
	a *app, services *session.Stack, store session.Store, at session.Endpoint,
) func(context.Context) error {
	s, ok := services.Stack.(*containers.Stack)
	if !ok {
		return nil
	}
	if c.Brokers == 1 {
		component := containers.Component(store.Component)
		return func(ctx context.Context) error {
			if err := s.Kill(ctx, component); err != nil {
				return err
			}
			return s.Start(ctx, component)
		}
	}
	victim := 0
	return func(ctx context.Context) error {
		name := s.Brokers()[victim]
		victim = (victim + 1) % c.Brokers
		return c.withoutBroker(ctx, a, s, at.Kafka, name)
	}
}

// judgeFile judges the history of an earlier run.
func (c *chaosCmd) judgeFile(a *app) error {
	f, err := openInput(c.Judge)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := chaos.ReadHistory(f)
	if err != nil {
		return &usageError{fmt.Sprintf("%s is not a history: %v", c.Judge, err),
			"write one with: blotter chaos --history FILE"}
	}
	return c.judge(a, entries)
}

func (c *chaosCmd) judge(a *app, entries []chaos.Entry) error {
	v := chaos.Judge(entries, c.Limit)
	if err := a.answer(caveat{}, v, func(w io.Writer) { printVerdict(w, v) }); err != nil {
		return err
	}
	failed := len(v.Violations) + len(v.Undecided)
	path := c.Judge
	if path == "" && (c.History != "" || failed > 0) {
		var err error
		if path, err = c.keep(entries); err != nil {
			return err
		}
	}
	if failed == 0 {
		return nil
	}
	for _, violation := range v.Violations {
		if violation.Rule == chaos.Linearizable {
			return errors.Join(c.picture(entries, violation.Stream, path+".html"),
				c.failed(a, v, path, path+".html shows the stream; "))
		}
	}
	return c.failed(a, v, path, "")
}

// failed is the failure of a history that breaks a rule, or that could not be decided.
func (c *chaosCmd) failed(a *app, v chaos.Verdict, path, more string) error {
	hint := fmt.Sprintf("%sjudge it again: blotter chaos --judge %s", more, path)
	if c.Judge == "" {
		hint += "; run it again: " + c.command(a)
	}
	if n := len(v.Violations); n > 0 {
		return &failure{fmt.Sprintf("%s: %s", plural(int64(n), "violation"), v.Violations[0]), hint}
	}
	undecided := plural(int64(len(v.Undecided)), "stream")
	return &outage{
		fmt.Sprintf("unknown: %s could not be decided within %v each", undecided, c.Limit),
		"allow more time with --limit; " + hint}
}

// command returns the command line of the same run.
func (c *chaosCmd) command(a *app) string {
	command := fmt.Sprintf("blotter --stack %s --store %s --partitions %d "+
		"chaos --seed %d --kills %d --writers %d --clients %d --hold %v",
		a.cli.Stack, a.cli.Store, a.cli.Partitions, c.Seed, c.Kills, c.Writers, c.Clients, c.Hold)
	if c.Serve {
		command += " --serve"
	}
	if c.Brokers > 1 {
		command += fmt.Sprintf(" --brokers %d", c.Brokers)
	}
	return command
}

// keep writes the history and returns its path.
func (c *chaosCmd) keep(entries []chaos.Entry) (string, error) {
	path := cmp.Or(c.History, filepath.Join(os.TempDir(),
		fmt.Sprintf("blotter-chaos-%s-%d.jsonl", entries[0].Run.Store, c.Seed)))
	f, err := os.Create(path)
	if err != nil {
		return path, err
	}
	return path, errors.Join(chaos.WriteHistory(f, entries), f.Close())
}

func (c *chaosCmd) picture(entries []chaos.Entry, stream, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(chaos.Picture(entries, stream, c.Limit, f), f.Close())
}

func printVerdict(w io.Writer, v chaos.Verdict) {
	fmt.Fprintf(w, "%s on the %s stack: %d writers, %d clients, seed %d\n",
		v.Run.Store, v.Run.Stack, v.Run.Writers, v.Run.Clients, v.Run.Seed)
	v.Counts.Show(w, v.Run)
	const most = 20
	for i, violation := range v.Violations {
		if i == most {
			fmt.Fprintf(w, "  and %d more\n", len(v.Violations)-most)
			break
		}
		fmt.Fprintf(w, "  violation  %s\n", violation)
	}
	switch {
	case len(v.Violations) > 0:
		fmt.Fprintln(w, "  verdict    violated")
	case len(v.Undecided) > 0:
		fmt.Fprintf(w, "  verdict    unknown: %s undecided\n",
			plural(int64(len(v.Undecided)), "stream"))
	default:
		fmt.Fprintln(w, "  verdict    linearizable; no acknowledged event is lost, "+
			"no batch is incomplete, no event is recorded or fed twice")
	}
}
