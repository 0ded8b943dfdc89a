package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
)

type statusCmd struct{}

// A status is how things stand. What was not looked at is nil or left out.
type status struct {
	Well       bool           `json:"well"`
	Stack      stackStatus    `json:"stack"`
	Log        *logStatus     `json:"log,omitempty"`
	Lag        []lag          `json:"lag,omitempty"`
	Snapshot   *lastSnapshot  `json:"snapshot,omitempty"`
	Checkpoint *lastSealed    `json:"checkpoint,omitempty"`
	FollowUps  *followUpCount `json:"follow_ups,omitempty"`
	Problem    string         `json:"problem,omitempty"` // why the rest is missing
	hint       string         // what to do about what is not well, if anybody knows
}

type stackStatus struct {
	Kind  string       `json:"kind"`
	Kept  int          `json:"kept_by,omitempty"` // the process that keeps it up
	Parts []partStatus `json:"parts"`
}

type partStatus struct {
	Name    string  `json:"name"`
	At      string  `json:"at,omitempty"`
	Millis  float64 `json:"ms"`
	Problem string  `json:"problem,omitempty"`
}

type logStatus struct {
	Name       logName         `json:"name"`
	Store      string          `json:"store"`
	Partitions int             `json:"partitions"`
	Events     int64           `json:"events"`
	Last       *time.Time      `json:"last_recorded_at,omitempty"`
	Ends       contract.Cursor `json:"ends"`             // per partition, where the next goes
	Writer     int             `json:"writer,omitempty"` // the process that writes it now
}

// A lag is how far a reader of the log is behind: in events, and for how long the first that it has not taken has been on record. One that is
// ahead has what the log has lost.
type lag struct {
	Of      string  `json:"of"`
	Events  int64   `json:"events"`
	Seconds float64 `json:"seconds"`
	Ahead   string  `json:"ahead,omitempty"`
}

func (l lag) lost() bool { return l.Ahead != "" }

type lastSnapshot struct {
	Name  string    `json:"name"`
	Taken time.Time `json:"taken"`
}

type lastSealed struct {
	Origin     string     `json:"origin"`
	Size       int64      `json:"size"`
	Published  *time.Time `json:"published,omitempty"` // by the archive's clock
	Unanchored int64      `json:"unanchored"`
	Lost       int64      `json:"lost,omitempty"` // the size of one that was published later, and is not in the archive any more
}

// Run looks at everything. It starts the embedded stack where none is kept, for as long as it looks, and makes nothing that
// is not there: a stack without a log is well.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	opening := a.open()
	var none *noLogError
	if opening != nil && !errors.As(opening, &none) {
		return opening
	}
	if err := a.openStack(); err != nil {
		return err
	}
	s := status{Stack: a.stackStatus(ctx)}
	s.Well = s.Stack.well()
	switch {
	case opening != nil:
		s.Problem = opening.Error()
	case s.Well:
		if err := a.lookAtLog(ctx, &s); err != nil {
			s.Well, s.Problem, s.hint = false, err.Error(), hintOf(err)
		}
	}
	return joined(a.answer(s, func(w io.Writer) { showStatus(w, s, time.Now()) }), s.verdict())
}

func (s status) verdict() error {
	if s.Well {
		return nil
	}
	return &failure{"not everything is well", cmp.Or(s.hint, "what is not, is named above")}
}

func (a *app) stackStatus(ctx context.Context) stackStatus {
	s := stackStatus{Kind: a.cli.Stack}
	if at, up, err := stack.FindKept(a.stackDir()); err == nil && up && a.cli.Stack == "embedded" {
		s.Kept = at.PID
	}
	for _, h := range stack.Check(ctx, a.stack) {
		p := partStatus{Name: h.Component, At: h.Address, Millis: float64(h.Took.Microseconds()) / 1000}
		if h.Err != nil {
			p.Problem = h.Err.Error()
		}
		s.Parts = append(s.Parts, p)
	}
	return s
}

func (s stackStatus) well() bool {
	for _, p := range s.Parts {
		if p.Problem != "" {
			return false
		}
	}
	return true
}

// lookAtLog reads the log once from end to end, and counts what each of its readers has not taken.
func (a *app) lookAtLog(ctx context.Context, s *status) error {
	a.asItIs = true
	system, err := a.assemble(ctx)
	if err != nil {
		return err
	}
	written, err := a.reached().Load()
	if err != nil {
		return err
	}
	model, err := a.modelCursor(ctx)
	if err != nil {
		return err
	}
	sealed, checkpoint, err := a.lastCheckpoint(ctx, system)
	if err != nil {
		return err
	}
	// Asked for after its readers were: the log grows meanwhile, and they with it.
	end, err := system.Log.End(ctx)
	if err != nil {
		return err
	}
	s.Log = &logStatus{Name: a.settings.Name, Store: a.settings.Store, Partitions: len(end), Ends: end, Writer: a.writer}
	if s.Snapshot, err = a.lastSnapshot(ctx); err != nil {
		return err
	}
	positions, seals := &tail{of: "the read model", from: model}, &tail{of: "the last checkpoint", from: sealed}
	if err := s.Log.count(ctx, system.Log, end, positions, seals); err != nil {
		return err
	}
	now := time.Now()
	if a.settings.Simulated && s.Log.Last != nil {
		now = *s.Log.Last // its times are not ours
	}
	s.Lag = []lag{positions.lag("positions", end, now), seals.lag("audit", end, now)}
	s.compare(end, written)
	if checkpoint != nil {
		checkpoint.Unanchored = seals.events
		s.Well = s.Well && checkpoint.Lost == 0
		s.Checkpoint = checkpoint
	}
	return a.countFollowUps(ctx, system, s)
}

