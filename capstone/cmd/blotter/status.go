package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/trade"
)

type statusCmd struct{}

// A status is the state of a stack and its log. A part that was not examined is nil or left out.
type status struct {
	Well       bool           `json:"well"`
	Stack      stackStatus    `json:"stack"`
	Log        *logStatus     `json:"log,omitempty"`
	Lag        []lag          `json:"lag,omitempty"`
	Snapshot   *lastSnapshot  `json:"snapshot,omitempty"`
	Checkpoint *lastSealed    `json:"checkpoint,omitempty"`
	Index      *indexStatus   `json:"index,omitempty"`
	FollowUps  *followUpCount `json:"follow_ups,omitempty"`
	Parked     []parkedStream `json:"parked,omitempty"`
	Drift      []string       `json:"drift,omitempty"`           // of the log's protection
	Strays     []string       `json:"strays,omitempty"`          // events that no append wrote
	Faults     []string       `json:"snapshot_faults,omitempty"` // log and archive disagree
	Problem    string         `json:"problem,omitempty"`         // why the rest is missing
	hint       string         // the way past a problem; empty if unknown
	away       bool           // the problem is an outage
}

type stackStatus struct {
	Kind  string       `json:"kind"`
	Kept  int          `json:"process,omitempty"` // the process that keeps it running
	Parts []partStatus `json:"parts"`
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
	Last       *time.Time      `json:"last_recorded_at,omitempty"`
	Ends       contract.Cursor `json:"ends"`
	Writer     int             `json:"process,omitempty"` // the process that writes it now
	simulated  bool
}

// A lag is the distance of a reader from the end of the log: the events it has not read, and the
// age of the first of them. A reader that is ahead has events that the log has lost.
type lag struct {
	Of      string   `json:"of"`
	Events  int64    `json:"events"`
	Seconds *float64 `json:"seconds,omitempty"` // nil in a simulated log, whose times are invented
	Ahead   string   `json:"ahead,omitempty"`
}

type lastSnapshot struct {
	Name  string    `json:"name"`
	Taken time.Time `json:"taken_at"`
}

type lastSealed struct {
	Origin     string     `json:"origin"`
	Size       int64      `json:"size"`
	Published  *time.Time `json:"published_at,omitempty"` // by the archive's clock
	Unanchored int64      `json:"unanchored"`
	Lost       int64      `json:"lost,omitempty"` // size of a later one that the archive lost

	// Foreign has the objects at the end of the archive that the log's key did not sign.
	Foreign []foreignObject `json:"foreign,omitempty"`
}

// An indexStatus is the state of the index files. Files that are not used are no problem: the next
// writer rebuilds them. Files that differ from the log were changed.
type indexStatus struct {
	Differs bool   `json:"differs"`
	Unused  string `json:"unused,omitempty"` // why the files are not used; empty if they are
}

// followUpCount counts and names the orphaned follow-ups.
type followUpCount struct {
	NotIssued int      `json:"not_issued"`
	Refused   int      `json:"refused"`
	Orphans   []orphan `json:"orphaned,omitempty"`
}

