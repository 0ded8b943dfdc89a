// Package session opens a whole system from a data folder: the stack, the codec, the log, and the
// parts that a program asks for. It chooses the implementations. See the example of Open.
package session

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/product"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka/index"
	"example.com/blotter/solutions/2-store/memory"
	"example.com/blotter/solutions/2-store/offload"
	projection "example.com/blotter/solutions/3-projections"
	replay "example.com/blotter/solutions/4-replay"
)

// Access limits the effects of a session on the log.
type Access int

const (
	Query     Access = iota // reads
	AsOfQuery               // reads as known at a time, before which nothing more is recorded
	Write                   // appends, as the only writer
	Seal                    // seals; records the frontier, unless another process writes the log
	Draft                   // appends in memory only: the log does not change
	// Inspect reads possible evidence: it changes nothing anywhere, and accepts a loss. It decodes
	// no payload, and so needs no registry.
	Inspect
)

// Config says which log is opened, and how. Data is required.
type Config struct {
	Data    string            // the data folder
	Stack   string            // embedded (the default), containers or external
	Choices map[string]string // settings that a log must have: see logdir.Expected

	// New has the settings of the log that is created if the folder has none; nil creates none.
	New *logdir.Settings

	// Restoring names the archive from which an empty log is made again. Only then the log takes
	// the times of contract.At. Call Restored in the end.
	Restoring string

	// AcceptLoss opens a log that ends before the reached mark.
	AcceptLoss bool

	// The settings of product.env take the place of empty ones.
	Source    string        // of appended events
	Retention time.Duration // of archived objects
	Lock      string        // of archived objects: COMPLIANCE or GOVERNANCE

	MasterKey string // of the vault, as hexadecimal text; the data folder's if it is empty
	// Signer is a command with its arguments that signs checkpoints; empty for keys/signer.
	Signer string

	Keep        time.Duration // of archived snapshots; Retention if it is zero
	OffloadOver int           // payloads of more bytes go to object storage
	Temporary   bool          // containers remove their volumes when they are closed
	Brokers     int           // of Kafka in containers; 0 means 1
	Progress    io.Writer     // takes progress and warnings; nil discards them
	Logger      *slog.Logger  // takes them instead, if it is not nil

	// Traces takes the spans of the log's servers; nil: there are none.
	Traces  trace.TracerProvider
	Grouped func(events int) // is told the size of each group of appends; nil: nobody is

	Services  *Stack      // an open stack, which the session does not close; nil opens one
	StackLost func(error) // is called when a part of the embedded stack ends
}

// Folder opens the data folder, or prepares the folder of a new log.
func (c Config) Folder() (*logdir.Dir, error) {
	want := logdir.Expected{
		Stack: c.stackKind(), Stores: StoreNames(), Choices: c.Choices,
		Simulated: c.New != nil && c.New.Simulated, Restoring: c.Restoring,
	}
	d, err := logdir.Open(c.Data, want)
	if none := new(logdir.NoLogError); c.New != nil && errors.As(err, &none) {
		return logdir.New(c.Data, *c.New)
	}
	return d, err
}

func (c Config) stackKind() string { return cmp.Or(c.Stack, "embedded") }

// A Session is an open log with its stack. Close it.
type Session struct {
	Log    contract.Store
	Codec  contract.Codec // nil for Inspect
	Writer int            // the process that writes the log, if it is another one

	config   Config
	access   Access
	index    indexed // nil if the store has no index
	headed   headed  // nil if the store has no heads
	owns     bool    // the partitions of the log
	dir      *logdir.Dir
	stack    *Stack
	guarded  guarded // the log; nil if it has no database
	timeline contract.Timeline
	lane     func(stream string) int32 // the partition of a stream; nil if the store has none
	// committed returns the frontier of the last seal, if there was one; nil if the store does not
	// know it
	committed func(context.Context) (at time.Time, begun bool, err error)
	closers   []func() error // the last one runs first
}

// Open opens the log in a data folder. It refuses a log that contradicts the folder: see logdir.
func Open(ctx context.Context, c Config, access Access) (_ *Session, err error) {
	s := &Session{config: c, access: access, stack: c.Services}
	if s.dir, err = c.Folder(); err != nil {
		return nil, err
	}
	if s.stack == nil {
		if s.stack, err = OpenStack(c); err != nil {
			return nil, err
		}
		s.onClose(s.stack.Close)
	}
	if err := s.openLog(ctx); err != nil {
		s.Close() // err says more than an error of closing
		return nil, err
	}
	return s, nil
}