// A tail is what a reader has not taken of the log.
type tail struct {
	of     string // for people
	from   contract.Cursor
	events int64
	first  time.Time // recorded_at of the earliest
}

func (t *tail) see(e contract.Recorded) {
	if e.Position.Offset < t.from.At(e.Position.Partition) {
		return
	}
	t.events++
	if t.first.IsZero() || e.RecordedAt.Before(t.first) {
		t.first = e.RecordedAt
	}
}

func (t *tail) lag(of string, end contract.Cursor, now time.Time) lag {
	l := lag{Of: of, Events: t.events}
	if err := t.from.Ahead(t.of, end); err != nil {
		l.Ahead = err.Error()
	}
	if t.events > 0 {
		l.Seconds = max(0, now.Sub(t.first).Seconds())
	}
	return l
}

// compare finds what the log has lost: of what its readers have of it, and of what was written from this folder.
func (s *status) compare(end, written contract.Cursor) {
	if err := written.Ahead(lastWriter, end); err != nil {
		s.Well, s.Problem, s.hint = false, err.Error(), aheadHint
	}
	if slices.ContainsFunc(s.Lag, lag.lost) {
		s.Well, s.hint = false, aheadHint
	}
}

func (l *logStatus) count(ctx context.Context, log contract.Reader, end contract.Cursor, tails ...*tail) error {
	var last time.Time
	for e, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return err
		}
		l.Events++
		if e.RecordedAt.After(last) {
			last = e.RecordedAt
		}
		for _, t := range tails {
			t.see(e)
		}
	}
	if l.Events > 0 {
		l.Last = &last
	}
	return nil
}

// modelCursor is how far the read model has come; the beginning if there is none.
func (a *app) modelCursor(ctx context.Context) (contract.Cursor, error) {
	dsn, err := a.stack.Postgres(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var there bool
	table := pgx.Identifier{a.settings.Name.modelSchema(), "checkpoint"}.Sanitize()
	if err := conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&there); err != nil || !there {
		return nil, err
	}
	system := &capstone.System{Desk: &capstone.Desk{}} // the cursor needs no codec
	if err := withReadModel(ctx, a, system); err != nil {
		return nil, err
	}
	return system.Projection.Cursor(ctx)
}

// bucket says whether there is one, so that looking does not make it.
func (a *app) bucket(ctx context.Context, name string) (*minio.Client, bool, error) {
	client, err := a.s3(ctx)
	if err != nil {
		return nil, false, err
	}
	there, err := client.BucketExists(ctx, name)
	return client, there, err
}

func (a *app) lastSnapshot(ctx context.Context) (*lastSnapshot, error) {
	if _, there, err := a.bucket(ctx, a.settings.Name.snapshotBucket()); err != nil || !there {
		return nil, err
	}
	system := &capstone.System{}
	if err := withSnapshots(ctx, a, system); err != nil {
		return nil, err
	}
	names, err := system.Snapshots.Names(ctx)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	s, err := system.Snapshots.Get(ctx, names[len(names)-1])
	return &lastSnapshot{s.Name, s.Taken}, err
}

// lastCheckpoint is the last one published, with where what it covers ends; nil if nothing was ever sealed.
func (a *app) lastCheckpoint(ctx context.Context, system *capstone.System) (contract.Cursor, *lastSealed, error) {
	if err := withAuditor(ctx, a, system); err != nil {
		return nil, nil, err
	}
	last, err := published(ctx, system.Auditor)
	if err != nil || last.Size == 0 && a.sealed.Size == 0 {
		return nil, nil, err
	}
	sealed := &lastSealed{Origin: last.Origin, Size: last.Size}
	if last.Size < a.sealed.Size {
		sealed.Lost = a.sealed.Size
	}
	sealed.Published, err = a.lastPublished(ctx)
	return last.End, sealed, err
}

// lastPublished is when that was, by the archive's clock; nil for never.
func (a *app) lastPublished(ctx context.Context) (at *time.Time, err error) {
	bucket := a.settings.Name.auditBucket()
	client, there, err := a.bucket(ctx, bucket)
	if err != nil || !there {
		return nil, err
	}
	for o := range client.ListObjectsIter(ctx, bucket, minio.ListObjectsOptions{Prefix: "checkpoints/", Recursive: true}) {
		if o.Err != nil {
			return nil, o.Err
		}
		at = &o.LastModified // they come in the order of their names, and so of their sizes
	}
	return at, nil
}
