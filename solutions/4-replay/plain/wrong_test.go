package replay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/cmd/lab/grade/gradetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Update is the flag that rewrites the golden files, the guide's table of checks and its picture.
var Update = flag.Bool("update", false, "rewrite the golden files")

// A wrongAnswer is the reference with one fault.
type wrongAnswer struct {
	name   string // of the fault
	finds  string // checks that find this fault; testdata/wrong has the text of the first
	hint   string // a part of the failure text of the first check, meant for this fault
	change func(*answer)
}

// An answer is a student's answer: functions, and methods that take the place of the reference's.
type answer struct {
	compare func(archived, replayed []byte) error
	bisect  func(int, func(int) (bool, error)) (int, error)
	replay  replayFunc
	chain   chainFunc
	asOf    func(context.Context, Replayer, contract.Reader, trade.AsOf) (trade.State, error)
	get     func(context.Context, *Snapshots, string) (contract.Snapshot, error)
	put     func(context.Context, *Snapshots, contract.Snapshot) error
}

type replayFunc = func(context.Context, Replayer, contract.Reader, contract.Cursor) (
	trade.State, int64, error)

type chainFunc = func(context.Context, Replayer, contract.Reader, contract.Cursor) (
	[]contract.Recorded, [][sha256.Size]byte, error)

// A variant is a replayer with the methods of an answer.
type variant struct {
	Replayer
	answer
}

func (v variant) Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (
	trade.State, int64, error) {
	return v.replay(ctx, v.Replayer, log, to)
}

func (v variant) Chain(ctx context.Context, log contract.Reader, to contract.Cursor) (
	[]contract.Recorded, [][sha256.Size]byte, error) {
	return v.chain(ctx, v.Replayer, log, to)
}

func (v variant) AsOf(ctx context.Context, log contract.Reader, at trade.AsOf) (
	trade.State, error) {
	return v.asOf(ctx, v.Replayer, log, at)
}

// An archive is one with the methods of an answer.
type archive struct {
	*Snapshots
	answer
}

func (a archive) Get(ctx context.Context, name string) (contract.Snapshot, error) {
	return a.get(ctx, a.Snapshots, name)
}

func (a archive) Put(ctx context.Context, s contract.Snapshot) error {
	return a.put(ctx, a.Snapshots, s)
}

// suiteOf returns the checks of the reference with a change. Its storage is in memory.
func suiteOf(change func(*answer)) check.Suite {
	a := answer{
		compare: Compare, bisect: Bisect,
		replay: func(ctx context.Context, r Replayer, log contract.Reader, to contract.Cursor) (
			trade.State, int64, error) {
			return r.Replay(ctx, log, to)
		},
		chain: func(ctx context.Context, r Replayer, log contract.Reader, to contract.Cursor) (
			[]contract.Recorded, [][sha256.Size]byte, error) {
			return r.Chain(ctx, log, to)
		},
		asOf: func(ctx context.Context, r Replayer, log contract.Reader, at trade.AsOf) (
			trade.State, error) {
			return r.AsOf(ctx, log, at)
		},
		get: func(ctx context.Context, a *Snapshots, name string) (contract.Snapshot, error) {
			return a.Get(ctx, name)
		},
		put: func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			return a.Put(ctx, s)
		},
	}
	change(&a)
	return replaytest.Lab(replaytest.Answer{
		Compare: a.compare, Bisect: a.bisect,
		Replayer: func(c contract.Codec) replaytest.Replayer { return variant{New(c), a} },
		Archive: func(o contract.Objects) contract.Snapshots {
			return archive{&Snapshots{Objects: o}, a}
		},
		Memory: func(check.T) replaytest.Storage {
			m := &Memory{}
			return replaytest.Storage{Objects: m, Tamper: func(_ check.T, key string,
				content []byte) {
				m.Tamper(key, content)
			}}
		},
	})
}

var wrongs = slices.Concat(wrongReplays, wrongArchives, wrongChains)

