package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// A world is a sealed log with its archive, and its last checkpoint in the data folder.
type world struct {
	t        *testing.T
	log      *audittest.Log
	archive  *audit.Memory
	first    map[string][]byte // the archive after the first seal
	over     map[string][]byte // objects that were changed; nil for a removed one
	known    []byte            // keys/checkpoint in the data folder
	evidence [][]byte          // checkpoints that were kept as evidence
	disposed map[int64]bool    // batches whose records were removed
	since    []byte            // a checkpoint that was kept elsewhere, from which to verify
	places   []string          // that random changes touched
	sealed   []contract.Position
	holes    []contract.Position // between the sealed events
}

// newWorld seals a log twice. One partition stands for the database, several for a broker.
func newWorld(t *testing.T, partitions int) *world {
	t.Helper()
	w := &world{t: t, log: audittest.NewLog(partitions), archive: new(audit.Memory)}
	for _, n := range []int{8, 7} {
		w.log.Add(n)
		c, err := w.auditor().Seal(t.Context())
		require.NoError(t, err)
		if w.known = c.Note; w.first == nil {
			w.first = objectsOf(t, w.archive)
		}
	}
	for _, ev := range w.log.Events() {
		w.sealed = append(w.sealed, ev.Position)
	}
	end, err := w.log.End(t.Context())
	require.NoError(t, err)
	for p, last := range end {
		for offset := range last {
			if at := at(int32(p), offset); !slices.Contains(w.sealed, at) {
				w.holes = append(w.holes, at)
			}
		}
	}
	return w
}

func objectsOf(t *testing.T, archive audit.Archive) map[string][]byte {
	t.Helper()
	names, err := archive.List(t.Context(), "")
	require.NoError(t, err)
	all := map[string][]byte{}
	for _, name := range names {
		all[name] = object(t, archive, name)
	}
	return all
}

// copy returns a world that can be changed alone.
func (w *world) copy(t *testing.T) *world {
	c := *w
	c.t, c.log, c.over = t, w.log.Clone(), map[string][]byte{}
	return &c
}

func (w *world) auditor() *audit.Auditor {
	a := open(w.t, w.log, edited{w.archive, w.over})
	a.Evidence, a.Committed = w.evidence, w.log.Committed
	if w.disposed != nil {
		a.Disposed = func(context.Context) (map[int64]bool, error) { return w.disposed, nil }
	}
	a.Known, a.Verifier = w.known, &remembering{Verifier: a.Verifier}
	return a
}

// remembering is a key that checks each signature once: the mutations change few.
type remembering struct{ note.Verifier }

var signatures sync.Map

func (r *remembering) Verify(msg, sig []byte) bool {
	key := string(msg) + "\x00" + string(sig)
	ok, seen := signatures.Load(key)
	if !seen {
		ok = r.Verifier.Verify(msg, sig)
		signatures.Store(key, ok)
	}
	return ok.(bool)
}

// named returns what the verifier says of a world: the fault, an error that names another key, the
// offenders, the foreign objects, or else the events that no signature covers.
func (w *world) named() string {
	w.t.Helper()
	a, foreign := w.auditor(), ""
	a.Foreign = func(name string, why error) { foreign = fmt.Sprintf("foreign: %s: %v", name, why) }
	verify := a.Verify
	if w.since != nil {
		verify = func(ctx context.Context) (contract.Verification, error) {
			return a.VerifySince(ctx, w.since)
		}
	}
	v, err := verify(w.t.Context())
	switch {
	case err != nil:
		return err.Error()
	case v.Fault != nil:
		return v.Fault.Error()
	case len(v.Offenders) > 0:
		return v.Offenders[0].String()
	case v.Checkpoint.Size == 0 && a.CheckUnsealed(w.t.Context()) != nil:
		return a.CheckUnsealed(w.t.Context()).Error()
	case foreign != "":
		return foreign
	case v.Unanchored > 0:
		return fmt.Sprintf("%d unanchored", v.Unanchored)
	}
	return ""
}

// get returns an object as it is now.
func (w *world) get(name string) []byte {
	if data, ok := w.over[name]; ok {
		return data
	}
	return object(w.t, w.archive, name)
}

// duplicate copies an event into a hole.
func (w *world) duplicate(from, hole contract.Position) {
	var copied contract.Recorded
	w.log.Change(from, func(r *contract.Recorded) { copied = *r })
	w.log.Insert(hole)
	w.log.Change(hole, func(r *contract.Recorded) { copied.Position = hole; *r = copied })
}

