package audit_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	audit "example.com/blotter/solutions/5-audit"
)

// A witness is a witness of C2SP tlog-witness in memory, as the page says it, for one log.
type witness struct {
	log    note.Verifier
	signer note.Signer
	mu     sync.Mutex
	size   int64
	root   tlog.Hash
	away   bool
}

func (w *witness) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || w.away || r.URL.Path != "/add-checkpoint" {
		to.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	request, signed, _ := strings.Cut(string(body), "\n\n")
	lines := strings.Split(request, "\n")
	var old int64
	if n, err := fmt.Sscanf(lines[0], "old %d", &old); n != 1 || err != nil {
		to.WriteHeader(http.StatusBadRequest)
		return
	}
	c, err := audit.OpenCheckpoint([]byte(signed), w.log.Name(), w.log)
	switch {
	case err != nil:
		to.WriteHeader(http.StatusForbidden)
		return
	case old > c.Size:
		to.WriteHeader(http.StatusBadRequest)
		return
	case old != w.size, old == c.Size && old > 0 && c.Root != w.root:
		to.Header().Set("Content-Type", "text/x.tlog.size")
		to.WriteHeader(http.StatusConflict)
		fmt.Fprintf(to, "%d\n", w.size)
		return
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			to.WriteHeader(http.StatusBadRequest)
			return
		}
		proof = append(proof, hash)
	}
	if old > 0 && tlog.CheckTree(proof, c.Size, c.Root, old, w.root) != nil {
		to.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	w.size, w.root = c.Size, c.Root
	text, _, _ := strings.Cut(signed, "\n\n")
	cosigned, err := note.Sign(&note.Note{Text: text + "\n"}, w.signer)
	if err != nil {
		to.WriteHeader(http.StatusInternalServerError)
		return
	}
	to.Write(cosigned[len(text)+2:])
}

// A running witness: its line of a policy, the switch that takes it away, and the change of the
// public key by which it knows the log.
type running struct {
	line  string
	away  func(bool)
	learn func(public string)
}

// inMemory starts a witness in memory.
func inMemory(t *testing.T, name string) running { return inMemoryOf(t, name, publicKey(t)) }

// inMemoryOf is inMemory for a log with another key.
func inMemoryOf(t *testing.T, name, log string) running {
	secret, public, err := note.GenerateKey(rand.Reader, name+".example")
	require.NoError(t, err)
	signer, err := cosignature.NewSignerForCosignatureV1(secret)
	require.NoError(t, err)
	public, err = cosignature.VKeyToCosignatureV1(public)
	require.NoError(t, err)
	w := &witness{signer: signer}
	learn := func(public string) {
		key, err := note.NewVerifier(public)
		require.NoError(t, err)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = key
	}
	learn(log)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return running{
		fmt.Sprintf("witness %s %s %s\n", name, public, server.URL),
		func(away bool) { w.mu.Lock(); defer w.mu.Unlock(); w.away = away },
		learn,
	}
}

// real starts litewitness, which is of another project. CI builds it.
func real(t *testing.T, dir, name string) running {
	w, err := stack.StartWitness(t.Context(), dir, name+".example", publicKey(t))
	if errors.Is(err, stack.ErrNoWitness) && os.Getenv("BLOTTER_CI") == "" {
		t.Skip("the witness is not built: .tools/setup witness")
	}
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	return running{fmt.Sprintf("witness %s %s %s\n", name, w.Key, w.URL), nil, nil}
}

// under returns the auditor of a log and an archive with a policy.
func under(
	t *testing.T, log contract.SealableLog, archive audit.Archive, policy string,
) *audit.Auditor {
	t.Helper()
	a := open(t, log, archive)
	var err error
	a.Policy, err = audit.ParsePolicy([]byte(policy))
	require.NoError(t, err)
	return a
}

// cosigners checks that the last checkpoint has the cosignatures of these witnesses.
func cosigners(t *testing.T, a *audit.Auditor, want ...string) contract.Checkpoint {
	t.Helper()
	last, err := a.Published(t.Context(), 0)
	require.NoError(t, err)
	last, err = a.Cosigned(t.Context(), last)
	require.NoError(t, err)
	_, key := keys(t)
	all, err := a.Policy.Check(last.Note, key)
	if !errors.Is(err, audit.ErrUnwitnessed) {
		require.NoError(t, err)
	}
	var names []string
	for _, c := range all {
		require.WithinDuration(t, time.Now(), c.At, time.Minute)
		names = append(names, c.Witness)
	}
	require.Equal(t, want, names)
	return last
}