var wrongReplays = []wrongAnswer{
	{
		name: "returns a nil pointer as an error", finds: "L4.1",
		hint: "return the word nil",
		change: func(a *answer) {
			a.compare = func(archived, replayed []byte) error {
				var d *contract.Difference
				errors.As(Compare(archived, replayed), &d)
				return d
			}
		},
	},
	{
		name: "finds no difference", finds: "L4.1 L4.2 L4.3",
		hint: "two states that are not equal",
		change: func(a *answer) {
			a.compare = func(_, _ []byte) error { return nil }
		},
	},
	{
		name: "reports the last line that differs", finds: "L4.2 L4.8",
		hint: "cut one line from each state",
		change: func(a *answer) {
			a.compare = func(archived, replayed []byte) error {
				last := Compare(archived, replayed)
				for skip := 1; ; skip++ {
					_, restA, moreA := bytes.Cut(archived, []byte("\n"))
					_, restR, moreR := bytes.Cut(replayed, []byte("\n"))
					if archived, replayed = restA, restR; !moreA || !moreR {
						return last
					}
					var d *contract.Difference
					if errors.As(Compare(archived, replayed), &d) {
						d.Line += skip
						last = d
					}
				}
			}
		},
	},
	{
		name: "counts lines from zero", finds: "L4.2",
		hint: "the first line is line 1",
		change: func(a *answer) {
			a.compare = func(archived, replayed []byte) error {
				var d *contract.Difference
				if errors.As(Compare(archived, replayed), &d) {
					d.Line--
					return d
				}
				return nil
			}
		},
	},
	{
		name: "ignores white space at the end", finds: "L4.3",
		hint: "the same text without its newline",
		change: func(a *answer) {
			a.compare = func(archived, replayed []byte) error {
				if bytes.Equal(bytes.TrimSpace(archived), bytes.TrimSpace(replayed)) {
					return nil
				}
				return Compare(archived, replayed)
			}
		},
	},
	{
		name: "stops at the end of the shorter state", finds: "L4.3",
		hint: "the shorter state has an empty line",
		change: func(a *answer) {
			a.compare = func(archived, replayed []byte) error {
				n := min(len(archived), len(replayed))
				return Compare(archived[:n], replayed[:n])
			}
		},
	},
	{
		name: "stops at the first event after the cursor", finds: "L4.4",
		hint: "yields these events and no other",
		change: replayOf(func(log contract.Reader, to contract.Cursor) contract.Reader {
			return feed{log, func(r contract.Recorded, err error) (bool, bool) {
				return to.Covers(r.Position), to.Covers(r.Position)
			}, true}
		}),
	},
	{
		name: "counts only the events of trades", finds: "L4.4",
		hint: "those of refusals and of snapshots, too",
		change: func(a *answer) {
			a.replay = func(ctx context.Context, r Replayer, log contract.Reader,
				to contract.Cursor) (trade.State, int64, error) {
				streams, _, err := r.streams(ctx, log, to)
				n := 0
				for stream, events := range streams {
					if strings.HasPrefix(stream, trade.TradeStream("")) {
						n += len(events)
					}
				}
				return trade.StateOf(streams, trade.AsOf{}), int64(n), err
			}
		},
	},
	{
		name: "takes the end of the feed for the end of the log", finds: "L4.5",
		hint: "look at it before the event",
		change: replayOf(func(log contract.Reader, _ contract.Cursor) contract.Reader {
			return feed{log, untilError, false}
		}),
	},
	{
		name: "skips events that it cannot decode", finds: "L4.6",
		hint: "vouches for another history",
		change: func(a *answer) {
			a.replay = func(ctx context.Context, r Replayer, log contract.Reader,
				to contract.Cursor) (trade.State, int64, error) {
				return r.Replay(ctx, feed{log, func(e contract.Recorded, err error) (bool, bool) {
					_, broken := contract.Decoded(ctx, r.codec, e)
					return broken == nil, true
				}, false}, to)
			}
		},
	},
	{
		name: "appends without a look at the version", finds: "L4.7",
		hint: "compares the version with the number of events",
		change: func(a *answer) {
			a.replay = func(ctx context.Context, r Replayer, log contract.Reader,
				to contract.Cursor) (trade.State, int64, error) {
				streams, n := map[string][]trade.Event{}, int64(0)
				for e := range log.Read(ctx, nil, to) {
					event, err := contract.Decoded(ctx, r.codec, e)
					if err != nil {
						return trade.State{}, 0, err
					}
					streams[e.Stream], n = append(streams[e.Stream], event), n+1
				}
				return trade.StateOf(streams, trade.AsOf{}), n, nil
			}
		},
	},
	{
		name: "keeps the events of the last replay", finds: "L4.8",
		hint: "each replay begins from nothing",
		change: func(a *answer) {
			seen := map[uuid.UUID]trade.Event{}
			a.replay = func(ctx context.Context, r Replayer, log contract.Reader,
				to contract.Cursor) (trade.State, int64, error) {
				streams, n, err := r.streams(ctx, log, to)
				for _, events := range streams {
					for i, e := range events {
						if _, known := seen[e.ID]; !known {
							seen[e.ID] = e
						}
						events[i] = seen[e.ID]
					}
				}
				return trade.StateOf(streams, trade.AsOf{}), n, err
			}
		},
	},
}