// View returns the same open log for one of many requests. What the request opens is closed with
// the view, and the log stays open.
func (s *Session) View() *Session {
	view := *s
	view.closers = nil
	return &view
}

// Stack returns the stack of the log, which the session closes if it opened it.
func (s *Session) Stack() *Stack { return s.stack }

// Dir returns the data folder.
func (s *Session) Dir() *logdir.Dir { return s.dir }

// An indexed store has an index in files, which it derives from the log.
type indexed interface {
	CheckIndex(context.Context) error
}

// CheckIndex compares the index with the log. known is false if the store has none. The error wraps
// ErrIndexDiffers if the index has other events than the log. Another error means that the index is
// not used, and will be rebuilt.
func (s *Session) CheckIndex(ctx context.Context) (known bool, err error) {
	if s.index == nil {
		return false, nil
	}
	return true, s.index.CheckIndex(ctx)
}

// A headed store keeps the head of each stream beside the log.
type headed interface {
	Heads(context.Context) (heads, events map[string]index.End, err error)
}

// Heads returns the ends of all streams, as their heads state them and as the events give them.
// known is false if the store has no heads.
func (s *Session) Heads(
	ctx context.Context,
) (heads, events map[string]index.End, known bool, err error) {
	if s.headed == nil {
		return nil, nil, false, nil
	}
	heads, events, err = s.headed.Heads(ctx)
	return heads, events, true, err
}

func (s *Session) openLog(ctx context.Context) error {
	var heads contract.HeadCodec
	var inner Codec
	if s.access != Inspect {
		var err error
		if inner, err = s.openCodec(ctx); err != nil {
			return err
		}
		heads = inner
	}
	log, err := s.openStore(ctx, heads)
	if err != nil {
		return err
	}
	s.index, _ = log.(indexed)
	s.headed, _ = log.(headed)
	if log, ok := log.(interface {
		Committed(context.Context) (at time.Time, begun bool, err error)
	}); ok {
		s.committed = log.Committed
	}
	if parted, ok := log.(interface{ PartitionOf(string) int32 }); ok {
		s.lane = parted.PartitionOf
	}
	s.Log = offload.Wrap(log, &offload.Lazy{Open: s.blobs}, s.config.OffloadOver)
	if inner != nil {
		if s.Codec, err = s.withCanaries(ctx, inner); err != nil {
			return err
		}
	}
	if !s.acceptsLoss() {
		if err := s.dir.CheckEnd(ctx, s.Log); err != nil {
			return err
		}
	}
	if s.access == Draft {
		s.Log, err = memory.Over(ctx, s.Log, s.clock())
		return err
	}
	if s.owns || s.access == Write {
		s.onClose(func() error { return s.markLast(ctx, log) })
	}
	if !s.dir.IsNew() {
		return nil
	}
	if err := s.beginRestore(ctx); err != nil {
		return err
	}
	if err := s.dir.Create(); err != nil {
		return err
	}
	return s.markReached(ctx) // a full disk may have no room for the first mark later
}

// acceptsLoss reports whether the reached mark is ignored. An inspection reports a lost end itself.
func (s *Session) acceptsLoss() bool { return s.access == Inspect || s.config.AcceptLoss }

// markReached sets the reached mark to the present end of the log.
func (s *Session) markReached(ctx context.Context) error {
	end, err := s.Log.End(ctx)
	if err != nil {
		return err
	}
	return s.dir.MarkReached(end)
}

// A writer is a store that knows the end of its own appends.
type writer interface {
	Retire() // finishes the appends in flight: one whose caller gave up may still land
	// Reached returns the end of the log as far as this store can tell at once, also after Retire.
	Reached() contract.Cursor
}

