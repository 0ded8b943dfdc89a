package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
)

// A scene is a log under two checkpoints, with more events after the last one.
type scene struct {
	*folder
	kept string // a copy of the broker's files, for restore
	// The events of the intruder's partition, in order:
	sealed     []event // under the checkpoints
	unanchored []event // after them
}

func newScene(t testing.TB, store string) *scene {
	t.Helper()
	s := &scene{folder: newFolder(t, store)}
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
		return breakIn(t, s.folder, s.kept)
	}
	return signIn(t, s.folder)
}

func (s *scene) events() []event {
	s.t.Helper()
	in := s.enter(s.t)
	defer in.leave()
	return in.events()
}

// keep makes the copy from which an intruder restores the log.
func (s *scene) keep() {
	if s.store == "kafka" {
		s.kept = s.t.TempDir()
		require.NoError(s.t, os.CopyFS(s.kept, os.DirFS(partitions(s.folder))))
		return
	}
	in := signIn(s.t, s.folder)
	in.keep()
	in.leave()
}

// after restores the log, changes it and runs a command. It requires that the command alters
// neither the log nor the archive.
func (s *scene) after(t testing.TB, change func(intruder), args ...string) result {
	t.Helper()
	in := s.enter(t)
	in.restore()
	change(in)
	in.commit()
	log, archive := in.digests(), archived(t, s.folder)
	in.leave()

	r := s.run(args...)

	in = s.enter(t)
	defer in.leave()
	require.Equal(t, log, in.digests(), "%s altered the log", args)
	require.Equal(t, archive, archived(t, s.folder), "%s altered the archive", args)
	return r
}

// targets are the positions of the changes. a and b are in different streams, next comes right
// after a, and last is the first event of a tail.
type targets struct{ a, next, b, last contract.Position }

func (s *scene) targets() targets {
	at := func(i int) contract.Position { return s.sealed[i].at }
	const first = 3
	other := slices.IndexFunc(s.sealed[first+2:], func(e event) bool {
		return e.stream != s.sealed[first].stream
	})
	return targets{at(first), at(first + 1), at(first + 2 + other), at(len(s.sealed) - 4)}
}

// later is the position of the event of next after an insertion, which moves it as far as next is
// from a.
func (w targets) later() contract.Position {
	moved := w.next
	moved.Offset += w.next.Offset - w.a.Offset
	return moved
}

// named replaces the names of positions in a text by the positions.
func (w targets) named(text string) string {
	return strings.NewReplacer(
		"{a}", w.a.String(), "{next}", w.next.String(), "{b}", w.b.String(),
		"{last}", w.last.String(), "{end}", fmt.Sprint(w.last.Offset),
		"{later}", w.later().String(),
	).Replace(text)
}

// offsets replaces the names of positions in a text by their offsets.
func (w targets) offsets(text string) string {
	return strings.NewReplacer(
		"{a}", fmt.Sprint(w.a.Offset), "{next}", fmt.Sprint(w.next.Offset),
		"{end}", fmt.Sprint(w.last.Offset),
	).Replace(text)
}

// leaf matches the number of a leaf, which these tests do not predict.
var leaf = regexp.MustCompile(`\(leaf [0-9]+\)`)

// inserted matches the id of an event that an intruder made.
var inserted = regexp.MustCompile(`event [-0-9a-f]{36} here`)

// says is the end of the line that verify prints, by store; under "" for both stores.
type says map[string]string

// A tampering is a change of the log.
type tampering struct {
	name   string
	change func(intruder, targets)
	says   says
}

const missing = "position {a} (leaf N): missing event: " +
	"the event that was sealed here is not in the log any more"