// kinds are the prefixes of the objects in an archive. The last object of each kind is attacked.
var kinds = []string{"batches/", "records/", "tile/0/", "tile/entries/", "checkpoints/"}

// A tamper is a row of the matrix: an attack, and its cells. Both columns of logs take the same
// attack, and so do all kinds of objects in the archive. The cells of real stores and of extracts
// are in other tests, which the row names.
type tamper struct {
	name string

	log     func(w *world)
	logSays string

	object func(data, other []byte) []byte // the result is nil for a removed object

	at []string // FILE TestName, or the file of a script
}

// objectFaults has the cause that an attack on an object must have in the fault, for each of kinds.
var objectFaults = map[string][]string{
	"flip a bit": {"invalid signature", "invalid signature",
		"it differs from byte 128 on, and has 256 of 256 bytes",
		"it differs from byte ", "not a checkpoint of this log: "},
	"delete": {"no such object", "no such object", "no such object", "no such object",
		"has size 11, and a checkpoint of size 21 was published"},
	"swap": {"its number is 1", "its text is not that of batch 6",
		"it goes on after its 256 bytes, and has 352",
		"it goes on after its 2942 bytes, and has 3974",
		"its size is "},
	"duplicate": {"invalid signature", "it goes on after the last body",
		"it goes on after its 256 bytes, and has 512",
		"it goes on after its 2942 bytes, and has 5884", "not a checkpoint of this log: "},
	"truncate the tail": {"malformed note", "it ends inside the body of event 0",
		"it ends after 255 of 256 bytes", "it ends after ", "not a checkpoint of this log: "},
}

const (
	onStores  = "capstone/e2e/tampering_test.go TestVerifyNamesTheFirstBadPosition"
	onTrust   = "capstone/e2e/trust_linux_test.go TestEveryBreachIsNamed"
	onEnds    = "capstone/cmd/blotter/testdata/script/lost_end.txtar"
	onKept    = "capstone/cmd/blotter/testdata/script/kept_checkpoint.txtar"
	onEmptied = "capstone/cmd/blotter/testdata/script/emptied_archive.txtar"
	onTimes   = "capstone/e2e/backdated_test.go TestBackdatedEventIsNamed"
	onBits    = "capstone/extract/tampered_test.go TestFlippedBitsAreFound"
	onFiles   = "capstone/extract/tampered_test.go TestMissingAndExtraFilesAreNamed"
	onLies    = "capstone/extract/tampered_test.go TestSignedLiesAreFound"
	onKeys    = "capstone/extract/tampered_test.go TestAnotherKeyIsRefused"
	otherKeys = "solutions/5-audit/foreign_test.go TestOtherKeyIsNamed"
)