// A feed is a log that keeps some events of a range, and stops at others. past reads on to the end
// of the log.
type feed struct {
	contract.Reader
	keep func(contract.Recorded, error) (keep, more bool)
	past bool
}

func (f feed) Read(ctx context.Context, from, to contract.Cursor) (
	events iter.Seq2[contract.Recorded, error]) {
	return func(yield func(contract.Recorded, error) bool) {
		if f.past {
			to, _ = f.End(ctx)
		}
		for r, err := range f.Reader.Read(ctx, from, to) {
			keep, more := f.keep(r, err)
			if !more || keep && !yield(r, err) {
				return
			}
		}
	}
}

func untilError(_ contract.Recorded, err error) (keep, more bool) { return err == nil, err == nil }

// replayOf replays another view of the log.
func replayOf(view func(contract.Reader, contract.Cursor) contract.Reader) func(*answer) {
	return func(a *answer) {
		a.replay = func(ctx context.Context, r Replayer, log contract.Reader, to contract.Cursor) (
			trade.State, int64, error) {
			return r.Replay(ctx, view(log, to), to)
		}
	}
}

var wrongArchives = []wrongAnswer{
	{
		name: "returns the state alone", finds: "L4.9",
		hint: "returns all but the state",
		change: func(a *answer) {
			a.get = func(ctx context.Context, a *Snapshots, name string) (
				contract.Snapshot, error) {
				s, err := a.Get(ctx, name)
				return contract.Snapshot{Name: s.Name, Digest: s.Digest, State: s.State}, err
			}
		},
	},
	{
		name: "trusts the storage", finds: "L4.10",
		hint: "compute SHA-256 of the bytes that were read",
		change: func(a *answer) {
			a.get = func(ctx context.Context, a *Snapshots, name string) (
				contract.Snapshot, error) {
				m, err := a.manifest(ctx, name)
				if err != nil {
					return contract.Snapshot{}, err
				}
				s := m.snapshot()
				s.State, err = a.Objects.Get(ctx, stateKey(name, s.Digest))
				return s, err
			}
		},
	},
	{
		name: "takes every error for damage", finds: "L4.10",
		hint: "does not answer proves nothing",
		change: func(a *answer) {
			a.get = func(ctx context.Context, a *Snapshots, name string) (
				contract.Snapshot, error) {
				s, err := a.Get(ctx, name)
				if err != nil && !errors.Is(err, contract.ErrNoSnapshot) {
					err = contract.ErrSnapshotDamaged
				}
				return s, err
			}
		},
	},
	{
		name: "tidies the state", finds: "L4.11",
		hint: "the state goes in as the caller gave it",
		change: putAs(func(s *contract.Snapshot) {
			s.State = append(bytes.TrimSpace(s.State), '\n')
			s.Digest = sha256.Sum256(s.State)
		}),
	},
	{
		name: "repairs the digest", finds: "L4.12",
		hint:   "do not repair it",
		change: putAs(func(s *contract.Snapshot) { s.Digest = sha256.Sum256(s.State) }),
	},
	{
		name: "refuses every snapshot", finds: "L4.12",
		hint: "a snapshot whose name and digest are right",
		change: func(a *answer) {
			a.put = func(context.Context, *Snapshots, contract.Snapshot) error {
				return errors.New("refused")
			}
		},
	},
	{
		name: "puts nothing", finds: "L4.16",
		hint: "a Put that returns nil has stored both objects",
		change: func(a *answer) {
			a.put = func(context.Context, *Snapshots, contract.Snapshot) error { return nil }
		},
	},
	{
		name: "puts a snapshot of any name", finds: "L4.12",
		hint: "return the error of CheckName",
		change: func(a *answer) {
			a.put = func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
				if CheckName(s.Name) == nil {
					return a.Put(ctx, s)
				}
				return putObjects(ctx, a, s, state, description)
			}
		},
	},
	{
		name: "takes an object that exists for its own", finds: "L4.13 L4.15",
		hint: "compare its digest with yours",
		change: putWith(func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			return ignoring(putObjects(ctx, a, s, state, description), contract.ErrObjectExists)
		}),
	},
	{
		name: "refuses every name that exists", finds: "L4.14 L4.16",
		hint: "a writer that got no answer tries again",
		change: putWith(func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			err := putObjects(ctx, a, s, state, description)
			if errors.Is(err, contract.ErrObjectExists) {
				return contract.ErrSnapshotTaken
			}
			return err
		}),
	},
	{
		name: "believes a state that is there", finds: "L4.14",
		hint: "an object that exists need not have your bytes",
		change: putWith(func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			err := a.Put(ctx, s)
			if errors.Is(err, contract.ErrSnapshotDamaged) {
				return nil
			}
			return err
		}),
	},
	{
		name: "looks and then writes", finds: "L4.15",
		hint: "between your look and your write",
		change: putWith(func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			switch was, err := a.Get(ctx, s.Name); {
			case err == nil && was.Digest != s.Digest:
				return contract.ErrSnapshotTaken
			case err == nil:
				return nil
			case !errors.Is(err, contract.ErrNoSnapshot):
				return err
			}
			return ignoring(putObjects(ctx, a, s, state, description), contract.ErrObjectExists)
		}),
	},
	{
		name: "puts the manifest first", finds: "L4.16 L4.15",
		hint: "put the state BEFORE it",
		change: putWith(func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			err := putObjects(ctx, a, s, description, state)
			if err = ignoring(err, contract.ErrObjectExists); err != nil {
				return err
			}
			return winner(ctx, a, s)
		}),
	},
	{
		name: "ignores an error of the first write", finds: "L4.16",
		hint: "return an error of the put of the state at once",
		change: putWith(func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			_ = putObjects(ctx, a, s, state)
			err := ignoring(putObjects(ctx, a, s, description), contract.ErrObjectExists)
			if err != nil {
				return err
			}
			return winner(ctx, a, s)
		}),
	},
	{
		name: "hides an error of the storage", finds: "L4.16",
		hint: "return an error of the storage",
		change: putWith(func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			_ = putObjects(ctx, a, s, state, description)
			was, err := a.Get(ctx, s.Name)
			if err == nil && was.Digest != s.Digest {
				return contract.ErrSnapshotTaken
			}
			return nil
		}),
	},
}