var tamperings = []tampering{
	{"payload bit", func(in intruder, w targets) { in.flip(w.a) }, says{
		"": "position {a} (leaf N): changed event: the payload is not the sealed payload",
	}},
	{"attribute", func(in intruder, w targets) { in.rewrite(w.a) }, says{
		"": `position {a} (leaf N): changed event: approver was sealed as "" and is "nobody"`,
	}},
	{"event removed", func(in intruder, w targets) { in.remove(w.a) }, says{
		"kafka":    missing,
		"postgres": "position {a} (leaf N): damaged log: its event is missing",
	}},
	{"event removed, gap closed", func(in intruder, w targets) { in.closeUp(w.a) }, says{
		"": missing + "; the event sealed at {next} is in its place",
	}},
	{"event inserted", func(in intruder, w targets) { in.insert(w.a) }, says{
		"": "position {next} (leaf N): extra event: the log has event ID here, " +
			"which was never sealed; the event sealed here is at {later}",
	}},
	{"events swapped", func(in intruder, w targets) { in.swap(w.a, w.b) }, says{
		"": "position {a} (leaf N): swapped events: " +
			"the events sealed here and at {b} changed places",
	}},
	{"payloads exchanged", func(in intruder, w targets) { in.exchange(w.a, w.b) }, says{
		"": "position {a} (leaf N): exchanged payload: " +
			"the event has the payload of the event sealed at {b}",
	}},
	{"tail cut", func(in intruder, w targets) { in.cut(w.last) }, says{
		"kafka": "position {last} (leaf N): tail cut: " +
			"partition 1 of the log ends at offset {end}, before this sealed event",
		"postgres": "position {last} (leaf N): tail cut: " +
			"partition 0 of the log ends at offset {end}, before this sealed event",
	}},
	{"two changes", func(in intruder, w targets) { in.flip(w.b); in.rewrite(w.a) }, says{
		"": `position {a} (leaf N): changed event: approver was sealed as "" and is "nobody"`,
	}},
}

func TestVerifyNamesTheFirstBadPosition(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	for _, store := range []string{"kafka", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, store)
			w := s.targets()
			for _, tc := range tamperings {
				t.Run(tc.name, func(t *testing.T) {
					r := s.after(t, func(in intruder) { tc.change(in, w) }, "verify")
					want := "the log does not verify: " + w.named(tc.says[""]+tc.says[store])
					got := leaf.ReplaceAllString(r.complaint(), "(leaf N)")
					require.Equal(t, want, inserted.ReplaceAllString(got, "event ID here"))
					require.Equal(t, 1, r.code)
					require.Empty(t, r.stdout)
				})
			}
			t.Run("unanchored event", func(t *testing.T) {
				change := func(in intruder) { in.rewrite(s.unanchored[0].at) }
				r := s.after(t, change, "verify")
				if store == "kafka" { // the owner's index still has the event as it was
					require.Contains(t, r.complaint(), "the log verifies to its checkpoint, "+
						"and the index or an event past the checkpoint was changed: ")
					require.Equal(t, 1, r.code)
				} else {
					require.Zero(t, r.code, r.stderr)
				}
				const unanchored = ` in 2 batches under it; [1-9][0-9]* past it, unanchored\n`
				require.Regexp(t, unanchored, r.stdout)
			})
			t.Run("no change", func(t *testing.T) {
				require.Zero(t, s.after(t, func(intruder) {}, "verify").code)
			})
		})
	}
}

