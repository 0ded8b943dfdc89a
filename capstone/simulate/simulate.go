// Package simulate simulates a trading desk: a seed, a number of trades and a number of days give
// the commands of such a desk, mistakes included. The same seed gives the same commands, to the
// byte.
//
// It is a discrete-event simulation. An agenda holds the coming actions: the close of a day, a new
// deal, a visit to a contract. The first action is done, and may put further ones on the agenda. A
// visit picks one of the moves (moves.go) or mistakes (mistakes.go) that fit the contract. Only
// contracts that can still change are kept, so the memory depends on these and not on the length of
// the book.
//
//	agenda ─┬─ deal ─▶ contract begins ─▶ visits, delivery or expiry ─▶ closed ─▶ late visits
//	        └─ close of the day ─▶ marks, by a random walk in whole ticks
//
// Each command comes with its expected outcome. The desk decides every command on its own model of
// the contract. An outcome that differs from the expected one is a broken invariant, and panics.
package simulate

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// Config is the size of a desk. Days are civil days from From on; the desk works Monday to Friday.
type Config struct {
	Seed   uint64
	Trades int // the contracts that begin by a command; novations and exercises begin further ones
	From   time.Time
	Days   int
}

// A Step is a command and the rule that must refuse it; no rule means that it must be accepted.
type Step struct {
	Command  trade.Command
	WantRule trade.Rule
}

// Book yields the commands of a desk, each entered later than the one before.
func Book(cfg Config) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		d := newDesk(cfg)
		d.yield = yield
		d.run()
	}
}

const day = 24 * time.Hour

// A desk is the state of a simulation.
type desk struct {
	cfg     Config
	rng     *rand.Rand
	markets []*market
	agenda  agenda
	yield   func(Step) bool
	stopped bool // the consumer has stopped
	end     time.Time
	last    time.Time // the time of the last command

	commands, utis int // counters for ids
	workdays       int // the number so far
	dealt, deals   int // planned, and begun
}

func newDesk(cfg Config) *desk {
	cfg.From = cfg.From.UTC().Truncate(day)
	return &desk{
		cfg:     cfg,
		rng:     rand.New(rand.NewPCG(cfg.Seed, 0)),
		markets: markets(),
		end:     cfg.From.AddDate(0, 0, cfg.Days),
	}
}

func (d *desk) run() {
	d.plan(d.cfg.From, d.open)
	for !d.stopped && d.agenda.Len() > 0 {
		next := d.agenda.next()
		next.do(next.at)
	}
}

// open begins a day: it puts the day's deals and its close on the agenda, and the next day.
func (d *desk) open(at time.Time) {
	d.plan(at.Add(day), d.open)
	if weekend(at) {
		return
	}
	d.workdays++
	total := workdays(d.cfg.From, d.end)
	for due := d.cfg.Trades * d.workdays / total; d.dealt < due; d.dealt++ {
		d.plan(d.hour(at), d.deal)
	}
	d.plan(at.Add(17*time.Hour+30*time.Minute), d.close)
}

// enter gives cmd its id and time, checks that it is refused by the rule want, or accepted if there
// is none, and yields it. It reports whether cmd was accepted.
func (d *desk) enter(c *contract, at time.Time, cmd trade.Command, want trade.Rule) bool {
	if d.stopped {
		return false
	}
	d.commands++
	d.last = later(at, d.last)
	cmd.ID = fmt.Sprintf("sim%d-%07d", d.cfg.Seed, d.commands)
	cmd.UTI, cmd.EnteredAt = c.uti, d.last
	decision, err := c.decide(cmd)
	if want == "" && ruleOf(err) == trade.NeedsApprover {
		cmd.Approver = "ops/3"
		decision, err = c.decide(cmd)
	}
	if got := ruleOf(err); got != want {
		panic(fmt.Sprintf("simulate: %s is refused by %q, expected %q: %v\n%+v",
			cmd.ID, got, want, err, cmd))
	}
	if err == nil {
		d.take(c, cmd, decision)
	}
	d.stopped = !d.yield(Step{cmd, want})
	return err == nil
}

// take puts an accepted command and its follow-ups into the model.
func (d *desk) take(c *contract, cmd trade.Command, decision trade.Decision) {
	e := c.record(cmd, decision)
	if cmd.UTI == "" {
		return
	}
	for _, next := range trade.FollowUps(c.uti, c.history, e) {
		child := c.children[next.UTI]
		if child == nil {
			child = d.begun(c, next.UTI)
		}
		decision, err := child.decide(next)
		if err != nil {
			panic(fmt.Sprintf("simulate: a follow-up of %s: %v\n%+v", cmd.ID, err, next))
		}
		d.take(child, next, decision)
	}
}

func ruleOf(err error) trade.Rule {
	var r *trade.Refusal
	if errors.As(err, &r) {
		return r.Rule
	}
	return ""
}

// later returns at, or the first microsecond after last.
func later(at, last time.Time) time.Time {
	if next := last.Add(time.Microsecond); at.Before(next) {
		return next
	}
	return at
}
