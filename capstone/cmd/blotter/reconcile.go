package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// reconcileCmd has the commands about breaks.
type reconcileCmd struct {
	Run    reconcileRunCmd    `cmd:"" help:"Compare the log with all that is derived from it."`
	File   reconcileFileCmd   `cmd:"" help:"Compare trades with a file of confirmations."`
	List   reconcileListCmd   `cmd:"" help:"List the open breaks, with their age and assignee."`
	Assign reconcileAssignCmd `cmd:"" help:"Assign a break to somebody."`
	Accept reconcileAcceptCmd `cmd:"" help:"Resolve a break that stays as it is."`
}

type reconcileRunCmd struct {
	Job   []string `arg:"" optional:"" help:"${reconcile_jobs}" enum:"${reconcile_enum}"`
	Actor string   `help:"The principal that runs it; by default the user of the process."`
}

// Run exits with 1 if a break of the jobs is open, an earlier one included. It compares BEFORE it
// opens the log for writing: a writer mends heads and rebuilds an index that differs.
func (c *reconcileRunCmd) Run(ctx context.Context, a *app) error {
	config := a.config()
	services, err := a.services(config)
	if err != nil {
		return err
	}
	config.Services = services
	names := c.Job
	if len(names) == 0 {
		names = jobNames()
	}
	found, err := a.find(ctx, config, names)
	if err != nil {
		return err
	}
	s, err := a.openAs(ctx, config, session.Write)
	if err != nil {
		return err
	}
	r, err := a.reconciler(ctx, s, c.Actor)
	if err != nil {
		return err
	}
	all := []reconciled{} // never nil: nothing is an empty list
	for i, name := range names {
		done, err := r.run(ctx, name, found[i], nil)
		if err != nil {
			return fmt.Errorf("job %s: %w", name, err)
		}
		all = append(all, done)
	}
	return a.answerReconciled(of(s), all)
}

// find runs jobs over a log that is open for reading only.
func (a *app) find(
	ctx context.Context, config session.Config, names []string,
) (found [][]reconcile.Difference, err error) {
	s, err := session.Open(ctx, config, session.Query)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, name := range names {
		some, err := findIn(ctx, s, name)
		if err != nil {
			return nil, err
		}
		found = append(found, some)
	}
	return found, nil
}

// findIn runs the job of a name.
func findIn(
	ctx context.Context, s *session.Session, name string,
) ([]reconcile.Difference, error) {
	i := slices.IndexFunc(jobs, func(j job) bool { return j.name == name })
	found, err := jobs[i].find(ctx, s)
	if err != nil {
		err = fmt.Errorf("job %s: %w", name, err)
	}
	return found, err
}

type reconcileFileCmd struct {
	Counterparty string `arg:"" help:"The counterparty or exchange that the file comes from."`
	File         string `arg:"" help:"${reconcile_file}"`
	Mirrored     bool   `help:"The file states the sides of the counterparty: its buy is our sell."`
	Actor        string `help:"The principal that runs it; by default the user of the process."`
}

// Run exits with 1 if a break with the counterparty is open, an earlier one included.
func (c *reconcileFileCmd) Run(ctx context.Context, a *app) error {
	file, err := openFile(c.File, "name a file of confirmations")
	if err != nil {
		return err
	}
	defer file.Close()
	fields, theirs, err := reconcile.ReadFile(file, c.Mirrored)
	if err != nil {
		return &usageError{fmt.Sprintf("%s: %v", c.File, err),
			"give CSV with the column uti and others of " +
				strings.Join(reconcile.Columns(), ", ")}
	}
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return err
	}
	r, err := a.reconciler(ctx, s, c.Actor)
	if err != nil {
		return err
	}
	state, _, err := replayed(ctx, r.system)
	if err != nil {
		return err
	}
	job := "file:" + c.Counterparty
	found, err := differences(job, reconcile.TradeRows(state, c.Counterparty, fields), theirs)
	if err != nil {
		return err
	}
	done, err := r.run(ctx, job, found, fields)
	if err != nil {
		return err
	}
	return a.answerReconciled(of(s), []reconciled{done})
}

