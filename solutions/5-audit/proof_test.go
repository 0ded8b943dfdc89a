package audit_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

func TestEveryEventHasAProof(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(3), new(audit.Memory)
	for range 3 {
		log.Add(7)
		_, err := open(t, log, archive).Seal(t.Context())
		require.NoError(t, err)
	}
	_, verifier := keys(t)
	seen := map[int64]bool{}
	for _, r := range log.Events() {
		text, err := open(t, log, archive).Prove(t.Context(), r)
		require.NoError(t, err)
		p, err := audit.CheckProof(text, origin, verifier)
		require.NoError(t, err)
		require.Equal(t, r.Leaf(), p.Leaf)
		require.False(t, seen[p.Index])
		seen[p.Index] = true
		all, err := audit.Attributes(p.Leaf)
		require.NoError(t, err)
		require.Contains(t, all, audit.Attribute{Name: "id", Value: r.ID.String()})
		effective := r.EffectiveAt.Format("2006-01-02T15:04:05Z07:00")
		require.Contains(t, all, audit.Attribute{Name: "effective_at", Value: effective})
	}
}

// The proof of an event with the largest leaf holds. One line of it is longer than 64 KiB.
func TestLargestLeafHasAProof(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(3)
	log.Change(at(0, 1), func(r *contract.Recorded) {
		r.Reason += strings.Repeat("x", contract.MaxLeaf-len(r.Leaf()))
	})
	r := log.Events()[1]
	require.Len(t, r.Leaf(), contract.MaxLeaf)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	_, verifier := keys(t)
	text, err := open(t, log, archive).Prove(t.Context(), r)
	require.NoError(t, err)
	p, err := audit.CheckProof(text, origin, verifier)
	require.NoError(t, err)
	require.Equal(t, r.Leaf(), p.Leaf)
	leaf := bytes.Split(text, []byte("\n"))[1]
	twice := bytes.Replace(text, leaf, slices.Concat(leaf, []byte("\n"), leaf), 1)
	_, err = audit.CheckProof(twice, origin, verifier)
	require.ErrorIs(t, err, audit.ErrProof)
}

// Every checkpoint is proved to be the beginning of each later one, and a checkpoint of another log
// of none.
func TestGrowthIsProved(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(3), new(audit.Memory)
	var all []contract.Checkpoint
	for range 4 {
		log.Add(7)
		c, err := open(t, log, archive).Seal(t.Context())
		require.NoError(t, err)
		all = append(all, c)
	}
	other := audittest.NewLog(3)
	other.Add(6)
	foreign, err := open(t, other, new(audit.Memory)).Seal(t.Context())
	require.NoError(t, err)
	for i, to := range all {
		for _, from := range all[:i+1] {
			made, err := open(t, log, archive).ProveGrowth(t.Context(), from, to)
			require.NoError(t, err)
			require.NoError(t, tlog.CheckTree(made, to.Size, to.Root, from.Size, from.Root))
		}
		for _, from := range append(all[i+1:], foreign, contract.Checkpoint{}) {
			_, err := open(t, log, archive).ProveGrowth(t.Context(), from, to)
			require.ErrorIs(t, err, audit.ErrProof)
		}
	}
}

func TestAChangedProofDoesNotHold(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(9)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	_, verifier := keys(t)
	r := log.Events()[4]
	text, err := open(t, log, archive).Prove(t.Context(), r)
	require.NoError(t, err)
	want, err := audit.CheckProof(text, origin, verifier)
	require.NoError(t, err)
	failed := map[string]bool{}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		got, err := audit.CheckProof(bad, origin, verifier)
		if err != nil {
			require.ErrorIs(t, err, audit.ErrProof)
			var named *audit.ProofError
			require.ErrorAs(t, err, &named)
			failed[named.Check] = true
			continue
		}
		// The name of an unknown signer may differ. The proven leaf, index and root may not.
		require.Equal(t, want.Leaf, got.Leaf, "byte %d", i)
		require.Equal(t, want.Index, got.Index, "byte %d", i)
		require.Equal(t, want.Checkpoint.Root, got.Checkpoint.Root, "byte %d", i)
	}
	for _, check := range audit.ProofChecks() {
		require.True(t, failed[check] || check == audit.ProofIndex, "no byte fails %s", check)
	}
	for n := range text[:len(text)-1] { // the last newline is optional
		_, err := audit.CheckProof(text[:n], origin, verifier)
		require.ErrorIs(t, err, audit.ErrProof, "cut at %d", n)
	}
	_, stranger := newKeys(t)
	_, err = audit.CheckProof(text, origin, stranger)
	require.ErrorIs(t, err, audit.ErrProof)
	_, err = audit.CheckProof(text, "example.com/another", verifier)
	require.ErrorIs(t, err, audit.ErrProof)
}