// Sealing publishes always, with the cosignatures that it gets. Others are added later: by Cosign,
// or by the next Seal.
func TestCosignaturesAreAddedLater(t *testing.T) {
	t.Parallel()
	one, two := inMemory(t, "one"), inMemory(t, "two")
	log, archive := audittest.NewLog(2), new(audit.Memory)
	a := under(t, log, archive, one.line+two.line+"group both all one two\nquorum both\n")
	_, key := keys(t)
	var kept [][]byte
	a.Keep = func(signed []byte) error { kept = append(kept, signed); return nil }
	var warned []error
	a.Warn = func(err error) { warned = append(warned, err) }

	log.Add(5)
	two.away(true)
	c, err := a.Seal(t.Context())
	require.NoError(t, err)
	require.Len(t, warned, 1)
	require.ErrorContains(t, warned[0], "checkpoint 7 is published: witness two: it answers 503")
	cosigners(t, a, "one")
	_, err = a.Policy.Check(c.Note, key)
	require.ErrorIs(t, err, audit.ErrUnwitnessed)
	require.ErrorContains(t, err, "it has the cosignatures of 1 of the witnesses one, two")

	two.away(false)
	c, asked, err := a.Cosign(t.Context())
	require.NoError(t, err)
	require.Len(t, asked, 2)
	last := cosigners(t, a, "one", "two")
	require.Equal(t, last.Note, c.Note)
	require.Equal(t, c.Note, kept[len(kept)-1], "the kept copy is the cosigned one")
	copied, err := archive.Current(t.Context(), "checkpoint")
	require.NoError(t, err)
	require.Equal(t, c.Note, copied)

	two.away(true)
	log.Add(400)
	_, err = a.Seal(t.Context())
	require.NoError(t, err)
	two.away(false)
	_, err = a.Seal(t.Context()) // without new events
	require.NoError(t, err)
	cosigners(t, a, "one", "two")
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
}

// A proof, and the view for clients, carry the cosigned checkpoint.
func TestProofHasTheCosignatures(t *testing.T) {
	t.Parallel()
	one := inMemory(t, "one")
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(5)
	a := under(t, log, archive, one.line+"quorum one\n")
	_, err := a.Seal(t.Context())
	require.NoError(t, err)
	text, err := a.Prove(t.Context(), log.Events()[2])
	require.NoError(t, err)
	_, key := keys(t)
	p, err := audit.CheckProof(text, origin, key)
	require.NoError(t, err)
	all, err := a.Policy.Check(p.Checkpoint.Note, key)
	require.NoError(t, err)
	require.Len(t, all, 1)
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	answer, err := http.Get(server.URL + "/checkpoint")
	require.NoError(t, err)
	defer answer.Body.Close()
	served, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, string(p.Checkpoint.Note), string(served))

	_, stranger := newKeys(t)
	logs := "log " + publicKey(t) + "\n"
	policy, err := audit.ParsePolicy([]byte(logs + one.line + "quorum one\n"))
	require.NoError(t, err)
	_, err = policy.Check(p.Checkpoint.Note, key)
	require.NoError(t, err)
	_, err = policy.Check(p.Checkpoint.Note, stranger)
	require.ErrorIs(t, err, audit.ErrCheckpoint)
}

// A fork is the history of the same log, with the same key, from another first event on.
func fork(t *testing.T, events int, policy string) *audit.Auditor {
	t.Helper()
	log := audittest.NewLog(1)
	log.Add(events)
	log.FlipBit(at(0, 0))
	return under(t, log, new(audit.Memory), policy)
}