// putAs changes a snapshot before it is put.
func putAs(change func(*contract.Snapshot)) func(*answer) {
	return func(a *answer) {
		a.put = func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			change(&s)
			return a.Put(ctx, s)
		}
	}
}

// putWith puts a snapshot whose name and digest are right.
func putWith(put func(context.Context, *Snapshots, contract.Snapshot) error) func(*answer) {
	return func(a *answer) {
		a.put = func(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
			if CheckName(s.Name) != nil || sha256.Sum256(s.State) != s.Digest {
				return errors.New("wrong name or digest")
			}
			return put(ctx, a, s)
		}
	}
}

// An object is a key and its content.
type object func(contract.Snapshot) (string, []byte)

func state(s contract.Snapshot) (string, []byte) { return stateKey(s.Name, s.Digest), s.State }

func description(s contract.Snapshot) (string, []byte) {
	return manifestKey(s.Name), manifestOf(s).encode()
}

// putObjects puts objects in their order. It returns contract.ErrObjectExists of the last one.
func putObjects(ctx context.Context, a *Snapshots, s contract.Snapshot, all ...object) (err error) {
	for _, o := range all {
		key, content := o(s)
		err = a.Objects.Put(ctx, key, content)
		if ignoring(err, contract.ErrObjectExists) != nil {
			return err
		}
	}
	return err
}

// winner returns contract.ErrSnapshotTaken if another state has the name of s.
func winner(ctx context.Context, a *Snapshots, s contract.Snapshot) error {
	was, err := a.Get(ctx, s.Name)
	if err == nil && was.Digest != s.Digest {
		err = contract.ErrSnapshotTaken
	}
	return err
}

