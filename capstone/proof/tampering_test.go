package proof_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// A scene is a log under two checkpoints, with more behind the last.
type scene struct {
	*desk
	kept string // the broker's files, for who is to put them back
	// Of the partition that the intruder is after, in order:
	sealed     []event // under the checkpoints
	unanchored []event // behind them
}

func setScene(t testing.TB, store string) *scene {
	t.Helper()
	s := &scene{desk: newDesk(t, store)}
	s.imported("--simulate", "../books/first.jsonl")
	s.ok("seal")
	s.imported("--simulate", lines(t, 0, 60))
	s.ok("seal")
	s.sealed = s.events()
	require.Contains(t, s.ok("verify").stdout, "in 2 batches under it; 0 past it, unanchored")
	s.imported("--simulate", lines(t, 60, 90))
	s.unanchored = s.events()[len(s.sealed):]
	s.keep()
	return s
}

func (s *scene) enter(t testing.TB) intruder {
	t.Helper()
	if s.store == "kafka" {
		return breakIn(t, s.desk, s.kept)
	}
	return signIn(t, s.desk)
}

func (s *scene) events() []event {
	s.t.Helper()
	in := s.enter(s.t)
	defer in.leave()
	return in.events()
}

// keep makes the copy that an intruder restores the log from.
func (s *scene) keep() {
	if s.store == "kafka" {
		s.kept = s.t.TempDir()
		require.NoError(s.t, os.CopyFS(s.kept, os.DirFS(partitions(s.desk))))
		return
	}
	in := signIn(s.t, s.desk)
	in.keep()
	in.leave()
}

// after has something done to the log as it was, runs a command, and holds against each other what there was to look at before
// and after: nothing may be altered by looking.
func (s *scene) after(t testing.TB, do func(intruder), args ...string) result {
	t.Helper()
	in := s.enter(t)
	in.restore()
	do(in)
	in.commit()
	log, archive := in.digests(), archived(t, s.desk)
	in.leave()

	r := s.run(args...)

	in = s.enter(t)
	defer in.leave()
	require.Equal(t, log, in.digests(), "the log, which %s was to look at and no more", args)
	require.Equal(t, archive, archived(t, s.desk), "the archive, which %s was to look at and no more", args)
	return r
}

// The positions that tampering is done at: a and b are of different streams, next is the one behind a, last is the first of a tail.
type where struct{ a, next, b, last contract.Position }

func (s *scene) where() where {
	at := func(i int) contract.Position { return s.sealed[i].at }
	const first = 3
	other := slices.IndexFunc(s.sealed[first+2:], func(e event) bool { return e.stream != s.sealed[first].stream })
	return where{at(first), at(first + 1), at(first + 2 + other), at(len(s.sealed) - 4)}
}

// named puts positions for their names into a text.
func (w where) named(text string) string {
	return strings.NewReplacer("{a}", w.a.String(), "{next}", w.next.String(), "{b}", w.b.String(), "{last}", w.last.String(), "{end}", fmt.Sprint(w.last.Offset)).Replace(text)
}

// offsets puts offsets for their names.
func (w where) offsets(text string) string {
	return strings.NewReplacer("{a}", fmt.Sprint(w.a.Offset), "{next}", fmt.Sprint(w.next.Offset), "{end}", fmt.Sprint(w.last.Offset)).Replace(text)
}

// How many leaves stand before a position is another test's business.
var leaf = regexp.MustCompile(`\(leaf [0-9]+\)`)

func TestVerifyNamesTheFirstBadPosition(t *testing.T) {
	t.Parallel()
	cases := []struct {
		tampering string
		do        func(intruder, where)
		says      map[string]string // by store; one for both is under ""
	}{
		{"a bit of a payload flipped", func(in intruder, w where) { in.flip(w.a) }, map[string]string{
			"": "position {a} (leaf N): changed event: the payload is not the sealed payload",
		}},
		{"an attribute rewritten", func(in intruder, w where) { in.rewrite(w.a) }, map[string]string{
			"": `position {a} (leaf N): changed event: approver was sealed as "" and is "nobody"`,
		}},
		{"an event deleted", func(in intruder, w where) { in.remove(w.a) }, map[string]string{
			"kafka":    "position {a} (leaf N): missing event: the event that was sealed here is not in the log any more",
			"postgres": "position {a} (leaf N): damaged log: no event is there any more",
		}},
		{"an event deleted, and the gap closed up", func(in intruder, w where) { in.closeUp(w.a) }, map[string]string{
			"": "position {a} (leaf N): missing event: the event that was sealed here is not in the log any more; the event sealed at {next} is in its place",
		}},
		{"two events swapped", func(in intruder, w where) { in.swap(w.a, w.b) }, map[string]string{
			"": "position {a} (leaf N): swapped events: the events sealed here and at {b} changed places",
		}},
		{"a payload exchanged with another event's", func(in intruder, w where) { in.exchange(w.a, w.b) }, map[string]string{
			"": "position {a} (leaf N): exchanged payload: the event has the payload of the event sealed at {b}",
		}},
		{"the tail cut below the last checkpoint", func(in intruder, w where) { in.cut(w.last) }, map[string]string{
			"kafka":    "position {last} (leaf N): tail cut: partition 1 of the log ends at offset {end}, before this sealed event",
			"postgres": "position {last} (leaf N): tail cut: partition 0 of the log ends at offset {end}, before this sealed event",
		}},
		{"two at once: the first is named", func(in intruder, w where) { in.flip(w.b); in.rewrite(w.a) }, map[string]string{
			"": `position {a} (leaf N): changed event: approver was sealed as "" and is "nobody"`,
		}},
	}
	for _, store := range []string{"kafka", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := setScene(t, store)
			w := s.where()
			for _, tc := range cases {
				t.Run(tc.tampering, func(t *testing.T) {
					r := s.after(t, func(in intruder) { tc.do(in, w) }, "verify")
					want := tc.says[""] + tc.says[store]
					require.Equal(t, "the log does not verify: "+w.named(want), leaf.ReplaceAllString(r.complaint(), "(leaf N)"))
					require.Equal(t, 1, r.code)
					require.Empty(t, r.stdout)
				})
			}
			t.Run("what is past the checkpoint is unanchored", func(t *testing.T) {
				r := s.after(t, func(in intruder) { in.rewrite(s.unanchored[0].at) }, "verify")
				require.Zero(t, r.code, r.stderr)
				require.Regexp(t, ` in 2 batches under it; [1-9][0-9]* past it, unanchored\n`, r.stdout)
			})
			t.Run("nothing was done", func(t *testing.T) {
				require.Zero(t, s.after(t, func(intruder) {}, "verify").code)
			})
		})
	}
}