// Run examines everything. Without a kept stack it starts the embedded one for that time. It
// creates nothing: a stack without a log is well.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	config := a.config()
	dir, opening := config.Folder()
	if none := new(logdir.NoLogError); opening != nil && !errors.As(opening, &none) {
		return opening
	}
	services, err := session.OpenStack(config)
	if err != nil {
		return err
	}
	a.onClose(services.Close)
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
		s.Parts = append(s.Parts, p)
	}
	return s
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
	reached, err := dir.Reached()
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
	model, err := s.ReadModelCursor(ctx)
	if err != nil {
		return err
	}
	sealed, checkpoint, err := lastCheckpoint(ctx, s)
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
	positions, audit := &tail{of: "the read model", from: model}, &tail{of: "the last checkpoint",
		from: sealed}
	if err := st.Log.count(ctx, s.Log, end, positions, audit); err != nil {
		return err
	}
	var now time.Time
	if st.Log.simulated = s.Settings().Simulated; !st.Log.simulated {
		now = time.Now()
	}
	st.Lag = []lag{positions.lag("positions", end, now), audit.lag("audit", end, now)}
	st.compare(end, reached)
	if err := st.checkIndex(ctx, s); err != nil {
		return err
	}
	if err := st.findParked(ctx, s.System(), end); err != nil {
		return err
	}
	if checkpoint != nil {
		checkpoint.Unanchored = audit.events
		st.Well = st.Well && checkpoint.Lost == 0
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
			s.Snapshot = &lastSnapshot{l.Name, l.Taken}
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

// A tail is the events that a reader has not read.
type tail struct {
	of     string // the reader, for people
	from   contract.Cursor
	events int64
	first  time.Time // the earliest recorded_at
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

// lag returns the distance of the reader from the end. A zero now gives no age.
func (t *tail) lag(of string, end contract.Cursor, now time.Time) lag {
	l := lag{Of: of, Events: t.events}
	if err := t.from.Ahead(t.of, end); err != nil {
		l.Ahead = err.Error()
	}
	if !now.IsZero() {
		l.Seconds = new(float64)
	}
	if l.Seconds != nil && t.events > 0 {
		*l.Seconds = max(0, now.Sub(t.first).Seconds())
	}
	return l
}

// compare finds events that the log has lost: those that a reader has, and those up to the reached
// mark.
func (s *status) compare(end, reached contract.Cursor) {
	if err := reached.Ahead(logdir.Writer, end); err != nil {
		s.Well, s.Problem, s.hint = false, err.Error(), aheadHint
	}
	if slices.ContainsFunc(s.Lag, func(l lag) bool { return l.Ahead != "" }) {
		s.Well, s.hint = false, aheadHint
	}
}

func (l *logStatus) count(
	ctx context.Context, log contract.Reader, end contract.Cursor, tails ...*tail,
) error {
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

// lastCheckpoint returns the last published checkpoint, and the end of the events under it; nil if
// nothing was ever sealed.
func lastCheckpoint(ctx context.Context, s *session.Session) (contract.Cursor, *lastSealed, error) {
	auditor, err := s.Auditor(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	last, err := auditor.Published(ctx, 0)
	if err != nil || last.Size == 0 && auditor.Kept.Size == 0 {
		return nil, nil, err
	}
	sealed := &lastSealed{Origin: last.Origin, Size: last.Size}
	if last.Size < auditor.Kept.Size {
		sealed.Lost = auditor.Kept.Size
	}
	for p, err := range s.Published(ctx, auditor) {
		if err != nil {
			return nil, nil, err
		}
		sealed.Published = &p.At
		break // it is the last one
	}
	sealed.Foreign = foreignJSON(auditor.Foreign)
	return last.End, sealed, nil
}

// issuing is how long a follow-up may be missing while it is issued. A working desk issues it right
// after its cause, and status can look between the two.
const issuing = 5 * time.Second

// countFollowUps looks for the follow-ups of every cause. It needs the owner's index, so it does
// nothing while another process writes the log.
func countFollowUps(ctx context.Context, system *capstone.System, s *status) error {
	if s.Log.Writer != 0 {
		return nil
	}
	orphaned, err := system.FollowUps.Orphaned(ctx)
	if err != nil {
		return err
	}
	var refused, unissued []capstone.OrphanedFollowUp
	for _, f := range orphaned {
		if f.Refusal != nil {
			refused = append(refused, f)
		} else {
			unissued = append(unissued, f)
		}
	}
	unissued, err = stillMissing(ctx, system.Log, unissued, issuing)
	s.FollowUps = &followUpCount{len(unissued), len(refused),
		orphansOf(append(refused, unissued...))}
	if len(s.FollowUps.Orphans) > 0 {
		s.Well, s.hint = false, cmp.Or(s.hint, orphanHint)
	}
	return err
}

// stillMissing polls until the timeout and returns the follow-ups that are still unrecorded.
func stillMissing(
	ctx context.Context, log contract.Store,
	missing []capstone.OrphanedFollowUp, timeout time.Duration,
) ([]capstone.OrphanedFollowUp, error) {
	over := time.NewTimer(timeout)
	defer over.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for len(missing) > 0 {
		select {
		case <-tick.C:
		case <-over.C:
			return missing, nil
		case <-ctx.Done():
			return missing, context.Cause(ctx)
		}
		var failures error
		missing = slices.DeleteFunc(missing, func(f capstone.OrphanedFollowUp) bool {
			_, err := log.Find(ctx, trade.EventID(f.Command.ID, 0))
			if !errors.Is(err, contract.ErrNotFound) {
				failures = errors.Join(failures, err)
			}
			return err == nil
		})
		if failures != nil {
			return missing, failures
		}
	}
	return nil, nil
}

func printStatus(w io.Writer, s status, now time.Time) {
	printStack(w, s.Stack)
	if s.Log != nil {
		printLog(w, s, now)
	}
	for _, finding := range slices.Concat(s.Faults, s.Drift, s.Strays) {
		fmt.Fprintln(w, indented(finding))
	}
	if s.Problem != "" {
		fmt.Fprintln(w, indented(s.Problem))
	}
}

func printStack(w io.Writer, s stackStatus) {
	switch {
	case s.Kept != 0:
		fmt.Fprintf(w, "stack  %s, kept running by process %d\n", s.Kind, s.Kept)
	case s.Kind == "embedded":
		fmt.Fprintln(w, "stack  embedded, started for this command; "+
			"keep one running with: blotter up")
	default:
		fmt.Fprintf(w, "stack  %s\n", s.Kind)
	}
	var rows []string
	for _, p := range s.Parts {
		if p.Problem != "" {
			rows = append(rows, fmt.Sprintf("%s\t%s\tfails: %s", p.Name, p.At, p.Problem))
			continue
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\tanswers in %.1f ms", p.Name, p.At, p.Millis))
	}
	table(w, "part\taddress\tstate", rows...)
}

func printLog(w io.Writer, s status, now time.Time) {
	l := s.Log
	printLine(w, "log    %s, in the %s store: %s", l.Name, l.Store, plural(l.Events, "event"))
	rows := []string{fmt.Sprintf("ends\t%v", []int64(l.Ends))}
	if l.Last != nil {
		rows = append(rows, fmt.Sprintf("last recorded\t%s", l.Last.Format(time.RFC3339Nano)))
	}
	if l.Writer != 0 {
		rows = append(rows, fmt.Sprintf("written by\tprocess %d", l.Writer))
	}
	for _, lag := range s.Lag {
		rows = append(rows, lag.Of+"\t"+lag.line())
	}
	if s.Index != nil {
		rows = append(rows, "index\t"+s.Index.line())
	}
	rows = append(rows, "snapshot\t"+snapshotLine(s.Snapshot, l.simulated, now),
		"checkpoint\t"+checkpointLine(s.Checkpoint, now), "follow-ups\t"+followUpLine(s.FollowUps))
	labels(w, rows...)
	if s.FollowUps != nil {
		printOrphans(w, s.FollowUps.Orphans)
	}
	if len(s.Parked) > 0 {
		fmt.Fprintln(w, "  parked streams")
		printParked(w, s.Parked)
	}
}

func (i indexStatus) line() string {
	if i.Unused == "" {
		return "agrees with the log"
	}
	return i.Unused + "; the next command that writes rebuilds it"
}

func (l lag) line() string {
	switch {
	case l.Ahead != "":
		return l.Ahead
	case l.Events == 0:
		return "up to date"
	}
	line := plural(l.Events, "event") + " behind"
	if l.Seconds != nil {
		line += ", for " + span(*l.Seconds)
	}
	return line
}

// snapshotLine names the last snapshot. In a simulated log it was taken at a time of the log.
func snapshotLine(s *lastSnapshot, simulated bool, now time.Time) string {
	switch {
	case s == nil:
		return "none yet"
	case simulated:
		return fmt.Sprintf("%s, taken at %s", s.Name, s.Taken.Format(time.RFC3339Nano))
	}
	return fmt.Sprintf("%s, taken %s ago", s.Name, span(now.Sub(s.Taken).Seconds()))
}

func checkpointLine(c *lastSealed, now time.Time) string {
	if c == nil {
		return "none yet"
	}
	if c.Lost > 0 {
		return fmt.Sprintf("%s/%d; the archive has lost a later one, of size %d", c.Origin, c.Size,
			c.Lost)
	}
	line := fmt.Sprintf("%s/%d", c.Origin, c.Size)
	if c.Published != nil {
		line += fmt.Sprintf(", published %s ago", span(now.Sub(*c.Published).Seconds()))
	}
	line += fmt.Sprintf("; %s past it, unanchored", plural(c.Unanchored, "event"))
	if n := int64(len(c.Foreign)); n > 0 {
		line += fmt.Sprintf("; %s in the archive not signed: blotter verify", plural(n, "object"))
	}
	return line
}

func followUpLine(f *followUpCount) string {
	switch {
	case f == nil:
		return "not examined while another process writes the log"
	case f.NotIssued+f.Refused == 0:
		return "all on record"
	}
	return fmt.Sprintf("%d not issued, %d refused", f.NotIssued, f.Refused)
}

// span shows a time in seconds, for people.
func span(seconds float64) string {
	d := time.Duration(max(0, seconds) * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