func ignoring(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

var wrongChains = []wrongAnswer{
	{
		name: "chains in the order of arrival", finds: "L4.17",
		hint:   "collect all events first, and sort them",
		change: chainWith(func(_, _ contract.Recorded) int { return 0 }, linked, fresh),
	},
	{
		name: "sorts by time alone", finds: "L4.17",
		hint: "two partitions may record at the same microsecond",
		change: chainWith(func(a, b contract.Recorded) int {
			return a.RecordedAt.Compare(b.RecordedAt)
		}, linked, fresh),
	},
	{
		name: "returns an empty chain", finds: "L4.18",
		hint: "each event of the log",
		change: func(a *answer) {
			a.chain = func(context.Context, Replayer, contract.Reader, contract.Cursor) (
				[]contract.Recorded, [][sha256.Size]byte, error) {
				return nil, nil, nil
			}
		},
	},
	{
		name: "chains without a look at the version", finds: "L4.18",
		hint:   "as Replay, return each error of contract.Decoded",
		change: chainWith(byTime, linked, fresh),
	},
	{
		name: "digests each effect alone", finds: "L4.18 L4.20",
		hint: "each digest covers the one before it",
		change: chainWith(byTime, func(_ [sha256.Size]byte, r contract.Recorded,
			events []trade.Event) [sha256.Size]byte {
			return sha256.Sum256(effect(r.Stream, events))
		}, fresh),
	},
	{
		name: "digests the bytes of events", finds: "L4.18",
		hint: "hash the effect of an event, and not its bytes",
		change: chainWith(byTime, func(last [sha256.Size]byte, r contract.Recorded,
			_ []trade.Event) [sha256.Size]byte {
			return sha256.Sum256(append(last[:], r.Data...))
		}, fresh),
	},
	{
		name: "chains a log up to its error", finds: "L4.18",
		hint: "each step of the feed has an error",
		change: func(a *answer) {
			a.chain = func(ctx context.Context, r Replayer, log contract.Reader,
				to contract.Cursor) ([]contract.Recorded, [][sha256.Size]byte, error) {
				return r.Chain(ctx, feed{log, untilError, false}, to)
			}
		},
	},
	{
		name: "begins a chain at the end of another", finds: "L4.20 L4.17",
		hint: "does Chain begin with 32 zero bytes",
		change: func(a *answer) {
			last := new([sha256.Size]byte)
			chainWith(byTime, linked, func() *[sha256.Size]byte { return last })(a)
		},
	},
	{
		name: "compares each place", finds: "L4.19",
		hint: "halve the range",
		change: func(a *answer) {
			a.bisect = func(n int, same func(int) (bool, error)) (int, error) {
				for k := range n {
					if equal, err := same(k); err != nil || !equal {
						return k, err
					}
				}
				return n, nil
			}
		},
	},
	{
		name: "expects a difference", finds: "L4.19",
		hint: "perhaps no place differs",
		change: func(a *answer) {
			a.bisect = func(n int, same func(int) (bool, error)) (int, error) {
				return Bisect(max(n-1, 0), same)
			}
		},
	},
	{
		name: "takes a question without an answer for a difference", finds: "L4.19",
		hint: "neither equal nor different",
		change: func(a *answer) {
			a.bisect = func(n int, same func(int) (bool, error)) (int, error) {
				return Bisect(n, func(k int) (bool, error) {
					equal, err := same(k)
					return equal && err == nil, nil
				})
			}
		},
	},
	{
		name: "takes the time of record for the effective time", finds: "L4.21",
		hint: "give trade.StateOf both times",
		change: func(a *answer) {
			a.asOf = func(ctx context.Context, r Replayer, log contract.Reader, at trade.AsOf) (
				trade.State, error) {
				return r.AsOf(ctx, log, trade.AsOf{Known: at.Known})
			}
		},
	},
	{
		name: "answers for any time", finds: "L4.22",
		hint:   "compare at.Known with log.Frontier",
		change: asOfWith(func(trade.AsOf, trade.AsOf) error { return nil }),
	},
	{
		name: "answers without an event that it cannot take", finds: "L4.22",
		hint: "an answer must have every event",
		change: func(a *answer) {
			a.asOf = func(ctx context.Context, r Replayer, log contract.Reader, at trade.AsOf) (
				trade.State, error) {
				s, err := r.AsOf(ctx, log, at)
				if damage := new(contract.DamagedError); errors.As(err, &damage) {
					return s, nil
				}
				return s, err
			}
		},
	},
	{
		name: "asks for the end before the frontier", finds: "L4.22",
		hint: "ask for the frontier BEFORE the end",
		change: asOfWith(func(at, frontier trade.AsOf) error {
			if at.Known.After(frontier.Known) {
				return &contract.BeyondFrontierError{Asked: at.Known, Frontier: frontier.Known}
			}
			return nil
		}),
	},
	{
		name: "takes a log without a frontier for an empty one", finds: "L4.22",
		hint: "return each error of the log",
		change: asOfView(func(log contract.Reader) contract.Reader {
			return hushed{Reader: log, frontier: true}
		}),
	},
	{
		name: "takes a log without an end for an empty one", finds: "L4.22",
		hint: "return each error of the log",
		change: asOfView(func(log contract.Reader) contract.Reader {
			return hushed{Reader: log, end: true}
		}),
	},
	{
		name: "answers from the log up to its error", finds: "L4.22",
		hint: "return each error of the log",
		change: asOfView(func(log contract.Reader) contract.Reader {
			return feed{log, untilError, false}
		}),
	},
}

// A hushed log hides the errors of a question.
type hushed struct {
	contract.Reader
	end, frontier bool
}

func (h hushed) End(ctx context.Context) (contract.Cursor, error) {
	end, err := h.Reader.End(ctx)
	if h.end {
		err = nil
	}
	return end, err
}

func (h hushed) Frontier(ctx context.Context) (time.Time, error) {
	frontier, err := h.Reader.Frontier(ctx)
	if h.frontier {
		err = nil
	}
	return frontier, err
}

// asOfView answers from another view of the log.
func asOfView(view func(contract.Reader) contract.Reader) func(*answer) {
	return func(a *answer) {
		a.asOf = func(ctx context.Context, r Replayer, log contract.Reader, at trade.AsOf) (
			trade.State, error) {
			return r.AsOf(ctx, view(log), at)
		}
	}
}

// asOfWith asks for the end before the frontier.
func asOfWith(allowed func(at, frontier trade.AsOf) error) func(*answer) {
	return func(a *answer) {
		a.asOf = func(ctx context.Context, r Replayer, log contract.Reader, at trade.AsOf) (
			trade.State, error) {
			end, _ := log.End(ctx)
			frontier, _ := log.Frontier(ctx)
			if err := allowed(at, trade.AsOf{Known: frontier}); err != nil {
				return trade.State{}, err
			}
			if at.Known.IsZero() {
				at.Known = frontier
			}
			streams, _, err := r.streams(ctx, log, end)
			return trade.StateOf(streams, at), err
		}
	}
}

type linkFunc = func(last [sha256.Size]byte, r contract.Recorded, events []trade.Event,
) [sha256.Size]byte

func linked(last [sha256.Size]byte, r contract.Recorded, events []trade.Event) [sha256.Size]byte {
	return sha256.Sum256(append(last[:], effect(r.Stream, events)...))
}

func fresh() *[sha256.Size]byte { return new([sha256.Size]byte) }

func byTime(a, b contract.Recorded) int {
	if c := a.RecordedAt.Compare(b.RecordedAt); c != 0 {
		return c
	}
	if c := strings.Compare(a.Stream, b.Stream); c != 0 {
		return c
	}
	return int(a.Version - b.Version)
}

// chainWith chains in some order, by some rule, after the digest that begin returns.
func chainWith(order func(a, b contract.Recorded) int, link linkFunc,
	begin func() *[sha256.Size]byte) func(*answer) {
	return func(a *answer) {
		a.chain = func(ctx context.Context, r Replayer, log contract.Reader, to contract.Cursor) (
			events []contract.Recorded, chain [][sha256.Size]byte, err error) {
			for e, err := range log.Read(ctx, nil, to) {
				if err != nil {
					return nil, nil, err
				}
				events = append(events, e)
			}
			slices.SortStableFunc(events, order)
			streams, last := map[string][]trade.Event{}, begin()
			for _, recorded := range events {
				e, err := contract.Decoded(ctx, r.codec, recorded)
				if err != nil {
					return nil, nil, err
				}
				streams[recorded.Stream] = append(streams[recorded.Stream], e)
				*last = link(*last, recorded, streams[recorded.Stream])
				chain = append(chain, *last)
			}
			return events, chain, nil
		}
	}
}

// Each wrong answer fails the checks that are meant to find it. A golden file has the text of the
// first.
func TestSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	var scores gradetest.Scores
	if !testing.Short() {
		t.Cleanup(func() { scores.Compare(t, *Update) }) // after the parallel subtests
	}
	found := map[string]bool{}
	for _, w := range wrongs {
		for _, id := range strings.Fields(w.finds) {
			found[id] = true
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			requireFound(t, w, &scores)
		})
	}
	for _, c := range suiteOf(func(*answer) {}).Checks {
		require.True(t, found[c.ID], "no wrong answer has %s in finds", c.ID)
	}
}