// differences compares rows that are at hand.
func differences(job string, ours, theirs []reconcile.Row) (all []reconcile.Difference, err error) {
	for d, err := range reconcile.Compare(job, reconcile.Rows(ours), reconcile.Rows(theirs)) {
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// A reconciled job has the counts of its breaks.
type reconciled struct {
	Job      string            `json:"job"`
	Found    int               `json:"found"`    // differences
	Opened   int               `json:"opened"`   // breaks, by this run
	Vanished int               `json:"vanished"` // breaks that this run did not find
	Open     int               `json:"open"`     // breaks
	Breaks   []reconcile.Break `json:"breaks"`   // that are open
}

func (a *app) answerReconciled(c caveat, all []reconciled) error {
	open := int64(0)
	for _, r := range all {
		open += int64(r.Open)
	}
	err := a.answer(c, all, func(w io.Writer) {
		var rows []string
		for _, r := range all {
			rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%d\t%d", r.Job, r.Found, r.Opened,
				r.Vanished, r.Open))
		}
		table(w, "job\tfound\topened\tvanished\topen", rows...)
		for _, r := range all {
			for _, b := range r.Breaks {
				printLine(w, "  %s  %s: %s of %s: ours %q, theirs %q", b.ID, b.Job, b.Field, b.Key,
					b.Ours, b.Theirs)
			}
		}
	})
	if err == nil && open > 0 {
		err = &failure{plural(open, "break") + " open", "look into it, then assign or accept it: " +
			"blotter reconcile list"}
	}
	return err
}

// A reconciler records the steps of breaks.
type reconciler struct {
	system *capstone.System
	codec  *domain.Codec
	actor  string
}

func (a *app) reconciler(
	ctx context.Context, s *session.Session, actor string,
) (r reconciler, err error) {
	r.system, r.actor = s.System(), actor
	if actor == "" {
		r.actor = localPrincipal().Name
	}
	if !trade.Principals.Has(r.actor) {
		return r, &usageError{fmt.Sprintf("actor %q is no principal", r.actor),
			"a principal has " + trade.Principals.Want}
	}
	r.codec, err = s.Domain(ctx)
	return r, err
}

// run records the breaks of a job that compared fields; nil: all. A crash between two appends
// leaves the rest to the next run.
func (r reconciler) run(
	ctx context.Context, job string, found []reconcile.Difference, fields []string,
) (done reconciled, err error) {
	breaks, err := breaksOf(ctx, r.system.Log)
	if err != nil {
		return done, err
	}
	done = reconciled{Job: job, Found: len(found)}
	for _, step := range breaks.Run(job, found, fields) {
		if _, opens := step.Body.(reconcile.Opened); opens {
			done.Opened++
		} else {
			done.Vanished++
		}
		if err := r.record(ctx, breaks, step, "reconciliation of "+job); err != nil {
			return done, err
		}
	}
	done.Breaks = breaks.List(func(b reconcile.Break) bool {
		return b.Job == job && b.State == reconcile.Open
	})
	done.Open = len(done.Breaks)
	return done, nil
}

// record appends the event of a step, and evolves the breaks by it. If another process took a step
// of the same break first, the command fails, and its next run sees that step.
func (r reconciler) record(
	ctx context.Context, breaks *reconcile.Breaks, step reconcile.Step, reason string,
) error {
	now, err := r.system.Now(ctx)
	if err != nil {
		return err
	}
	stream := reconcile.StreamOf(step.ID)
	event, err := r.codec.Event(ctx, stream, 0, domain.Entry{
		CommandID: fmt.Sprintf("%s/%d", stream, step.Version+1), Actor: r.actor, Reason: reason,
		Source: "reconcile", EnteredAt: now.Known,
	}, step.Body)
	if err != nil {
		return err
	}
	receipts, err := r.system.Log.Append(contract.At(ctx, now.Known), stream, step.Version, event)
	var conflict *contract.ConflictError
	if errors.As(err, &conflict) {
		return &outage{fmt.Sprintf("break %s: another process took a step: %v", step.ID, err),
			"run the command again"}
	}
	if err != nil {
		return err
	}
	breaks.Evolve(reconcile.Entry{Stream: stream, Version: receipts[0].Version,
		At: receipts[0].RecordedAt, Actor: r.actor, Reason: reason, Body: step.Body})
	return nil
}

// breaksOf folds the breaks of a log.
func breaksOf(ctx context.Context, log contract.Store) (*reconcile.Breaks, error) {
	breaks := new(reconcile.Breaks)
	end, err := log.End(ctx)
	if err != nil {
		return nil, err
	}
	for r, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		if !reconcile.IsBreak(r.Stream) {
			continue
		}
		body, err := breakBody(r)
		if err != nil {
			return nil, err
		}
		breaks.Evolve(reconcile.Entry{Stream: r.Stream, Version: r.Version, At: r.RecordedAt,
			Actor: r.Actor, Reason: r.Reason, Body: body})
	}
	return breaks, nil
}