// A witness refuses two roots of one size, and a log that shrank. Both notes are kept as evidence.
func TestWitnessRefusesForks(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) running{
		"in memory":   func(t *testing.T) running { return inMemory(t, "one") },
		"litewitness": func(t *testing.T) running { return real(t, t.TempDir(), "one") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := start(t).line + "quorum one\n"
			log := audittest.NewLog(1)
			log.Add(6)
			ours := under(t, log, new(audit.Memory), policy)
			first, err := ours.Seal(t.Context())
			require.NoError(t, err)
			cosigned := cosigners(t, ours, "one")

			for events, says := range map[int]string{
				6: "another tree of 8 leaves, which this one of 8 leaves does not continue",
				9: "another tree of 8 leaves, which this one of 12 leaves does not continue",
				3: "a tree of 8 leaves, and the log has 4",
			} {
				theirs := fork(t, events, policy)
				published, err := theirs.Seal(t.Context())
				var refused *audit.RefusedError
				require.ErrorAs(t, err, &refused)
				require.ErrorContains(t, err,
					"witness one: it refuses to cosign: it has seen "+says)
				require.Equal(t, int64(8), refused.Size)
				require.Equal(t, published.Note, refused.Notes[0])
				cosigners(t, theirs)
				theirs.Known = cosigned.Note // a holder of the cosigned note convicts the log
				_, asked, err := theirs.Cosign(t.Context())
				require.NoError(t, err)
				require.ErrorAs(t, asked[0].Err, &refused)
				require.Equal(t, [][]byte{published.Note, cosigned.Note}, refused.Notes)
				v, err := theirs.VerifySince(t.Context(), cosigned.Note)
				require.NoError(t, err)
				require.NotNil(t, v.Fault)
				require.Equal(t, [][]byte{published.Note, cosigned.Note}, v.Fault.Notes)
			}
			log.Add(300) // the witness goes on with the history that it knows
			next, err := ours.Seal(t.Context())
			require.NoError(t, err)
			require.Greater(t, next.Size, first.Size)
			cosigners(t, ours, "one")
		})
	}
}

// After the key of a witness is lost, the policy says what happens: one of two is still a quorum,
// and both are none until another policy names the new key.
func TestPolicyDecidesAfterALostKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lost, other := real(t, dir, "lost"), inMemory(t, "other")
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(5)
	_, err := under(t, log, archive, lost.line+"quorum lost\n").Seal(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "key")))
	replaced := real(t, dir, "lost") // the same name and memory, another key
	require.NotEqual(t, lost.line, replaced.line)
	url := replaced.line[strings.LastIndex(replaced.line, " "):]
	old := strings.TrimSuffix(lost.line, lost.line[strings.LastIndex(lost.line, " "):]) + url

	log.Add(5)
	_, key := keys(t)
	any := under(t, log, archive, old+other.line+"group g any lost other\nquorum g\n")
	var warned error
	any.Warn = func(err error) { warned = err }
	c, err := any.Seal(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, warned, "its answer has no cosignature by the key lost.example+")
	_, err = any.Policy.Check(c.Note, key)
	require.NoError(t, err)
	all := under(t, log, archive, old+other.line+"group g all lost other\nquorum g\n")
	c, _, err = all.Cosign(t.Context())
	require.NoError(t, err)
	_, err = all.Policy.Check(c.Note, key)
	require.ErrorIs(t, err, audit.ErrUnwitnessed)
	next := under(t, log, archive, replaced.line+other.line+"group g all lost other\nquorum g\n")
	c, _, err = next.Cosign(t.Context())
	require.NoError(t, err)
	_, err = next.Policy.Check(c.Note, key)
	require.NoError(t, err)
	v, err := next.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault, "cosignatures of an earlier policy are no foreign objects")
}

// An object in place of a cosignature counts for nothing, and the right one gets the next name.
func TestForeignCosignature(t *testing.T) {
	t.Parallel()
	one := inMemory(t, "one")
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(5)
	a := under(t, log, archive, one.line+"quorum one\n")
	one.away(true)
	c, err := a.Seal(t.Context())
	require.NoError(t, err)
	name := fmt.Sprintf("cosignatures/%012d/%08x", c.Size, a.Policy.Witnesses[0].Key.KeyHash())
	require.NoError(t, archive.Put(t.Context(), name, []byte("junk\n")))
	one.away(false)
	_, _, err = a.Cosign(t.Context())
	require.NoError(t, err)
	cosigners(t, a, "one")
	cosigned, err := archive.Get(t.Context(), name+".1")
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(cosigned, c.Note))
	foreign := map[string]bool{}
	a.Foreign = func(name string, _ error) { foreign[name] = true }
	_, err = a.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]bool{name: true}, foreign)
}

