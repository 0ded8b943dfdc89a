package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
	audit "example.com/blotter/solutions/5-audit"
)

// recordedIn returns the events that an archive holds whole, and the texts of their schemas.
func recordedIn(t *testing.T, a *audit.Auditor) (all []contract.Recorded, texts []string) {
	t.Helper()
	index := int64(0)
	require.NoError(t, a.Records(t.Context(), func(b contract.SealedRecords) error {
		require.Equal(t, index, b.First)
		index += int64(len(b.Events)) + 1 // the header's leaf
		all = append(all, b.Events...)
		for _, s := range b.Schemas {
			texts = append(texts, s.Text)
		}
		return nil
	}))
	return all, texts
}

// withSchema is sealedTwice with an event of a catalog's schema at 0/1.
func withSchema(t *testing.T) (*audittest.Log, *audit.Memory, schemas.Schema) {
	t.Helper()
	s, ok := schemas.Find("trade.amended", 1)
	require.True(t, ok)
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(6)
	log.Change(at(0, 1), func(r *contract.Recorded) { r.Fingerprint = s.Fingerprint })
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	return log, archive, s
}

// The archive alone gives every sealed event back, byte for byte, and the schemas by which to
// decode them. Events past the last checkpoint are not in it.
func TestTheArchiveHoldsWholeEvents(t *testing.T) {
	t.Parallel()
	log, archive, s := withSchema(t)
	want := log.Events()
	log.Add(2) // past the checkpoint
	got, texts := recordedIn(t, open(t, audittest.NewLog(1), archive))
	require.Equal(t, want, got)
	require.Equal(t, []string{s.Text}, texts)
}