func breakBody(r contract.Recorded) (domain.Body, error) {
	switch r.Type {
	case reconcile.Opened{}.EventType():
		return domain.Decode[reconcile.Opened](r)
	case reconcile.Assigned{}.EventType():
		return domain.Decode[reconcile.Assigned](r)
	}
	return domain.Decode[reconcile.Resolved](r)
}

type reconcileListCmd struct {
	Job string `help:"Only breaks of this job, such as model or file:ACME."`
	All bool   `help:"Also breaks that are resolved."`
}

// A listedBreak is a break with its age.
type listedBreak struct {
	reconcile.Break
	Age float64 `json:"age_seconds"`
}

func (c *reconcileListCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	used, err := s.System().Now(ctx)
	if err != nil {
		return err
	}
	breaks, err := breaksOf(ctx, s.Log)
	if err != nil {
		return err
	}
	list := []listedBreak{} // never nil: nothing is an empty list
	for _, b := range breaks.List(func(b reconcile.Break) bool {
		return (c.All || b.State == reconcile.Open) && (c.Job == "" || c.Job == b.Job)
	}) {
		list = append(list, listedBreak{b, b.Age(used.Known).Seconds()})
	}
	return a.answer(of(s).with(used), list, func(w io.Writer) {
		var rows []string
		for _, b := range list {
			rows = append(rows, strings.Join([]string{b.ID, b.Job, b.Key, b.Field, b.Ours, b.Theirs,
				b.State, span(b.Age), b.Assignee}, "\t"))
		}
		table(w, "break\tjob\tkey\tfield\tours\ttheirs\tstate\tage\tassignee", rows...)
	})
}

type reconcileAssignCmd struct {
	Break string `arg:"" help:"The id of the break."`
	To    string `required:"" help:"The principal who shall look into it."`
	Actor string `required:"" help:"The principal who assigns it."`
}

func (c *reconcileAssignCmd) Run(ctx context.Context, a *app) error {
	if !trade.Principals.Has(c.To) {
		return &usageError{fmt.Sprintf("--to %q is no principal", c.To),
			"a principal has " + trade.Principals.Want}
	}
	return a.step(ctx, c.Break, c.Actor, "assigned to "+c.To,
		func(b *reconcile.Breaks) (reconcile.Step, error) { return b.Assign(c.Break, c.To) })
}

type reconcileAcceptCmd struct {
	Break  string `arg:"" help:"The id of the break."`
	Actor  string `required:"" help:"The principal who accepts it."`
	Reason string `required:"" help:"The reason why it stays as it is."`
}

func (c *reconcileAcceptCmd) Run(ctx context.Context, a *app) error {
	return a.step(ctx, c.Break, c.Actor, c.Reason,
		func(b *reconcile.Breaks) (reconcile.Step, error) { return b.Accept(c.Break) })
}

// step decides and records a step of one break.
func (a *app) step(
	ctx context.Context, id, actor, reason string,
	decide func(*reconcile.Breaks) (reconcile.Step, error),
) error {
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return err
	}
	r, err := a.reconciler(ctx, s, actor)
	if err != nil {
		return err
	}
	breaks, err := breaksOf(ctx, s.Log)
	if err != nil {
		return err
	}
	step, err := decide(breaks)
	if err != nil {
		return err
	}
	if err := r.record(ctx, breaks, step, reason); err != nil {
		return err
	}
	now := breaks.List(func(b reconcile.Break) bool { return b.ID == id })[0]
	return a.answer(of(s), now, func(w io.Writer) {
		printLine(w, "break %s is %s, assigned to %s", id, now.State,
			cmp.Or(now.Assignee, "nobody"))
	})
}

// reconcileAll runs all jobs over the session of a service, and returns the number of open breaks.
// A job that fails does not stop the others.
func (a *app) reconcileAll(s *session.Session) func(context.Context) (int, error) {
	return func(ctx context.Context) (open int, err error) {
		view := s.View()
		defer view.Close()
		r, err := a.reconciler(ctx, view, "")
		if err != nil {
			return 0, err
		}
		var failures []error
		for _, name := range jobNames() {
			found, err := findIn(ctx, view, name)
			var done reconciled
			if err == nil {
				done, err = r.run(ctx, name, found, nil)
			}
			failures = append(failures, err)
			open += done.Open
		}
		return open, errors.Join(failures...)
	}
}