var tampers = []tamper{
	{"flip a bit", func(w *world) { w.log.FlipBit(w.sealed[2]) }, "changed event: the payload",
		func(data, _ []byte) []byte { data[len(data)/2] ^= 4; return data },
		[]string{onStores, onBits}},
	{"delete", func(w *world) { w.log.Delete(w.sealed[2]) }, "missing event: ",
		func([]byte, []byte) []byte { return nil }, []string{onStores, onFiles, onLies}},
	{"insert", func(w *world) { w.log.Insert(w.holes[0]) }, "extra event: ",
		nil, []string{onStores, onFiles, onLies}},
	{"swap", func(w *world) { w.log.Swap(w.sealed[0], w.sealed[1]) }, "swapped events: ",
		func(_, other []byte) []byte { return other }, []string{onStores, onLies}},
	{"duplicate", func(w *world) { w.duplicate(w.sealed[1], w.holes[0]) }, "extra event: ",
		func(data, _ []byte) []byte { return append(data, data...) }, []string{onLies}},
	{"truncate the tail", func(w *world) { w.log.Cut(w.sealed[len(w.sealed)-1]) }, "tail cut: ",
		func(data, _ []byte) []byte { return data[:len(data)-1] }, []string{onStores, onLies}},
	{"swap payloads", func(w *world) { w.log.ExchangePayloads(w.sealed[0], w.sealed[2]) },
		"exchanged payload: ", nil, []string{onStores}},
	{"backdate", func(w *world) {
		w.log.AddAt("trade/UTI-9", audittest.Noon)
	}, "(unanchored): recorded_at 2025-03-30T12:00:00Z is not after the frontier", nil,
		[]string{onTimes}},
	{"backdate a sealed event", func(w *world) {
		w.log.Change(w.sealed[2], func(r *contract.Recorded) { r.RecordedAt = audittest.Noon })
	}, "changed event: recorded_at was sealed as ", nil, nil},
	{"change past the checkpoint", func(w *world) {
		w.log.FlipBit(w.log.AddAt("trade/UTI-9", tomorrow()))
	}, "1 unanchored", nil, []string{onStores}},
	{"truncate the tail and the local head", func(w *world) {
		w.log.Cut(w.sealed[len(w.sealed)-1])
		w.known = nil
	}, "tail cut: ", nil, []string{onEnds}},
	{"roll back the archive", func(w *world) { w.rollBack() }, "the archive was rolled back: ",
		nil, []string{onEmptied}},
	{"roll back log and archive", func(w *world) {
		for _, at := range slices.Backward(w.sealed[len(w.sealed)-2:]) {
			w.log.Cut(at)
		}
		w.rollBack()
	}, "the archive was rolled back: ", nil, nil},
	{"roll back log, archive and the local head", func(w *world) {
		for _, at := range slices.Backward(w.sealed[len(w.sealed)-2:]) {
			w.log.Cut(at)
		}
		w.rollBack()
		w.since, w.known = w.known, nil
	}, "the archive was rolled back: ", nil, nil},
	{"rewrite a suffix and hash it again, with the signer key", func(w *world) {
		w.reseal(w.first, keys)
	}, "two histories were signed: ", nil, nil},
	{"replace all checkpoints with another key", func(w *world) {
		w.reseal(nil, newKeys)
	}, "signed by another key", nil, []string{otherKeys, onKeys, onTrust}},
	{"empty the archive", func(w *world) { w.empty() }, "the archive was rolled back: its last " +
		"checkpoint has size 0", nil, []string{onEmptied}},
	{"empty the archive, with keys/checkpoint gone", func(w *world) { w.empty(); w.known = nil },
		"a seal began: the log has the frontier of a seal on record: ", nil, []string{onKept}},
	{"empty the archive of a simulated log, with keys/checkpoint gone", func(w *world) {
		w.log = audittest.NewLog(1)
		w.log.Simulate()
		w.log.Add(2)
		_, err := open(w.t, w.log, new(audit.Memory)).Seal(w.t.Context())
		require.NoError(w.t, err)
		w.empty()
		w.known = nil
	}, "a seal began: the simulated log has on record that a seal began", nil, []string{onKept}},
	{"empty the archive but for its copy, with keys/checkpoint gone", func(w *world) {
		w.emptyBut(copied)
	}, "the archive was rolled back: its last checkpoint has size 0", nil, nil},
	{"empty the archive but for a tile, with keys/checkpoint gone", func(w *world) {
		w.emptyBut(w.ofKind("tile/entries/")[0])
	}, "the archive has an object of a seal, tile/entries/000.p/", nil, nil},
	{"empty the archive but for junk of a checkpoint, with keys/checkpoint gone", func(w *world) {
		w.emptyBut(w.lastCheckpoint())
		w.over[w.lastCheckpoint()] = []byte("junk")
	}, "the archive has an object of a seal, checkpoints/", nil, nil},
	{"empty the archive, with evidence of a checkpoint", func(w *world) {
		w.empty()
		w.evidence, w.known = [][]byte{w.known}, nil
	}, "the archive was rolled back: its last checkpoint has size 0", nil, nil},
	{"empty the archive, after a batch's records were removed", func(w *world) {
		w.empty()
		w.known, w.disposed = nil, map[int64]bool{1: true}
	}, "the log states that the records of sealed batches were removed: 1 batches", nil, nil},
	{"empty the archive, with a checkpoint kept elsewhere", func(w *world) {
		w.empty()
		w.since, w.known = w.known, nil
	}, "the archive was rolled back: its last checkpoint has size 0", nil, []string{onKept}},
}

// rollBack removes the last checkpoint.
func (w *world) rollBack() {
	w.over[w.lastCheckpoint()], w.over[copied] = nil, nil
}

func (w *world) lastCheckpoint() string {
	names := w.ofKind("checkpoints/")
	return names[len(names)-1]
}

