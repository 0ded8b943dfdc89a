package capstone

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A System is the parts, wired. It knows them by contract alone: whichever store, projection or archive is
// plugged in, the flow is the same.
type System struct {
	Desk       *Desk
	Projection contract.Projection
	Project    func(ctx context.Context, log contract.Reader, p contract.Applier, to contract.Cursor, batch int) error
	AsOf       func(ctx context.Context, p contract.ModelEvents, at trade.AsOf) (trade.State, error)
	Snapshots  contract.Snapshots
	Replayer   contract.Replayer
	Auditor    contract.Auditor
	Clock      func() time.Time // stamps snapshots
	Swept      Bookmark         // of the follow-up process; nil has it look at the whole log each time
	Width      int              // lines of an import under way at once; 1 in a simulated log, whose clock follows them
}

// A Summary is what Run did, every figure of it counted or computed in that run.
type Summary struct {
	Imported     Imported
	Missing      []MissingFollowUp
	State        trade.State
	Snapshot     contract.Snapshot
	Replayed     Replayed
	Checkpoint   contract.Checkpoint
	Verification contract.Verification
}

// Imported counts what became of the lines.
type Imported struct {
	Lines    int                `json:"lines"`
	Accepted int                `json:"accepted"`
	Refused  int                `json:"refused"`
	Again    int                `json:"again"` // of them all, on record already
	Bad      int                `json:"bad"`
	Rules    map[trade.Rule]int `json:"rules"` // refusals by rule
	Kinds    map[string]int     `json:"kinds"` // accepted commands by kind

	// Missing is what MissingFollowUps lists, if a follow-up was refused in this import or the ones that it found owing.
	Missing []MissingFollowUp `json:"-"`
}

// Run is the whole flow: commands become events, events become positions, and the log is proved.
// It calls watch with the name of each step as it begins, and with each line's result.
func (s *System) Run(ctx context.Context, input iter.Seq2[lines.Line, error], watch Watch) (sum Summary, err error) {
	watch.Step("import")
	if sum.Imported, err = s.Import(ctx, input, watch.Result); err != nil {
		return sum, err
	}
	watch.Step("follow-ups")
	if sum.Missing, err = s.Desk.MissingFollowUps(ctx); err != nil {
		return sum, err
	}
	watch.Step("projection")
	if sum.State, err = s.State(ctx); err != nil {
		return sum, err
	}
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

// Watch is told of progress.
type Watch struct {
	Step   func(name string)
	Result func(Result)
}

// Import first issues the follow-ups that a stopped process left undone, then sends every line to the desk. each is
// called with every result, in the order of the lines.
func (s *System) Import(ctx context.Context, input iter.Seq2[lines.Line, error], each func(Result)) (Imported, error) {
	n := Imported{Rules: map[trade.Rule]int{}, Kinds: map[string]int{}}
	if err := s.sweep(ctx); err != nil {
		return n, err
	}
	swept := s.Desk.apart.Load() // refusals that were on record before
	for r, err := range s.Desk.Import(ctx, input, s.Width) {
		if err != nil {
			return n, err
		}
		n.count(r)
		each(r)
	}
	if s.Desk.apart.Load() == swept {
		return n, nil
	}
	var err error
	n.Missing, err = s.Desk.MissingFollowUps(ctx)
	return n, err
}

// A Bookmark keeps how far a process on the feed has come. What is lost of it costs time alone.
type Bookmark interface {
	Load() (contract.Cursor, error) // nil if there is none
	Save(contract.Cursor) error
}

// sweep goes on from where it last came to. The place is saved AFTER all before it was swept; a crash in between has it swept again,
// which issues nothing twice.
func (s *System) sweep(ctx context.Context) error {
	if s.Swept == nil {
		_, err := s.Desk.Sweep(ctx, nil)
		return err
	}
	from, err := s.Swept.Load()
	if err != nil {
		return err
	}
	to, err := s.Desk.Sweep(ctx, from)
	if err != nil {
		return err
	}
	return s.Swept.Save(to)
}

func (n *Imported) count(r Result) {
	n.Lines++
	switch {
	case r.Problem != nil:
		n.Bad++
		return
	case r.Outcome.Again:
		n.Again++
	}
	if r.Outcome.Refusal != nil {
		n.Refused++
		n.Rules[r.Outcome.Refusal.Rule]++
		return
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

// Batch is how many events a projection takes in one transaction. A late leg has the legs behind it folded again, once for each batch, so
// a long log is caught up with much sooner in large ones.
const Batch = 50_000

func (s *System) catchUp(ctx context.Context) error {
	end, err := s.Desk.Store.End(ctx)
	if err != nil {
		return err
	}
	return s.Project(ctx, s.Desk.Store, s.Projection, end, Batch)
}

// Snapshot archives the state at the end of the log. Without a name it is called by its digest, so the same
// state is archived once.
func (s *System) Snapshot(ctx context.Context, name string) (contract.Snapshot, error) {
	if err := s.catchUp(ctx); err != nil {
		return contract.Snapshot{}, err
	}
	state, cursor, err := s.standing(ctx)
	if err != nil {
		return contract.Snapshot{}, err
	}
	snapshot := contract.Snapshot{Name: name, Taken: s.Clock(), Cursor: cursor, Digest: state.Digest(), State: state.Canonical()}
	if name == "" {
		snapshot.Name = fmt.Sprintf("state-%x", snapshot.Digest[:6])
	}
	return snapshot, s.Snapshots.Put(ctx, snapshot)
}

// standing is a state of the read model, and where in history it stands. These are two questions, and other processes bring the same
// model on in between: so it asks until the cursor is the same before and after. A cursor never goes back.
func (s *System) standing(ctx context.Context) (trade.State, contract.Cursor, error) {
	for {
		before, err := s.Projection.Cursor(ctx)
		if err != nil {
			return trade.State{}, nil, err
		}
		state, err := s.Projection.State(ctx)
		if err != nil {
			return trade.State{}, nil, err
		}
		after, err := s.Projection.Cursor(ctx)
		if err != nil || slices.Equal(before, after) {
			return state, after, err
		}
	}
}

// Replayed is what a replay against a snapshot found.
type Replayed struct {
	Snapshot   contract.Snapshot
	Events     int64                // that were folded
	Difference *contract.Difference // nil: the two states are equal, byte for byte
}

// Replay folds the log up to where a snapshot was taken, and compares the two states. A difference is a finding, not an error.
func (s *System) Replay(ctx context.Context, name string) (r Replayed, err error) {
	if r.Snapshot, err = s.Snapshots.Get(ctx, name); err != nil {
		return r, err
	}
	var state trade.State
	if state, r.Events, err = s.Replayer.Replay(ctx, s.Desk.Store, r.Snapshot.Cursor); err != nil {
		return r, err
	}
	err = s.Replayer.Compare(r.Snapshot.State, state.Canonical())
	if errors.As(err, &r.Difference) {
		err = nil
	}
	return r, err
}
