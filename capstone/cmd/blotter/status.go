package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	audit "example.com/blotter/solutions/5-audit"
)

type statusCmd struct{}

// A status is the state of a stack and its log. A part that was not examined is nil or left out.
type status struct {
	Well bool `json:"well"`
	serve.Health
	Stack      stackStatus    `json:"stack"`
	Log        *logStatus     `json:"log,omitempty"`
	Lag        []lag          `json:"lag,omitempty"`
	Snapshot   *lastSnapshot  `json:"snapshot,omitempty"`
	AtRest     []bucketAtRest `json:"at_rest,omitempty"`
	Checkpoint *lastSealed    `json:"checkpoint,omitempty"`
	Index      *indexStatus   `json:"index,omitempty"`
	FollowUps  *followUpCount `json:"follow_ups,omitempty"`
	Parked     []parkedStream `json:"parked,omitempty"`
	Stale      []string       `json:"stale,omitempty"`           // rows of parked streams
	Drift      []string       `json:"drift,omitempty"`           // of the log's protection
	Strays     []string       `json:"strays,omitempty"`          // events that no append wrote
	Faults     []string       `json:"snapshot_faults,omitempty"` // log and archive disagree
	Problem    string         `json:"problem,omitempty"`         // why the rest is missing
	served     bool           // a service answers
	hint       string         // the way past a problem; empty if unknown
	away       bool           // the problem is an outage
}

type bucketAtRest = session.BucketAtRest

type stackStatus struct {
	Kind  string       `json:"kind"`
	Kept  int          `json:"process,omitempty"` // the process that keeps it running
	Parts []partStatus `json:"parts"`
	parts []serve.Part
}

type partStatus struct {
	Name    string  `json:"name"`
	At      string  `json:"at,omitempty"`
	Millis  float64 `json:"ms"`
	Problem string  `json:"problem,omitempty"`
}

type logStatus struct {
	Name       logdir.Name     `json:"name"`
	Store      string          `json:"store"`
	Partitions int             `json:"partitions"`
	Events     int64           `json:"events"`
	Claimed    int64           `json:"claimed"` // events whose actor did not sign in
	Last       *time.Time      `json:"last_recorded_at,omitempty"`
	Ends       contract.Cursor `json:"ends"`
	Writer     int             `json:"process,omitempty"` // the process that writes it now
	simulated  bool
}

type lastSnapshot struct {
	Name      string    `json:"name"`
	Taken     time.Time `json:"taken_at"`
	Destroyed string    `json:"destroyed_by,omitempty"` // the event with the certificate
}

type lastSealed struct {
	Origin     string     `json:"origin"`
	Size       int64      `json:"size"`
	Published  *time.Time `json:"published_at,omitempty"` // by the archive's clock
	Unanchored int64      `json:"unanchored"`

	Witnesses   []audit.Cosignature `json:"witnesses,omitempty"`
	Unwitnessed string              `json:"unwitnessed,omitempty"` // why they are no quorum

	Lost  int64  `json:"lost,omitempty"`  // size of a later one that the archive lost
	Begun string `json:"begun,omitempty"` // without a checkpoint: why a seal must have begun

	// Foreign has the objects at the end of the archive that the log's key did not sign.
	Foreign []foreignObject `json:"foreign,omitempty"`
}

// auditLag is the name of the reader that seals.
const auditLag = "audit"

// An indexStatus is the state of the index files. Files that are not used are no problem: the next
// writer rebuilds them. Files that differ from the log were changed.
type indexStatus struct {
	Differs bool   `json:"differs"`
	Unused  string `json:"unused,omitempty"` // why the files are not used; empty if they are
}

// Run examines everything. Without a kept stack it starts the embedded one for that time. It
// creates nothing: a stack without a log is well.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	config := a.config()
	dir, opening := config.Folder()
	if none := new(logdir.NoLogError); opening != nil && !errors.As(opening, &none) {
		return opening
	}
	services, err := a.services(config)
	if err != nil {
		return err
	}
	config.Services, config.AcceptLoss = services, true
	s := status{Stack: a.stackStatus(ctx, services)}
	s.Well, s.away = s.Stack.well(), !s.Stack.well()
	switch {
	case opening != nil:
		s.Problem = opening.Error()
	case s.Well:
		if err := a.examine(ctx, &s, dir, config); err != nil {
			s.Well, s.Problem, s.hint = false, err.Error(), hintOf(err)
			s.away = exitCode(err) == unable
		}
	}
	s.takeHealth(ctx, a.health)
	caveat := caveat{simulated: opening == nil && dir.Settings().Simulated}
	err = a.answer(caveat, s, func(w io.Writer) { printStatus(w, s, time.Now()) })
	return firstOf(err, s.verdict())
}