// reseal changes the last sealed event, and seals the changed log after the first objects of its
// archive, with a key.
func (w *world) reseal(
	first map[string][]byte, keys func(require.TestingT) (note.Signer, note.Verifier),
) {
	w.log.FlipBit(w.sealed[len(w.sealed)-1])
	w.empty()
	forged := new(audit.Memory)
	for name, data := range first {
		plant(w.t, forged, name, data)
	}
	a := open(w.t, w.log, forged)
	a.Signer, a.Verifier = keys(w.t)
	_, err := a.Seal(w.t.Context())
	require.NoError(w.t, err)
	maps.Copy(w.over, objectsOf(w.t, forged))
}

func (w *world) empty() {
	for name := range objectsOf(w.t, w.archive) {
		w.over[name] = nil
	}
}

// emptyBut empties the archive and the data folder, and leaves one object.
func (w *world) emptyBut(name string) {
	w.empty()
	w.known = nil
	delete(w.over, name)
}

// ofKind returns the names of the objects of a kind.
func (w *world) ofKind(kind string) []string {
	names, err := w.archive.List(w.t.Context(), kind)
	require.NoError(w.t, err)
	return names
}

// The tamper matrix: each attack on a log of several partitions, on one of one partition, and on
// each kind of object in the archive is caught and named. An attack on the real stores, or on an
// extract, has its test there. With -v the test prints every cell.
func TestTamperMatrix(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		clean := newWorld(t, partitions)
		require.Empty(t, clean.copy(t).named())
		for _, row := range tampers {
			t.Run(fmt.Sprintf("%s/log of %d", row.name, partitions), func(t *testing.T) {
				t.Parallel()
				w := clean.copy(t)
				row.log(w)
				require.Contains(t, w.named(), row.logSays)
				t.Log(w.named())
			})
			for i, kind := range kinds {
				if row.object == nil || partitions > 1 {
					continue
				}
				t.Run(row.name+"/"+kind, func(t *testing.T) {
					t.Parallel()
					w := clean.copy(t)
					names := w.ofKind(kind)
					name := names[len(names)-1]
					w.over[name] = row.object(bytes.Clone(w.get(name)), w.get(names[0]))
					require.Contains(t, w.named(), objectFaults[row.name][i])
					require.Regexp(t, `^the archive was (changed|rolled back): |^batch \d+ is mis`,
						w.named())
					if row.name != "delete" || kind != "checkpoints/" { // it has no name left
						require.Contains(t, w.named(), name)
					}
					t.Log(w.named())
				})
			}
		}
	}
}

// An object that nobody signed is named, and counts for nothing, whatever kind of name it has.
func TestInsertedObjectsAreNamed(t *testing.T) {
	t.Parallel()
	clean := newWorld(t, 1)
	for _, name := range []string{
		"batches/000000000002.1", "records/000000000002.1", "tile/0/000.p/5",
		"tile/entries/000.p/5", "checkpoints/000000000099", "stray",
	} {
		w := clean.copy(t)
		w.over[name] = w.get("records/000000000001")
		require.Contains(t, w.named(), "foreign: "+name+": ")
	}
}

// Each cell that another test shows has that test.
func TestOtherCellsExist(t *testing.T) {
	t.Parallel()
	for _, row := range tampers {
		for _, place := range row.at {
			file, test, _ := strings.Cut(place, " ")
			text, err := os.ReadFile("../../" + file)
			require.NoError(t, err)
			if test != "" { // else it is a script
				require.Contains(t, string(text), "\nfunc "+test+"(t *testing.T) {", row.name)
			}
		}
	}
}

// 10,000 random mutations of log and archive: none is missed, and the fault names the position or
// the object of each; for a removed checkpoint, its size. After every third mutation, two or three
// are made at once, and the fault names the place of one of them. The same seeds give the same
// mutations; the full length tries three times as many.
func TestRandomTamperingIsFound(t *testing.T) {
	t.Parallel()
	const shards = 10
	mutations := 10_000
	if !testing.Short() {
		mutations = 30_000
	}
	clean := newWorld(t, 2)
	names, err := clean.archive.List(context.Background(), "")
	require.NoError(t, err)
	last := clean.lastCheckpoint()
	names = slices.DeleteFunc(names, func(name string) bool { // nobody trusts these
		return name == copied || strings.HasPrefix(name, "checkpoints/") && name != last
	})
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(uint64(shard), 15))
			check := func(n, together int) {
				w, did := clean.copy(t), ""
				for range together {
					did += w.mutate(random, names) + "; "
				}
				said := w.named()
				names := func(place string) bool { return strings.Contains(said, place) }
				require.True(t, slices.ContainsFunc(w.places, names),
					"seed %d, mutation %d: %s: it said %q", shard, n, did, said)
			}
			for n := range mutations / shards {
				check(n, 1)
				if n%3 == 0 {
					check(n, 2+random.IntN(2))
				}
			}
		})
	}
}