func TestAnUnsealedEventHasNoProof(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(3)
	_, err := open(t, log, archive).Prove(t.Context(), log.Events()[0])
	require.ErrorIs(t, err, audit.ErrUnanchored)
	_, err = open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	log.Add(1)
	log.FlipBit(at(0, 0))
	for _, i := range []int{0, 3} {
		_, err = open(t, log, archive).Prove(t.Context(), log.Events()[i])
		require.ErrorIs(t, err, audit.ErrUnanchored)
	}
}

func TestVerifierKeyOfASignerKey(t *testing.T) {
	t.Parallel()
	secret, public, err := audit.GenerateKey(rand.Reader, origin)
	require.NoError(t, err)
	got, err := audit.VerifierKey(secret)
	require.NoError(t, err)
	require.Equal(t, public, got)
	_, err = audit.VerifierKey(public)
	require.Error(t, err)
	for _, bad := range []string{"", "a b", "a+b"} {
		_, _, err = audit.GenerateKey(rand.Reader, bad)
		require.Error(t, err, "%q", bad)
	}
}

// A proof that C2SP tlog-proof or signed-note forbids does not hold. A signature by a key that the
// reader does not know is ignored, as signed-note says.
func TestProofsHoldAsSpecified(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(7)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	signer, verifier := keys(t)
	made, err := open(t, log, archive).Prove(t.Context(), log.Events()[5])
	require.NoError(t, err)
	text := string(made) // leaf 6 of 9: format, leaf, index, four hashes, "", and the checkpoint
	lines := strings.Split(text, "\n")
	hash, own := lines[3], lines[len(lines)-2]
	replaced := func(old, by string) string {
		require.Contains(t, text, old)
		return strings.Replace(text, old, by, 1)
	}
	// odd sets bits after the last byte of a base64 text.
	odd := func(s string) string {
		i := strings.TrimRight(s, "=")
		last := i[len(i)-1]
		return i[:len(i)-1] + string(last+1) + s[len(i):]
	}
	stranger, _ := newKeys(t)
	sign := func(text string, by ...note.Signer) string {
		signed, err := note.Sign(&note.Note{Text: text}, by...)
		require.NoError(t, err)
		return string(signed)
	}
	checkpoint := text[strings.Index(text, "\n\n")+2:]
	root := strings.Split(checkpoint, "\n")[2]
	body := checkpoint[:strings.Index(checkpoint, "\n\n")+1]
	for name, bad := range map[string]string{
		"another index":          replaced("\nindex 6\n", "\nindex 5\n"),
		"an index past the tree": replaced("\nindex 6\n", "\nindex 9\n"),
		"an index with a zero":   replaced("\nindex 6\n", "\nindex 06\n"),
		"an index with a sign":   replaced("\nindex 6\n", "\nindex +6\n"),
		"no index":               replaced("\nindex 6\n", "\n"),
		"another format":         replaced("tlog-proof@v1", "tlog-proof@v2"),
		"another origin":         replaced(checkpoint, sign("x"+body, signer)),
		"an extension line":      replaced(checkpoint, sign(body+"more\n", signer)),
		"a stranger's signature": replaced(checkpoint, sign(body, stranger)),
		"no signature":           replaced(own+"\n", ""),
		"odd base64 of a hash":   replaced(hash, odd(hash)),
		"odd base64 of the leaf": replaced(lines[1], odd(lines[1])+"="),
		"odd base64 of the root": replaced(checkpoint, sign(origin+"\n9\n"+odd(root)+"\n", signer)),
		"odd base64 of its own":  replaced(own, odd(own)),
		"base64 for URLs":        replaced(hash, "-"+hash[1:]),
		"no padding":             replaced(hash, strings.TrimRight(hash, "=")),
		"a blank in a hash":      replaced(hash, hash+" "),
		"carriage returns":       strings.ReplaceAll(text, "\n", "\r\n"),
		"swapped hashes":         replaced(lines[3]+"\n"+lines[4], lines[4]+"\n"+lines[3]),
		"one hash more":          replaced(hash, hash+"\n"+hash),
		"one hash less":          replaced(hash+"\n", ""),
	} {
		_, err := audit.CheckProof([]byte(bad), origin, verifier)
		require.ErrorIs(t, err, audit.ErrProof, name)
	}
	for name, good := range map[string]string{
		"a stranger's signature after": replaced(checkpoint, sign(body, signer, stranger)),
		"a stranger's before":          replaced(checkpoint, sign(body, stranger, signer)),
		"unknown kinds of signatures":  text + "— witness.example AAAAAAAAAAAA\n— x AQEBAQEBAQE=\n",
	} {
		p, err := audit.CheckProof([]byte(good), origin, verifier)
		require.NoError(t, err, name)
		require.Equal(t, int64(6), p.Index)
	}
}