// Records are believed only with the signature of the log's key and the payloads of the leaves.
// Other schemas with the same fingerprint are not: a fingerprint covers no scale.
func TestChangedRecordsAreAFault(t *testing.T) {
	t.Parallel()
	log, archive, _ := withSchema(t)
	const first, second = "records/000000000001", "records/000000000002"
	data := object(t, archive, first)
	head, bodies, found := bytes.Cut(data, []byte("\n\n"))
	require.True(t, found)
	line := bytes.IndexByte(bodies, '\n') + 1
	signature, bodies := bodies[:line], bodies[line:]
	const body = 4 + 36
	stranger, _ := newKeys(t)
	forged, err := note.Sign(&note.Note{Text: string(head) + "\n"}, stranger)
	require.NoError(t, err)
	batch := object(t, archive, "batches/000000000001") // signed, and its number is the same
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	whole := join(head, []byte("\n\n"), signature)
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"missing":            {nil, "no such object in the archive"},
		"of another batch":   {object(t, archive, second), "its text is not that of batch 1"},
		"a batch's note":     {join(batch, bodies), "its text is not that of batch 1"},
		"cut":                {data[:len(data)-1], "it ends inside the body of event 2"},
		"longer":             {join(data, []byte{0}), "it goes on after the last body"},
		"without its bodies": {whole, "it ends inside the body of event 0"},
		"with a swapped payload": {join(whole, bodies[body:2*body], bodies[:body], bodies[2*body:]),
			"it has another payload for the event at 0/0"},
		"with another scale": {replaced(data, `\"scale\":`, `\"scale\":1`), "invalid signature"},
		"of another key":     {join(forged, bodies), "no verifiable signatures"},
		"no note":            {[]byte("junk"), "malformed note"},
		"empty":              {[]byte{}, "malformed note"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEqual(t, data, tc.data)
			tampered := edited{archive, map[string][]byte{first: tc.data}}
			fault := faultText(t, open(t, log, tampered))
			require.Contains(t, fault, "the archive was changed: "+first+": ")
			require.Contains(t, fault, tc.want)
			err := open(t, log, tampered).Records(t.Context(),
				func(contract.SealedRecords) error { return nil })
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// An event whose payload is still in object storage has no body to compare or to seal. Its records
// must have the payload of the leaf's digest, and none is sealed without it.
func TestOffloadedEventHasNoEmptyBody(t *testing.T) {
	t.Parallel()
	log, archive, _ := withSchema(t)
	const first = "records/000000000001"
	data := object(t, archive, first)
	log.Change(at(0, 0), func(r *contract.Recorded) {
		r.BodyDigest, r.Data = sha256.Sum256(r.Data[5:]), slices.Clone(r.Data[:5])
	})
	v, err := open(t, log, archive).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)

	blank := bytes.Index(data, []byte("\n\n"))
	head := blank + 2 + bytes.IndexByte(data[blank+2:], '\n') + 1
	const body = 4 + 36
	emptied := slices.Concat(data[:head], make([]byte, 4), data[head+body:])
	fault := faultText(t, open(t, log, edited{archive, map[string][]byte{first: emptied}}))
	require.Contains(t, fault, "it has another payload for the event at 0/0")

	_, err = open(t, log, new(audit.Memory)).Seal(t.Context())
	require.ErrorIs(t, err, contract.ErrOffloaded)
}

// locks is an archive that notes until when each object is locked.
type locks struct {
	*audit.Memory
	until map[string]time.Time
}

func (l locks) PutUntil(
	ctx context.Context, name string, data []byte, until time.Time,
) error {
	l.until[name] = until
	return l.Put(ctx, name, data)
}

// An event that claims to be recorded in the far future locks no records for longer than the policy
// keeps an event of the time of its seal. A simulated log has no other times than its own.
func TestFutureEventLocksNothingForYears(t *testing.T) {
	t.Parallel()
	far := audittest.Noon.AddDate(300, 0, 0)
	for _, simulated := range []bool{false, true} {
		log, archive := audittest.NewLog(1), locks{new(audit.Memory), map[string]time.Time{}}
		if simulated {
			log.Simulate()
		}
		log.Add(1)
		log.AddAt("trade/UTI-1", far)
		a := open(t, log, archive)
		a.LockUntil = func(_ string, recorded time.Time) time.Time {
			return recorded.AddDate(5, 0, 0)
		}
		_, err := a.Seal(t.Context())
		require.NoError(t, err)
		want := tomorrow().AddDate(5, 0, 0)
		if simulated {
			want = far.AddDate(5, 0, 0)
		}
		require.Equal(t, map[string]time.Time{"records/000000000001": want}, archive.until)
	}
}

// Large payloads make small batches, so that a sealer, and each object, stays small.
func TestLargePayloadsMakeSmallBatches(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(2)
	large := append([]byte{0, 0, 0, 0, 7}, strings.Repeat("x", contract.MaxOffload/2+1)...)
	for _, offset := range []int64{0, 1} {
		log.Change(at(0, offset), func(r *contract.Recorded) { r.Data = large })
	}
	a := open(t, log, archive)
	a.Batch = 100
	_, err := a.Seal(t.Context())
	require.NoError(t, err)
	got, _ := recordedIn(t, a)
	require.Equal(t, log.Events(), got)
	names, err := archive.List(t.Context(), "records/")
	require.NoError(t, err)
	require.Len(t, names, 2)
}

// Verify excuses a batch whose records were disposed, under whatever name they lay, and no other
// batch. It asks again only for a batch that the last answer lacks.
func TestDisposedRecordsAreExcused(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	const first, second = "records/000000000001", "records/000000000002"
	tampered := edited{archive, map[string][]byte{first: []byte("junk"), second: nil}}
	a, asked := open(t, log, tampered), 0
	gone := map[int64]bool{1: true, 2: true}
	a.Disposed = func(context.Context) (map[int64]bool, error) {
		asked++
		return gone, nil
	}
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Equal(t, 1, asked)
	gone = map[int64]bool{1: true}
	v, err = a.Verify(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, v.Fault, second)
	require.Equal(t, 3, asked)
}