func (s status) verdict() error {
	if s.Well {
		return nil
	}
	hint := cmp.Or(s.hint, "see the lines above")
	if s.away {
		return &outage{"a part is away", hint}
	}
	return &failure{"something is wrong", hint}
}

func (a *app) stackStatus(ctx context.Context, services *session.Stack) stackStatus {
	s := stackStatus{Kind: a.cli.Stack}
	at, up, err := stack.FindKept(logdir.StackDir(a.cli.Data))
	if err == nil && up && a.cli.Stack == "embedded" {
		s.Kept = at.PID
	}
	for _, h := range stack.Check(ctx, services) {
		p := partStatus{Name: h.Component, At: h.Address,
			Millis: float64(h.Took.Microseconds()) / 1000}
		if h.Err != nil {
			p.Problem = h.Err.Error()
		}
		s.Parts, s.parts = append(s.Parts, p), append(s.parts, stackPart(h))
	}
	return s
}

// takeHealth takes the health that a service also gives at /readyz, with its work. Without a
// service the parts are those that were examined. A part of a service that is not well is a fault.
func (s *status) takeHealth(ctx context.Context, of func(context.Context) serve.Health) {
	if of == nil {
		s.Health = serve.Ready(append(s.Stack.parts, s.logParts()...))
		return
	}
	s.served, s.Health = true, of(ctx)
	if slices.ContainsFunc(s.Parts, func(p serve.Part) bool { return !p.Well }) {
		s.Well, s.away = false, s.away || !s.Ready
	}
}

// logParts returns the parts of a log that no service owns, by the names that a service has.
func (s *status) logParts() []serve.Part {
	if s.Log == nil || s.Problem != "" {
		return []serve.Part{{Name: "log", Well: s.Well, Away: s.away,
			Reason: cmp.Or(s.Problem, "not examined: a part of the stack is away")}}
	}
	faults := slices.Concat(s.Drift, s.Strays)
	if s.Index != nil && s.Index.Differs {
		faults = append(faults, s.Index.Unused)
	}
	all := []serve.Part{{Name: "log", Well: len(faults) == 0,
		Reason: cmp.Or(append(faults, plural(s.Log.Events, "event"))...)}}
	if s.FollowUps != nil {
		all = append(all, serve.Part{Name: "follow-ups", Well: len(s.FollowUps.Orphans) == 0,
			Reason: followUpLine(s.FollowUps)})
	}
	for _, l := range s.Lag {
		if l.Of != auditLag {
			all = append(all, serve.Part{Name: "read model " + l.Of, Well: l.Ahead == "",
				Reason: l.line()})
		}
	}
	seal := serve.Part{Name: "seal", Well: true, Reason: "it has not sealed yet"}
	if c := s.Checkpoint; c != nil {
		seal.Well = c.fault() == ""
		seal.Reason = cmp.Or(c.fault(), fmt.Sprintf("checkpoint with %d leaves", c.Size))
	}
	return append(all, seal)
}

// fault returns the fault of the last checkpoint; empty if it is well.
func (c *lastSealed) fault() string {
	if c.Lost > 0 {
		return fmt.Sprintf("the archive has lost a later checkpoint, of size %d", c.Lost)
	}
	return cmp.Or(c.Begun, c.Unwitnessed)
}

func (s stackStatus) well() bool {
	return !slices.ContainsFunc(s.Parts, func(p partStatus) bool { return p.Problem != "" })
}