// The broker itself would cut the log at a wrong checksum and continue. The stack refuses the
// files.
func TestStackRefusesForeignFiles(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	s := newScene(t, "kafka")
	w := s.targets()
	// breaking keeps the checksum of the batch of event a.
	breaking := func(change func(*burglar)) func(*burglar) {
		return func(in *burglar) { in.place(in.t, w.a).batch.broken = true; change(in) }
	}
	const checksum = "at offset {a}: the checksum of a batch does not match"
	for _, tc := range []struct {
		name   string
		change func(*burglar)
		says   string
	}{
		{"payload bit", breaking(func(in *burglar) { in.flip(w.a) }), checksum},
		{"attribute", breaking(func(in *burglar) { in.rewrite(w.a) }), checksum},
		{"event removed", breaking(func(in *burglar) { in.remove(w.a) }), checksum},
		{"events swapped", breaking(func(in *burglar) { in.swap(w.a, w.b) }), checksum},
		{"payloads exchanged", breaking(func(in *burglar) { in.exchange(w.a, w.b) }), checksum},
		{"batches removed", func(in *burglar) { in.splice(w.a.Offset, 2, false) },
			"at offset {a}: a batch says it begins at offset {next}"},
		{"tail cut, shutdown note kept", func(in *burglar) { in.truncate(w.last.Offset) },
			"at offset {end}: it ended at offset "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			change := func(in intruder) { tc.change(in.(*burglar)) }
			importFirst := []string{"import", "--simulate", "../books/first.jsonl"}
			for _, command := range [][]string{{"verify"}, importFirst} {
				r := s.after(t, change, command...)
				require.Contains(t, r.complaint(),
					"kafka: log of blotter.events, partition 1, is damaged "+w.offsets(tc.says))
				require.Contains(t, r.stderr,
					"\nhint: restore the data directory from a backup; "+
						"this check altered no file\n")
				require.Equal(t, 1, r.code)
			}
		})
	}
}

func TestVerifyNamesARecordThatIsNoEvent(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	s := newScene(t, "kafka")
	w := s.targets()
	r := s.after(t, func(in intruder) {
		r := in.(*burglar).place(t, w.a).record
		i := slices.IndexFunc(r.Headers, func(h kmsg.Header) bool { return h.Key == "ce_version" })
		r.Headers[i].Value = []byte("first")
	}, "verify")
	want := "the log does not verify: position {a} (leaf N): damaged log: " +
		`this record is no event: header ce_version "first"`
	require.Contains(t, leaf.ReplaceAllString(r.complaint(), "(leaf N)"), w.named(want))
	require.Equal(t, 1, r.code)
}

// Commands that ask or write, and do not verify, also report a hole in a history when they read
// that history from the log.
func TestCommandsReportAHoleInAHistory(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	const damaged = "the log is damaged at position "
	const hole = damaged + "{second}: {stream} has version 2 here, want 1"
	for store, says := range map[string]map[string]string{ // by command
		"kafka": {
			"history":  hole,
			"position": hole,
			"import":   hole,
		},
		"postgres": {
			"history":  damaged + "{first}: its event is missing",
			"state":    "stream {stream}: the log is damaged: version 2 follows 0",
			"position": damaged + "{first}: its event is missing",
		},
	} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, store)
			first, second := s.twoOfOneTrade()
			in := s.enter(t)
			in.restore()
			in.remove(first.at)
			in.commit()
			in.leave()
			// The index was made before the hole, and would answer. Without it the log is read.
			require.NoError(t, os.RemoveAll(filepath.Join(s.data, "index")))
			named := strings.NewReplacer("{stream}", first.stream,
				"{first}", first.at.String(), "{second}", second.at.String())
			for command, want := range says {
				args := map[string][]string{
					"history":  {"history", strings.TrimPrefix(first.stream, "trade/")},
					"position": {"position"},
					"state": {"state", strings.TrimPrefix(first.stream, "trade/"),
						"--known-at", "2025-03-01", "--effective-at", "2025-03-01"},
					"import": {"import", "--simulate", "../books/first.jsonl"},
				}[command]
				r := s.run(args...)
				require.Contains(t, r.complaint(), named.Replace(want), command)
				require.Equal(t, 1, r.code)
			}
			require.Contains(t, s.run("verify").complaint(),
				"the log does not verify: position "+first.at.String())
		})
	}
}

// twoOfOneTrade returns the first two events of a trade.
func (s *scene) twoOfOneTrade() (first, second event) {
	for i, e := range s.sealed {
		if !strings.HasPrefix(e.stream, "trade/") {
			continue
		}
		same := func(later event) bool { return later.stream == e.stream }
		if j := slices.IndexFunc(s.sealed[i+1:], same); j >= 0 {
			return e, s.sealed[i+1+j]
		}
	}
	panic("no trade of the book has two events")
}