// requireFound requires that the listed checks fail. The long run also tries the others, and takes
// down the score.
func requireFound(t *testing.T, w wrongAnswer, scores *gradetest.Scores) {
	expected := strings.Fields(w.finds)
	s := suiteOf(w.change)
	scores.Add(w.name, []check.Suite{s}, append(othersLost(t, w), expected...))
	for _, c := range s.Checks {
		if !slices.Contains(expected, c.ID) {
			continue
		}
		v := check.Judge(t.Context(), s, c)
		require.Equal(t, check.Failed, v.Outcome, "%s: %s", c.ID, v.Text)
		if c.ID == expected[0] {
			require.Contains(t, v.Text, w.hint, "the hint for this fault")
			golden(t, w.name, v.Text)
		}
	}
}

// othersLost returns the checks that fail, too, in a long run.
func othersLost(t *testing.T, w wrongAnswer) (lost []string) {
	if testing.Short() {
		return nil
	}
	s := suiteOf(w.change)
	for _, c := range s.Checks {
		if !slices.Contains(strings.Fields(w.finds), c.ID) &&
			check.Judge(t.Context(), s, c).Outcome != check.Passed {
			lost = append(lost, c.ID)
		}
	}
	return lost
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "wrong", strings.ReplaceAll(name, " ", "-")+".golden")
	if *Update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got,
		"to rewrite it: go test ./solutions/4-replay/plain -run Wrong -update")
}