// markLast sets the reached mark at the end of a command, also of an interrupted one. The command's
// work is done: it does not wait long for a broker that is gone, and does not fail if the log does
// not answer. The mark then has the events that the store knows of without it.
func (s *Session) markLast(ctx context.Context, log Log) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	store, writes := log.(writer)
	if !s.stack.lost.Load() {
		if writes {
			store.Retire()
		}
		if end, err := s.Log.End(ctx); err == nil {
			return s.dir.MarkReached(end)
		}
	}
	if !writes {
		return nil
	}
	before, err := s.dir.Reached()
	if err != nil {
		return err
	}
	return s.dir.MarkReached(before.Max(store.Reached()))
}

// AcceptEnd sets the reached mark to the present end of a log that lost events.
func (s *Session) AcceptEnd(ctx context.Context) error { return s.markReached(ctx) }

// Settings returns the choices that the log was created with.
func (s *Session) Settings() logdir.Settings { return s.dir.Settings() }

// Resuming returns a replayer that keeps its progress in the data folder.
func (s *Session) Resuming() (r replay.Resumer, err error) {
	path, err := os.Executable()
	if err != nil {
		return r, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	const share = 20_000 // that a crash costs, for each core
	return replay.Resumer{
		Replayer: replay.New(s.Codec), Progress: s.dir.ReplayProgress(),
		Plan:    replay.Plan{Cores: runtime.GOMAXPROCS(0), Share: share},
		Program: fmt.Sprintf("%x", sha256.Sum256(program)), Earlier: new(atomic.Int64),
	}, nil
}

// AccountSnapshots returns the folder for the states of accounts with long histories.
func (s *Session) AccountSnapshots() logdir.Progress { return s.dir.AccountSnapshots() }

// Warn logs a warning.
func (s *Session) Warn(err error) { s.config.logger().Warn(err.Error()) }

// System returns the flow over the log. Its read model, snapshots and auditor are left to the
// caller.
func (s *Session) System() *capstone.System {
	system := capstone.New(s.Log, s.Codec, cmp.Or(s.config.Source, product.Defaults.Source))
	system.FollowUps.SweptTo = s.dir.FollowUps()
	if s.access == Draft {
		system.FollowUps.SweptTo = unchanged{s.dir.FollowUps()}
	}
	system.Project = projection.Project
	system.AsOf = projection.AsOf
	system.Replayer, system.Window = newReplayer(s.Codec), replay.New(s.Codec).Window
	system.Provenance = s.provenance
	system.Certificates = s.destroyedSnapshots
	system.Simulated = s.Settings().Simulated
	switch {
	case !system.Simulated:
		system.Width, system.Desk.Now = width, system.Clock
	case s.timeline.PerStream: // the lines about a stream are taken in their order anyway
		system.Width = width
	case s.lane != nil:
		system.Width, system.Lane = width, s.lane
	}
	return system
}

// Staging returns the flow over a draft of the log: its appends do not change the log.
func (s *Session) Staging(ctx context.Context) (*capstone.System, error) {
	draft, err := memory.Over(ctx, s.Log, s.clock())
	if err != nil {
		return nil, err
	}
	over := *s
	over.Log, over.access = draft, Draft
	return over.System(), nil
}

// An unchanged cursor is read and never saved.
type unchanged struct{ capstone.SavedCursor }

func (unchanged) Save(contract.Cursor) error { return nil }

// width is the number of lines that an import has in flight. All lines that wait for a partition
// are appended in one transaction, unless the log is simulated: a wide import makes few and large
// ones. The broker keeps a note of each transaction in memory.
const width = 512

// Explain finds where a replay differs from the archived state, and the event that made the
// difference.
func Explain(ctx context.Context, s *capstone.System, r capstone.Replayed) (replay.Finding, error) {
	return replay.New(s.Desk.Codec).Explain(ctx, s.Log, r.Snapshot.Cursor, r.Difference)
}

func (s *Session) onClose(f func() error) { s.closers = append(s.closers, f) }

// Close closes all parts, the last opened first. If the stack was lost it waits at most a second: a
// part may wait for a server that is gone. The end of the process then closes the rest.
func (s *Session) Close() error {
	return s.stack.limit(func() error {
		var errs []error
		for len(s.closers) > 0 {
			last := len(s.closers) - 1
			errs = append(errs, s.closers[last]())
			s.closers = s.closers[:last]
		}
		return errors.Join(errs...)
	})
}

// logger logs warnings to Logger, or to Progress.
func (c Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	if c.Progress == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(c.Progress, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