// A batch cannot have been sealed after a witness saw its checkpoint.
func TestSealedAfterItWasWitnessed(t *testing.T) {
	t.Parallel()
	one := inMemory(t, "one")
	log := audittest.NewLog(1)
	log.Add(5)
	a := under(t, log, new(audit.Memory), one.line+"quorum one\n")
	a.Clock = func() time.Time { return time.Now().Add(time.Hour) }
	_, err := a.Seal(context.Background())
	require.NoError(t, err)
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, v.Fault, "wrong sealing time: batch 2 states that it was sealed at ")
	require.ErrorContains(t, v.Fault, ", and witness one cosigned its checkpoint 7 at ")
}

// An event that claims a time before a witnessed checkpoint is found, also if the holder of the
// signer key wrote it. Appended and sealed, it is backdated. Put among the earlier events, it makes
// another tree: the witness refuses that, and both notes convict the log.
func TestBackdatedUnderAWitness(t *testing.T) {
	t.Parallel()
	one := inMemory(t, "one")
	policy := one.line + "quorum one\n"
	log := audittest.NewLog(1)
	log.Add(5)
	a := under(t, log, new(audit.Memory), policy)
	_, err := a.Seal(t.Context())
	require.NoError(t, err)
	cosigned := cosigners(t, a, "one")
	early := log.Events()[0].RecordedAt.Add(-time.Hour)

	rewritten := audittest.NewLog(1)
	rewritten.AddAt("trade/late", early)
	rewritten.Add(5)
	b := under(t, rewritten, new(audit.Memory), policy)
	published, err := b.Seal(t.Context())
	require.ErrorAs(t, err, new(*audit.RefusedError))
	v, err := b.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault, "alone, log and archive agree")
	v, err = b.VerifySince(t.Context(), cosigned.Note)
	require.NoError(t, err)
	require.NotNil(t, v.Fault)
	require.Equal(t, [][]byte{published.Note, cosigned.Note}, v.Fault.Notes)

	log.AddAt("trade/late", early)
	c, err := a.Seal(t.Context())
	require.NoError(t, err)
	require.Len(t, c.Offenders, 1)
	cosigners(t, a, "one")
	v, err = a.Verify(t.Context())
	require.NoError(t, err)
	require.Len(t, v.Offenders, 1)
	require.Contains(t, v.Offenders[0].What, "is not after the frontier of an earlier batch, ")
}

// before is every with a function for the first request alone.
func before(t *testing.T, w running, f func()) running {
	t.Helper()
	var once sync.Once
	return every(t, w, func() { once.Do(f) })
}

// every starts a server in front of a witness. It calls f before it passes on each request.
func every(t *testing.T, w running, f func()) running {
	t.Helper()
	name, address, _ := strings.Cut(strings.TrimSpace(w.line), " http")
	target, err := url.Parse("http" + address)
	require.NoError(t, err)
	pass := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(
		func(to http.ResponseWriter, r *http.Request) {
			f()
			pass.ServeHTTP(to, r)
		}))
	t.Cleanup(server.Close)
	return running{name + " " + server.URL + "\n", nil, nil}
}

// A sealer that another one overtakes accuses nobody of a fork: the archive has what the witness
// has seen.
func TestOvertakenSealerAccusesNobody(t *testing.T) {
	t.Parallel()
	one := inMemory(t, "one")
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(5)
	faster := under(t, log, archive, one.line+"quorum one\n")
	slow := before(t, one, func() {
		log.Add(2)
		if _, err := faster.Seal(context.Background()); err != nil {
			t.Error(err)
		}
	})
	a := under(t, log, archive, slow.line+"quorum one\n")
	var warned error
	a.Warn = func(err error) { warned = err }
	_, err := a.Seal(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, warned, "another sealer was faster")
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
}

// asked is an archive that notes the order of its objects and of the requests to a witness.
type asked struct {
	audit.Archive
	mu    sync.Mutex
	order []string
	fails string // Put of a name with this beginning fails
}

func (a *asked) note(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := len(a.order) - 1; last < 0 || a.order[last] != what {
		a.order = append(a.order, what)
	}
}

func (a *asked) Put(ctx context.Context, name string, data []byte) error {
	kind, _, _ := strings.Cut(name, "/")
	if a.note(kind); a.fails != "" && strings.HasPrefix(name, a.fails) {
		return errCrash
	}
	return a.Archive.Put(ctx, name, data)
}

