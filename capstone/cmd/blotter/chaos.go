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
	"example.com/blotter/labs/kit/stack/containers"
)

type chaosCmd struct {
	Seed    uint64        `help:"Of the operations and the faults; the same seed gives the same ones, at about the same distance. 0 draws one, which is printed."`
	Kills   int           `help:"How often a writer is killed (SIGKILL). For every 25 kills, and at least once, one is stalled (SIGSTOP, SIGCONT), one is replaced while it stands still and, where the stack can do that, the broker or database is killed." default:"50"`
	Writers int           `help:"How many processes write." default:"3"`
	Clients int           `help:"How many clients ask them, each one thing after the other." default:"8"`
	Hold    time.Duration `help:"How long a stalled writer stands still, at the least. Its transactions time out after 10 s." default:"11s"`
	History string        `help:"Write the history of the run there, as JSON Lines; without it, a history that fails is written beside other temporary files." placeholder:"FILE"`
	Judge   string        `help:"Run nothing: judge the history in this file." placeholder:"FILE" xor:"judge"`
	Limit   time.Duration `help:"How long to look for an order of what was done to one stream; what takes longer is called undecided." default:"1m"`
}

// Run disturbs writers of a new log, in a temporary folder, and judges what they did.
func (c *chaosCmd) Run(ctx context.Context, a *app) error {
	if c.Judge != "" {
		return c.again(a)
	}
	if c.Kills < 0 || c.Writers < 1 || c.Clients < 1 {
		return &usageError{"--writers and --clients are at least 1, and --kills at least 0", "see: blotter chaos --help"}
	}
	if c.Seed == 0 {
		c.Seed = drawn()
	}
	crew, err := c.prepare(ctx, a)
	if err != nil {
		return err
	}
	began, progress := time.Now(), a.progress("faults")
	fmt.Fprintf(a.stderr, "%d writers and %d clients on the %s stack, in the %s store; seed %d\n", c.Writers, c.Clients, a.cli.Stack, a.where(), c.Seed)
	entries, err := chaos.Do(ctx, chaos.Options{
		Run:  chaos.Run{Store: a.cli.Store, Stack: a.cli.Stack, Seed: c.Seed, Writers: c.Writers, Clients: c.Clients, Kills: c.Kills, Owned: a.cli.Store == "kafka"},
		Hold: c.Hold, Launch: crew.launch, Read: crew.reader, Last: crew.last, Interrupt: a.interrupter(),
		Step: func(what string) {
			progress.clear()
			fmt.Fprintf(a.stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), what)
		},
		Struck: func() { progress.add() },
	})
	progress.clear()
	if err != nil {
		path, writing := c.keep(entries)
		return errors.Join(&failure{fmt.Sprintf("the run did not come to its end: %v", err), fmt.Sprintf("what was done until then is in %s; again: %s", path, c.command(a))}, writing)
	}
	fmt.Fprintf(a.stderr, "%6.1fs  judging\n", time.Since(began).Seconds())
	return c.judge(a, entries)
}

// drawn is a seed that a person can type.
func drawn() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return 1 + binary.BigEndian.Uint64(b[:])%1_000_000
}

// prepare makes the log's folder and has the stack start what the store needs.
func (c *chaosCmd) prepare(ctx context.Context, a *app) (*chaosCrew, error) {
	dir, err := os.MkdirTemp("", "blotter-chaos-")
	if err != nil {
		return nil, err
	}
	a.onClose(func() error { return os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // the database may run as another user, who has to pass through
		return nil, err
	}
	a.cli.Data, a.temporary = dir, true
	if a.cli.Stack == "external" {
		a.cli.Name = "chaos-" + strings.ToLower(rand.Text()[:8]) // a log of its own
	}
	if err := a.begin(false); err != nil {
		return nil, err
	}
	if err := a.openStack(); err != nil {
		return nil, err
	}
	return newChaosCrew(ctx, a)
}

// interrupter kills what the store rests on and starts it again; nil where the stack cannot.
func (a *app) interrupter() func(context.Context) error {
	s, ok := a.stack.(*containers.Stack)
	if !ok {
		return nil
	}
	part := containers.Kafka
	if a.cli.Store == "postgres" {
		part = containers.Postgres
	}
	return func(ctx context.Context) error {
		if err := s.Kill(ctx, part); err != nil {
			return err
		}
		return s.Start(ctx, part)
	}
}

// again judges a history that was kept.
func (c *chaosCmd) again(a *app) error {
	f, err := open(c.Judge)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := chaos.ReadHistory(f)
	if err != nil {
		return &usageError{fmt.Sprintf("%s is no history: %v", c.Judge, err), "one is written by: blotter chaos --history FILE"}
	}
	return c.judge(a, entries)
}

func (c *chaosCmd) judge(a *app, entries []chaos.Entry) error {
	v := chaos.Judge(entries, c.Limit)
	if err := a.answer(v, func(w io.Writer) { showVerdict(w, v) }); err != nil {
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
			return errors.Join(c.picture(entries, violation.Stream, path+".html"), c.verdict(a, v, path, path+".html shows the stream; "))
		}
	}
	return c.verdict(a, v, path, "")
}

// verdict is the failure of a history that does not hold, or of which that is not known.
func (c *chaosCmd) verdict(a *app, v chaos.Verdict, path, more string) error {
	hint := fmt.Sprintf("%sjudge it again: blotter chaos --judge %s", more, path)
	if c.Judge == "" {
		hint += "; do the same again: " + c.command(a)
	}
	if len(v.Violations) > 0 {
		return &failure{fmt.Sprintf("%s: %s", plural(int64(len(v.Violations)), "violation"), v.Violations[0]), hint}
	}
	return &failure{fmt.Sprintf("unknown: %s could not be decided within %v each", plural(int64(len(v.Undecided)), "stream"), c.Limit), "give more time: --limit; " + hint}
}

// command is what does the same again.
func (c *chaosCmd) command(a *app) string {
	return fmt.Sprintf("blotter --stack %s --store %s --partitions %d chaos --seed %d --kills %d --writers %d --clients %d --hold %v",
		a.cli.Stack, a.cli.Store, a.cli.Partitions, c.Seed, c.Kills, c.Writers, c.Clients, c.Hold)
}

// keep writes the history, and says where.
func (c *chaosCmd) keep(entries []chaos.Entry) (string, error) {
	path := cmp.Or(c.History, filepath.Join(os.TempDir(), fmt.Sprintf("blotter-chaos-%s-%d.jsonl", entries[0].Run.Store, c.Seed)))
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

func showVerdict(w io.Writer, v chaos.Verdict) {
	fmt.Fprintf(w, "%s on the %s stack: %d writers, %d clients, seed %d\n", v.Run.Store, v.Run.Stack, v.Run.Writers, v.Run.Clients, v.Run.Seed)
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
		fmt.Fprintf(w, "  verdict    unknown: %s undecided\n", plural(int64(len(v.Undecided)), "stream"))
	default:
		fmt.Fprintln(w, "  verdict    linearizable; nothing acknowledged is lost, no batch is half there, nothing is there or was fed twice")
	}
}