// constants make the function of one operation constant.
var constants = map[string]func(*answer, error){
	"L4.compare": func(a *answer, err error) {
		a.compare = func(_, _ []byte) error { return err }
	},
	"L4.replay": func(a *answer, err error) {
		a.replay = func(context.Context, Replayer, contract.Reader, contract.Cursor) (
			trade.State, int64, error) {
			return trade.State{}, 0, err
		}
	},
	"L4.get": func(a *answer, err error) {
		a.get = func(context.Context, *Snapshots, string) (contract.Snapshot, error) {
			return contract.Snapshot{}, err
		}
	},
	"L4.put": func(a *answer, err error) {
		a.put = func(context.Context, *Snapshots, contract.Snapshot) error { return err }
	},
	"L4.chain": func(a *answer, err error) {
		a.chain = func(context.Context, Replayer, contract.Reader, contract.Cursor) (
			[]contract.Recorded, [][sha256.Size]byte, error) {
			return nil, nil, err
		}
	},
	"L4.bisect": func(a *answer, err error) {
		a.bisect = func(int, func(int) (bool, error)) (int, error) { return 0, err }
	},
	"L4.asof": func(a *answer, err error) {
		a.asOf = func(context.Context, Replayer, contract.Reader, trade.AsOf) (
			trade.State, error) {
			return trade.State{}, err
		}
	},
}

// A stub is to do, or blocked by another one, in every check.
func TestStubsAreToDo(t *testing.T) {
	t.Parallel()
	s := suiteOf(func(a *answer) {
		for operation, set := range constants {
			set(a, check.TODO(operation))
		}
	})
	for _, v := range check.JudgeAll(t.Context(), s) {
		require.Contains(t, []check.Outcome{check.Todo, check.Blocked}, v.Outcome,
			"%s: %s", v.Check.ID, v.Text)
	}
}

// A constant answer earns no points, also if all other operations are right: neither zero values,
// nor the same error each time.
func TestConstantAnswersEarnNothing(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"nothing": nil, "an error": errors.New("refused")} {
		all := suiteOf(func(a *answer) {
			for _, set := range constants {
				set(a, err)
			}
		})
		for _, c := range all.Checks {
			require.Contains(t, constants, c.Operation)
			one := suiteOf(func(a *answer) { constants[c.Operation](a, err) })
			for _, s := range []check.Suite{all, one} {
				i := slices.IndexFunc(s.Checks, func(x check.Check) bool { return x.ID == c.ID })
				v := check.Judge(t.Context(), s, s.Checks[i])
				require.Equal(t, check.Failed, v.Outcome, "%s: the answer %s", c.ID, name)
			}
		}
	}
}