func (a *asked) Replace(ctx context.Context, name string, data []byte) error {
	a.note(name)
	return a.Archive.Replace(ctx, name, data)
}

// A witness is asked AFTER the batches are archived and BEFORE the checkpoint is published. A crash
// between the two, or before the cosignature is archived, convicts nobody: the next seal, with more
// events or as many, continues the checkpoint that the witness saw, and gets its cosignature.
func TestCrashAfterAskingConvictsNobody(t *testing.T) {
	t.Parallel()
	for _, crash := range []string{"checkpoints/", "cosignatures/"} {
		for _, more := range []int{0, 3} {
			t.Run(fmt.Sprint(crash, more), func(t *testing.T) {
				t.Parallel()
				one := inMemory(t, "one")
				log, archive := audittest.NewLog(1), &asked{Archive: new(audit.Memory)}
				noted := every(t, one, func() { archive.note("witness") })
				a := under(t, log, archive, noted.line+"quorum one\n")
				log.Add(4)
				_, err := a.Seal(t.Context())
				require.NoError(t, err)
				require.Equal(t, []string{"witness", "checkpoints", "cosignatures", "checkpoint"},
					archive.order[len(archive.order)-4:])

				log.Add(5)
				archive.fails = crash
				var warned error
				a.Warn = func(err error) { warned = err }
				_, err = a.Seal(t.Context())
				require.ErrorIs(t, errors.Join(err, warned), errCrash)
				archive.fails = ""
				v, err := a.Verify(t.Context())
				require.NoError(t, err)
				require.Nil(t, v.Fault)

				log.Add(more)
				_, err = a.Seal(t.Context())
				require.NoError(t, err)
				cosigners(t, a, "one")
				v, err = a.Verify(t.Context())
				require.NoError(t, err)
				require.Nil(t, v.Fault)
				require.Equal(t, int64(9+more), v.Sealed)
			})
		}
	}
}

// A sealer that crashed before it published leaves a witness that has seen more than the last
// checkpoint. The batches in the archive explain that. Without them the log shrank.
func TestOnlyArchivedBatchesExplainAWitness(t *testing.T) {
	t.Parallel()
	one := inMemory(t, "one")
	log, archive := audittest.NewLog(1), new(audit.Memory)
	policy := one.line + "quorum one\n"
	log.Add(4)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	lost := new(audit.Memory)
	for name, data := range objectsOf(t, archive) {
		plant(t, lost, name, data)
	}
	log.Add(5)
	_, err = under(t, log, &asked{Archive: archive, fails: "checkpoints/"}, policy).
		Seal(t.Context())
	require.ErrorIs(t, err, errCrash)
	_, all, err := under(t, log, archive, policy).Cosign(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, all[0].Err, "another sealer was faster: the witness has cosigned a "+
		"tree of 13 leaves, and the archive has batches up to 13")
	_, all, err = under(t, log, lost, policy).Cosign(t.Context())
	require.NoError(t, err)
	require.ErrorAs(t, all[0].Err, new(*audit.RefusedError))
	require.ErrorContains(t, all[0].Err, "it has seen a tree of 13 leaves, and the log has 6")
}

// A witness that says that it has seen nothing refuses no history.
func TestWitnessOfNothingRefusesNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(
		func(to http.ResponseWriter, _ *http.Request) {
			to.WriteHeader(http.StatusConflict)
			fmt.Fprintln(to, 0)
		}))
	t.Cleanup(server.Close)
	line := inMemory(t, "one").line
	line = line[:strings.LastIndex(line, " ")+1] + server.URL + "\n"
	log := audittest.NewLog(1)
	log.Add(5)
	a := under(t, log, new(audit.Memory), line+"quorum one\n")
	var warned error
	a.Warn = func(err error) { warned = err }
	_, err := a.Seal(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, warned, `it answers 409 Conflict: "0`)
}

