// Package capstone wires the parts into one system: System.Run takes commands through the desk, the
// log, the follow-ups, the read model, a snapshot, a replay and the seal. It knows each part only
// by its contract.
package capstone

import (
	"context"
	"iter"
	"time"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A System is the parts, wired. It knows each part only by its contract: the flow is the same for
// every store, projection and archive.
type System struct {
	Log        contract.Store
	Desk       *Desk      // decides commands, and appends the outcomes to Log
	FollowUps  *FollowUps // issues the commands that follow from events, with Desk
	Projection contract.Projection
	Project    func(ctx context.Context, log contract.Reader, p contract.Applier,
		to contract.Cursor, batch int) error
	AsOf      func(ctx context.Context, p contract.ModelEvents, at trade.AsOf) (trade.State, error)
	Snapshots contract.Snapshots
	// Certificates returns the certificates of destruction of snapshots, by name; nil: there are
	// none. Each is on record before its snapshot goes.
	Certificates func(ctx context.Context) (map[string]string, error)
	Replayer     contract.Replayer
	// Window returns the canonical state of the events before to, and the number of events that it
	// decoded, from an archived state at an earlier cursor.
	Window func(ctx context.Context, log contract.Reader, from contract.Snapshot,
		to contract.Cursor) ([]byte, int64, error)
	Auditor contract.Auditor

	// Provenance returns that of a snapshot which is taken now; nil gives snapshots none.
	Provenance func() (*contract.Provenance, error)

	Clock     func() time.Time // stamps snapshots, and is the now of a question
	Simulated bool             // the log's times are invented, and its last one is now
	BySource  bool             // a question takes an adopted event as known since SourceRecordedAt

	// Width is the number of lines that an import has in flight at once. Lane keeps their order, as
	// Importer.Lane does. Width is 1 for a simulated log whose partitions are not known.
	Width int
	Lane  func(stream string) int32
	// Source is the file or client that the lines of an import come from. It is an attribute of
	// their events, beside the line.
	Source string

	// Observe is told of each command before it is decided. The context that it returns is that of
	// the decision, and done is called with the outcome. nil observes nothing.
	Observe func(ctx context.Context, cmd trade.Command) (
		_ context.Context, done func(Outcome, error))
}

// New returns a system that takes commands and answers questions about single trades. The caller
// adds the parts that the other steps need. Events whose command names no source have source.
func New(log contract.Store, codec contract.Codec, source string) *System {
	desk := &Desk{Log: log, Codec: codec, Source: source}
	return &System{
		Log: log, Desk: desk, FollowUps: &FollowUps{Desk: desk}, Width: 1, Source: source,
		Clock: func() time.Time { return time.Now().UTC() },
	}
}

// A Summary holds the results of Run. Every figure is counted or computed in that run.
type Summary struct {
	Imported     Imported
	Orphaned     []OrphanedFollowUp
	State        trade.State
	Positions    []trade.Valuation // at Times
	Times        Times
	Snapshot     Archived
	Replayed     Replayed
	Checkpoint   contract.Checkpoint
	Verification contract.Verification
}

// A Watch is told of progress.
type Watch struct {
	Step   func(name string) // is called when a step begins
	Result func(Result)      // is called with the result of each line
}

// Run is the whole flow: commands become events, events become positions, and the log is proved.
func (s *System) Run(
	ctx context.Context, input iter.Seq2[lines.Line, error], watch Watch,
) (sum Summary, err error) {
	watch.Step("import")
	if sum.Imported, err = s.Import(ctx, input, watch.Result); err != nil {
		return sum, err
	}
	watch.Step("follow-ups")
	if sum.Orphaned, err = s.FollowUps.Orphaned(ctx); err != nil {
		return sum, err
	}
	watch.Step("projection")
	if sum.State, err = s.State(ctx); err != nil {
		return sum, err
	}
	watch.Step("valuation")
	var basis Basis
	if sum.Positions, basis, err = s.Positions(ctx, trade.AsOf{}); err != nil {
		return sum, err
	}
	sum.Times = basis.Times
	watch.Step("snapshot")
	if sum.Snapshot, err = s.Snapshot(ctx, ""); err != nil {
		return sum, err
	}
	watch.Step("replay")
	if sum.Replayed, err = s.Replay(ctx, sum.Snapshot.Name); err != nil {
		return sum, err
	}
	watch.Step("seal")
	if sum.Checkpoint, err = s.Auditor.Seal(ctx); err != nil {
		return sum, err
	}
	watch.Step("verify")
	sum.Verification, err = s.Auditor.Verify(ctx)
	return sum, err
}

// Imported counts the results of an import.
type Imported struct {
	Lines    int                `json:"lines"`
	Accepted int                `json:"accepted"`
	Refused  int                `json:"refused"`
	Again    int                `json:"again"`    // outcomes that were on record already
	Repeated int                `json:"repeated"` // lines that an earlier line of the file gave
	Bad      int                `json:"bad"`
	Warned   int                `json:"warned"` // accepted commands with a warning
	Rules    map[trade.Rule]int `json:"rules"`  // refusals by rule
	Kinds    map[string]int     `json:"kinds"`  // accepted commands by kind

	// Elsewhere counts the lines that need another owner: see IsElsewhere. One of them may be on
	// record, and only its follow-up is not.
	Elsewhere int `json:"elsewhere,omitempty"`

	// Orphaned is the list of FollowUps.Orphaned. It is only made if a follow-up of a line was
	// refused, in this import or in an earlier one.
	Orphaned []OrphanedFollowUp `json:"-"`
}

// And returns the sum of two imports. The later one has the present orphaned follow-ups, if it
// looked for any.
func (n Imported) And(later Imported) Imported {
	sum := Imported{
		Lines: n.Lines + later.Lines, Accepted: n.Accepted + later.Accepted,
		Refused: n.Refused + later.Refused, Again: n.Again + later.Again,
		Repeated: n.Repeated + later.Repeated, Bad: n.Bad + later.Bad,
		Warned: n.Warned + later.Warned, Elsewhere: n.Elsewhere + later.Elsewhere,
		Rules: map[trade.Rule]int{}, Kinds: map[string]int{}, Orphaned: n.Orphaned,
	}
	for _, part := range []Imported{n, later} {
		for rule, count := range part.Rules {
			sum.Rules[rule] += count
		}
		for kind, count := range part.Kinds {
			sum.Kinds[kind] += count
		}
	}
	if later.Orphaned != nil {
		sum.Orphaned = later.Orphaned
	}
	return sum
}

// Import first issues the follow-ups that a stopped process left undone, then sends the command of
// every line through Do. It calls each with every result, in the order of the lines.
func (s *System) Import(
	ctx context.Context, input iter.Seq2[lines.Line, error], each func(Result),
) (Imported, error) {
	n := Imported{Rules: map[trade.Rule]int{}, Kinds: map[string]int{}}
	if err := s.FollowUps.Sweep(ctx); err != nil && !IsElsewhere(err) {
		return n, err
	}
	orphaned := false
	importer := Importer{
		Do: s.Do, Width: s.Width, Lane: s.Lane, Source: s.Source, Linked: s.Desk.Successors,
	}
	for r, err := range importer.Import(ctx, input) {
		if err != nil {
			return n, err
		}
		n.count(r)
		each(r)
		orphaned = orphaned || len(r.Outcome.Orphaned) > 0
	}
	if !orphaned {
		return n, nil
	}
	var err error // a later line may have made an orphaned follow-up good, so the log is asked
	n.Orphaned, err = s.FollowUps.Orphaned(ctx)
	return n, err
}

// Do takes one command the whole way: the desk decides it and appends the outcome to the log, then
// the follow-ups of the recorded event are issued in the same way. A command that is sent again
// gets the recorded outcome.
func (s *System) Do(ctx context.Context, cmd trade.Command) (Outcome, error) {
	return s.do(ctx, cmd, s.Desk.Do)
}

// Approve is Do for an approved command: see Desk.Approve.
func (s *System) Approve(ctx context.Context, cmd trade.Command) (Outcome, error) {
	return s.do(ctx, cmd, s.Desk.Approve)
}

func (s *System) do(
	ctx context.Context, cmd trade.Command,
	decide func(context.Context, trade.Command) (Outcome, error),
) (out Outcome, err error) {
	if s.Observe != nil {
		var done func(Outcome, error)
		ctx, done = s.Observe(ctx, cmd)
		defer func() { done(out, err) }()
	}
	ctx = contract.At(ctx, cmd.EnteredAt) // only the clock of a simulated log reads it
	if out, err = decide(ctx, cmd); err != nil {
		return Outcome{}, err
	}
	// A crash here leaves an event without its follow-ups. The same command, sent again, comes
	// through here again, and FollowUps.Sweep finds the event. The ids of follow-ups are derived
	// from the event, so no follow-up is recorded twice.
	out.Orphaned, err = s.FollowUps.Issue(ctx, out)
	return out, err
}

func (n *Imported) count(r Result) {
	n.Lines++
	switch {
	case IsElsewhere(r.Problem):
		n.Elsewhere++
		return
	case r.Problem != nil:
		n.Bad++
		return
	case r.SameAs > 0: // the earlier line is counted
		n.Repeated++
		return
	case r.Outcome.Again:
		n.Again++
	}
	if r.Outcome.Refusal != nil {
		n.Refused++
		n.Rules[r.Outcome.Refusal.Rule]++
		return
	}
	if len(r.Outcome.Warnings) > 0 {
		n.Warned++
	}
	n.Accepted++
	n.Kinds[r.Command.Label()]++
}

// State brings the projection to the end of the log and reads it.
func (s *System) State(ctx context.Context) (trade.State, error) {
	if err := s.catchUp(ctx); err != nil {
		return trade.State{}, err
	}
	return s.Projection.State(ctx)
}

// Batch is the number of events that a projection applies in one transaction. A late leg makes the
// projection fold the later legs of its pool again, once in each batch. Large batches therefore
// catch up with a long log much sooner.
const Batch = 50_000

func (s *System) catchUp(ctx context.Context) error { return s.CatchUp(ctx, s.Projection) }

// CatchUp brings a read model to the end of the log.
func (s *System) CatchUp(ctx context.Context, model contract.Applier) error {
	end, err := s.Log.End(ctx)
	if err != nil {
		return err
	}
	return s.Project(ctx, s.Log, model, end, Batch)
}