// A node of the tree is no leaf, although the path from it leads to the root: its hash begins with
// another byte (RFC 6962, section 2.1), and it is not the text of an event.
func TestNodeIsNoLeaf(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(7)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	_, verifier := keys(t)
	made, err := open(t, log, archive).Prove(t.Context(), log.Events()[0])
	require.NoError(t, err)
	var p proof.TLogProof
	require.NoError(t, p.Unmarshal(made))
	leaf := tlog.RecordHash(p.ExtraData)
	p.ExtraData = append(leaf[:], p.Hashes[0][:]...) // the node over leaves 0 and 1
	for _, hashes := range [][][32]byte{p.Hashes, p.Hashes[1:]} {
		p.Hashes = hashes
		_, err = audit.CheckProof(p.Marshal(), origin, verifier)
		require.ErrorIs(t, err, audit.ErrProof)
	}
}

// No two events have the same leaf: not if the border between two texts moves, and not if a text is
// composed (NFC) in one and decomposed (NFD) in the other.
func TestDifferentEventsHaveDifferentLeaves(t *testing.T) {
	t.Parallel()
	var seen []string
	texts := []func(*contract.Recorded) *string{
		func(r *contract.Recorded) *string { return &r.Stream },
		func(r *contract.Recorded) *string { return &r.Type },
		func(r *contract.Recorded) *string { return &r.CommandID },
		func(r *contract.Recorded) *string { return &r.Actor },
		func(r *contract.Recorded) *string { return &r.Approver },
		func(r *contract.Recorded) *string { return &r.Reason },
		func(r *contract.Recorded) *string { return &r.Source },
		func(r *contract.Recorded) *string { return &r.SubmittedBy },
		func(r *contract.Recorded) *string { return &r.Traceparent },
	}
	for i := range texts {
		for _, pair := range [][2]string{
			{"a|b", "c"}, {"a", "b|c"}, {"a|b|c", ""}, {"", "a|b|c"},
			{"caf\u00e9", "x"}, {"cafe\u0301", "x"},
		} {
			var r contract.Recorded
			*texts[i](&r), *texts[(i+1)%len(texts)](&r) = pair[0], pair[1]
			seen = append(seen, string(r.Leaf()))
		}
	}
	slices.Sort(seen)
	// (a|b|c, "") of two texts is ("", a|b|c) of the two before them: these nine are equal events.
	require.Len(t, slices.Compact(seen), 6*len(texts)-len(texts))
}