// A cosigned checkpoint convicts an archive that lost it elsewhere: it has the log's signature.
func TestCosignaturesProveARollback(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	a := under(t, log, archive, inMemory(t, "one").line+"quorum one\n")
	log.Add(5)
	first, err := a.Seal(t.Context())
	require.NoError(t, err)
	log.Add(5)
	second, err := a.Seal(t.Context())
	require.NoError(t, err)
	name := fmt.Sprintf("checkpoints/%012d", second.Size)
	rolled := edited{archive, map[string][]byte{name: nil, "checkpoint": nil}}
	for _, since := range [][]byte{nil, first.Note} {
		b := open(t, log, rolled)
		v, err := b.Verify(t.Context())
		if since != nil {
			v, err = b.VerifySince(t.Context(), since)
		}
		require.NoError(t, err)
		require.ErrorContains(t, v.Fault, fmt.Sprintf("the archive was rolled back: its last "+
			"checkpoint has size %d, and a checkpoint of size %d was published",
			first.Size, second.Size))
		require.Len(t, v.Fault.Notes, 2)
		require.Equal(t, second.Note, v.Fault.Notes[1])
	}
}

// A cosigned checkpoint convicts an archive with another tree of its size.
func TestCosignaturesProveAFork(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(5)
	ours, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	b := fork(t, 5, inMemory(t, "two").line+"quorum two\n")
	theirs, err := b.Seal(t.Context())
	require.NoError(t, err)
	require.NoError(t, archive.Put(t.Context(), fmt.Sprintf("cosignatures/%012d/%08x",
		theirs.Size, b.Policy.Witnesses[0].Key.KeyHash()), theirs.Note))
	v, err := open(t, log, archive).Verify(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, v.Fault, "two histories were signed: "+
		"the archive does not match the signed checkpoint 7")
	require.Equal(t, [][]byte{ours.Note, theirs.Note}, v.Fault.Notes)
}

// A checkpoint without a cosignature is none, and a copy of it is no object of an archive.
func TestBareNoteIsNoCosignature(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(5)
	a := open(t, log, archive)
	c, err := a.Seal(t.Context())
	require.NoError(t, err)
	name := fmt.Sprintf("cosignatures/%012d/%08x", c.Size, 1)
	require.NoError(t, archive.Put(t.Context(), name, c.Note))
	foreign := map[string]error{}
	a.Foreign = func(name string, why error) { foreign[name] = why }
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.ErrorContains(t, foreign[name], "it has 1 signature, not the log's and a witness's")
}

// The checkpoint that a witness cosigned is evidence, in whatever archive it lies. A checkpoint of
// that size without its cosignature is none: nobody knows that the witness saw it.
func TestEvidenceIsWhatTheWitnessSigned(t *testing.T) {
	t.Parallel()
	policy := inMemory(t, "one").line + "quorum one\n"
	log := audittest.NewLog(1)
	log.Add(6)
	ours := under(t, log, new(audit.Memory), policy)
	cosigned, err := ours.Seal(t.Context())
	require.NoError(t, err)

	theirs := fork(t, 6, "quorum none\n")
	_, err = theirs.Seal(t.Context()) // a checkpoint of the size that the witness has seen
	require.NoError(t, err)
	log = theirs.Log.(*audittest.Log)
	log.Add(3)
	theirs.Policy = ours.Policy
	published, err := theirs.Seal(t.Context())
	var refused *audit.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, [][]byte{published.Note}, refused.Notes)

	require.NoError(t, theirs.Archive.Put(t.Context(), fmt.Sprintf("cosignatures/%012d/%08x",
		cosigned.Size, ours.Policy.Witnesses[0].Key.KeyHash()), cosigned.Note))
	_, asked, err := theirs.Cosign(t.Context())
	require.NoError(t, err)
	require.ErrorAs(t, asked[0].Err, &refused)
	require.Equal(t, [][]byte{published.Note, cosigned.Note}, refused.Notes)
}

// A seal without new events keeps the cosigned checkpoint, not the bare one in its place.
func TestIdleSealKeepsTheCosignedNote(t *testing.T) {
	t.Parallel()
	log := audittest.NewLog(1)
	log.Add(5)
	a := under(t, log, new(audit.Memory), inMemory(t, "one").line+"quorum one\n")
	var kept []byte
	a.Keep = func(signed []byte) error { kept = signed; return nil }
	for range 2 {
		c, err := a.Seal(t.Context())
		require.NoError(t, err)
		require.Equal(t, cosigners(t, a, "one").Note, kept)
		require.Equal(t, kept, c.Note)
	}
}