// examine reads the log once from end to end, and counts the events that each reader has not read.
func (a *app) examine(
	ctx context.Context, st *status, dir *logdir.Dir, config session.Config,
) error {
	s, err := a.openAs(ctx, config, session.Query)
	if err != nil {
		return err
	}
	if st.Drift, err = s.Drift(ctx); err != nil {
		return err
	}
	if len(st.Drift) > 0 {
		st.Well = false
		st.hint = "find who changed it; then restore the trigger or revoke the privilege"
	}
	if st.Strays, err = s.Strays(ctx); err != nil {
		return err
	}
	if len(st.Strays) > 0 {
		st.Well, st.hint = false, strayHint
	}
	models, err := s.ReadModelCursors(ctx)
	if err != nil {
		return err
	}
	sealed, checkpoint, err := lastCheckpoint(ctx, s)
	if err != nil {
		return err
	}
	published, err := dir.Published().Load()
	if err != nil {
		return err
	}
	end, err := s.Log.End(ctx) // AFTER the cursors of its readers: log and readers grow meanwhile
	if err != nil {
		return err
	}
	st.Log = &logStatus{
		Name: s.Settings().Name, Store: s.Settings().Store,
		Partitions: len(end), Ends: end, Writer: s.Writer,
	}
	if err := st.listSnapshots(ctx, s); err != nil {
		return err
	}
	if st.AtRest, err = s.BucketsAtRest(ctx); err != nil {
		return err
	}
	var tails []*tail
	for _, m := range models {
		model := newTail(m.Name, "the read model of "+m.Name, m.Cursor, end)
		model.other = m.Other
		tails = append(tails, model)
	}
	if published != nil { // somebody publishes
		tails = append(tails, newTail("publication", "the publication", published, end))
	}
	audit := newTail(auditLag, "the last checkpoint", sealed, end)
	tails = append(tails, audit)
	if err := st.Log.count(ctx, s.Log, end, tails...); err != nil {
		return err
	}
	var now time.Time
	if st.Log.simulated = s.Settings().Simulated; !st.Log.simulated {
		now = time.Now()
	}
	for _, t := range tails {
		st.Lag = append(st.Lag, t.lag(end, now))
	}
	if err := st.checkEnd(dir.CheckEnd(ctx, s.Log)); err != nil {
		return err
	}
	if err := st.checkIndex(ctx, s); err != nil {
		return err
	}
	if err := st.findParked(ctx, s, end); err != nil {
		return err
	}
	if checkpoint != nil {
		checkpoint.Unanchored = audit.all.events
		st.Well = st.Well && checkpoint.fault() == ""
		if checkpoint.Unwitnessed != "" {
			st.hint = cmp.Or(st.hint, unwitnessedHint)
		}
		st.Checkpoint = checkpoint
	}
	return countFollowUps(ctx, s.System(), st)
}

// listSnapshots finds the last snapshot, and those about which the log and the archive disagree.
func (s *status) listSnapshots(ctx context.Context, of *session.Session) (err error) {
	system := of.System()
	if system.Snapshots, err = of.Snapshots(ctx, false); err != nil {
		return err
	}
	all, err := system.ListSnapshots(ctx)
	for _, l := range all {
		if l.Recorded {
			s.Snapshot = &lastSnapshot{Name: l.Name, Taken: l.Taken}
			if l.Destroyed != nil {
				s.Snapshot.Destroyed = l.Destroyed.Certificate
			}
		}
		if l.Fault != nil {
			s.Well, s.hint = false, cmp.Or(s.hint, l.Fault.Hint())
			s.Faults = append(s.Faults, l.Fault.Error())
		}
	}
	return err
}

// checkIndex compares the index with the log, BEFORE the follow-ups are looked up in it.
func (s *status) checkIndex(ctx context.Context, of *session.Session) error {
	known, err := of.CheckIndex(ctx)
	if !known || ctx.Err() != nil {
		return ctx.Err()
	}
	s.Index = &indexStatus{Differs: errors.Is(err, session.ErrIndexDiffers)}
	if err != nil {
		s.Index.Unused = err.Error()
	}
	if s.Index.Differs {
		s.Well, s.hint = false, cmp.Or(s.hint, indexHint)
	}
	return nil
}

// lastCheckpoint returns the last published checkpoint, and the end of the events under it; nil if
// nothing was ever sealed.
func lastCheckpoint(ctx context.Context, s *session.Session) (contract.Cursor, *lastSealed, error) {
	auditor, err := s.Auditor(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	last, err := auditor.Published(ctx, 0)
	lost := auditor.Lost(last)
	if err == nil && last.Size == 0 && lost == 0 {
		err = auditor.Reference.CheckUnsealed(ctx)
		if errors.Is(err, audit.ErrBegun) {
			return nil, &lastSealed{Origin: last.Origin, Begun: err.Error()}, nil
		}
	}
	if err != nil || last.Size == 0 && lost == 0 {
		return nil, nil, err
	}
	sealed := &lastSealed{Origin: last.Origin, Size: last.Size, Lost: lost}
	for p, err := range s.Published(ctx, auditor) {
		if err != nil {
			return nil, nil, err
		}
		sealed.Published = &p.At
		break // it is the last one
	}
	sealed.Foreign = foreignJSON(auditor.Foreign)
	sealed.Witnesses, err = auditor.Witnessed(ctx, last)
	if errors.Is(err, audit.ErrUnwitnessed) {
		sealed.Unwitnessed, err = err.Error(), nil
	}
	if err != nil {
		return nil, nil, err
	}
	return last.End, sealed, nil
}