// mutate changes one thing, and says what. A second change could undo a first one: the log is
// changed only once, and so is each object.
func (w *world) mutate(random *rand.Rand, names []string) string {
	name := names[random.IntN(len(names))]
	if _, changed := w.over[name]; !changed && random.IntN(2) == 0 {
		return w.mutateObject(random, name, names)
	}
	if w.holes == nil {
		return "" // the log was changed before
	}
	pick := func(all []contract.Position) contract.Position { return all[random.IntN(len(all))] }
	a, b, hole := pick(w.sealed), pick(w.sealed), pick(w.holes)
	for a == b {
		b = pick(w.sealed)
	}
	w.holes = nil
	type places = []contract.Position // that the attack changes
	attacks := []struct {
		name string
		at   places
		do   func()
	}{
		{"flip", places{a}, func() { w.log.FlipBit(a) }},
		{"delete", places{a}, func() { w.log.Delete(a) }},
		{"close up", places{a}, func() { w.log.CloseUp(a) }},
		{"insert", places{hole}, func() { w.log.Insert(hole) }},
		{"swap", places{a, b}, func() { w.log.Swap(a, b) }},
		{"exchange", places{a, b}, func() { w.log.ExchangePayloads(a, b) }},
		{"cut", places{a}, func() { w.log.Cut(a) }},
		{"duplicate", places{a, hole}, func() { w.duplicate(a, hole) }},
		{"move", places{a, hole}, func() {
			w.log.Change(a, func(r *contract.Recorded) { r.Position = hole })
		}},
		{"rewrite", places{a}, func() {
			w.log.Change(a, func(r *contract.Recorded) { rewrite(random, r) })
		}},
	}
	attack := attacks[random.IntN(len(attacks))]
	attack.do()
	for _, p := range attack.at {
		w.places = append(w.places, fmt.Sprintf("position %s:", p), fmt.Sprintf("position %s ", p))
	}
	return fmt.Sprintf("%s %s %s %s", attack.name, a, b, hole)
}

// rewrite changes one attribute.
func rewrite(random *rand.Rand, r *contract.Recorded) {
	changes := []func(){
		func() { r.Actor += "x" }, func() { r.Approver = "" }, func() { r.Reason += " " },
		func() { r.RecordedAt = r.RecordedAt.Add(-1000) }, func() { r.Version++ },
		func() { r.EffectiveAt = r.EffectiveAt.AddDate(0, 0, -1) }, func() { r.Schema++ },
		func() { r.ID[random.IntN(16)] ^= 1 }, func() { r.Fingerprint[3] ^= 1 },
		func() { r.Actor, r.Reason = r.Reason, r.Actor }, func() { r.Ends = !r.Ends },
		func() { r.Data = append(slices.Clone(r.Data), 0) },
	}
	changes[random.IntN(len(changes))]()
}

func (w *world) mutateObject(random *rand.Rand, name string, names []string) string {
	data := bytes.Clone(w.get(name))
	other := w.get(names[random.IntN(len(names))])
	i, what := random.IntN(len(data)), ""
	switch random.IntN(6) {
	case 0:
		data[i], what = data[i]^1<<random.IntN(8), "flip"
	case 1:
		data, what = nil, "delete"
	case 2:
		data, what = data[:i], "truncate"
	case 3:
		data, what = append(data, byte(random.IntN(256))), "lengthen"
	case 4:
		data, what = slices.Insert(data, i, byte(random.IntN(256))), "insert into"
	default:
		what = "replace"
		if other == nil || bytes.Equal(other, data) {
			data = []byte("junk")
		} else {
			data = bytes.Clone(other)
		}
	}
	if bytes.Equal(data, w.get(name)) { // a byte was inserted beside its like, at the end
		data = append(data, 0)
	}
	w.over[name] = data
	w.places = append(w.places, name)
	if data == nil && strings.HasPrefix(name, "checkpoints/") {
		w.places = append(w.places, "a checkpoint of size 21 was published")
	}
	return fmt.Sprintf("%s %s at %d", what, name, i)
}
