package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/vault"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/memory"
)

// says returns the question that has this verdict.
func says(v vault.Verdict) func(context.Context) (vault.Verdict, error) {
	return func(context.Context) (vault.Verdict, error) { return v, nil }
}

func TestMain(m *testing.M) { stacktest.Main(m) }

var day = time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)

func entry(id string) domain.Entry {
	return domain.Entry{CommandID: id, Actor: "dpo/1", Approver: "dpo/2", Reason: "a request",
		Source: "test", EnteredAt: day}
}

func newMaster(t *testing.T) vault.MasterKey {
	t.Helper()
	key, err := vault.ParseMasterKey(vault.NewMasterKey())
	require.NoError(t, err)
	return key
}

func open(t *testing.T, log contract.Store, keys vault.Keys, m vault.Master) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), log, domain.Offline(), keys, m)
	require.NoError(t, err)
	return v
}

var ann = map[string]string{"name": "Ann Smith", "email": "ann.smith@example.com"}

func texts(fields []vault.Field) map[string]string {
	all := map[string]string{}
	for _, f := range fields {
		all[f.Name] = f.Text
	}
	return all
}

// Personal data is encrypted in the log, masked unless somebody asks with a reason, and that
// question is on record before the answer.
func TestMaskedUnlessAskedForOnRecord(t *testing.T) {
	t.Parallel()
	log, keys := memory.NewSimulated(), new(vault.Memory)
	v := open(t, log, keys, newMaster(t))
	require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann))
	p, err := v.Party(t.Context(), "trader/1")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": "", "email": ""}, texts(p.Masked()))

	fields, err := v.Unmask(t.Context(), entry("c-2"), "trader/1")
	require.NoError(t, err)
	require.Equal(t, ann, texts(fields))
	require.Equal(t, []string{"party.recorded", "party.unmasked"}, types(t, log, "trader/1"))
	requireNoText(t, log, keys)
}

func types(t *testing.T, log contract.Store, id string) (all []string) {
	t.Helper()
	for r, err := range log.Stream(t.Context(), vault.Stream(id)) {
		require.NoError(t, err)
		all = append(all, r.Type)
	}
	return all
}

// requireNoText looks for the texts of ann in everything that a log and a store of keys keep.
func requireNoText(t *testing.T, log contract.Store, keys vault.Keys) {
	t.Helper()
	end, err := log.End(t.Context())
	require.NoError(t, err)
	for r, err := range log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		everything := append([]byte(fmt.Sprintf("%+v", r)), r.Data...)
		for _, text := range ann {
			require.False(t, bytes.Contains(everything, []byte(text)), "event %s", r.ID)
		}
	}
	w, err := keys.Get(t.Context(), "trader/1")
	if err == nil {
		require.False(t, bytes.Contains(w.Key, []byte("Ann")))
	}
}

// A retry of the same entry has the same content, so it is recorded once. The same text in another
// event has another ciphertext.
func TestRetryIsTheSameEvent(t *testing.T) {
	t.Parallel()
	log := memory.NewSimulated()
	first := &retried{Store: log}
	v := open(t, first, new(vault.Memory), newMaster(t))
	require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann))
	require.NoError(t, v.Record(t.Context(), entry("c-2"), "trader/1", ann))
	require.Len(t, types(t, log, "trader/1"), 2)
	require.NotEqual(t, first.data[0], first.data[2])
}

// retried appends everything twice, as a caller does that lost the first answer.
type retried struct {
	contract.Store
	data [][]byte
}

func (r *retried) Append(ctx context.Context, stream string, at int64, e ...contract.Event) (
	[]contract.Receipt, error) {
	for range 2 {
		r.data = append(r.data, e[0].Data)
		if got, err := r.Store.Append(ctx, stream, at, e...); err != nil {
			return got, err
		}
	}
	return r.Store.Append(ctx, stream, at, e...)
}

// An erasure destroys the key and ends the stream. No event of the log changes.
func TestErasureDestroysTheKey(t *testing.T) {
	t.Parallel()
	log, keys := memory.NewSimulated(), new(vault.Memory)
	v := open(t, log, keys, newMaster(t))
	require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann))
	before := leaves(t, log)
	allowed := vault.Verdict{Allowed: true, Rule: "GDPR Art. 17(1)(a)", Detail: "it is over"}
	require.NoError(t, v.Erase(t.Context(), entry("c-2"), "trader/1", says(allowed)))

	parties, err := keys.Parties(t.Context())
	require.NoError(t, err)
	require.Empty(t, parties)
	_, err = v.Unmask(t.Context(), entry("c-3"), "trader/1")
	require.ErrorIs(t, err, vault.ErrErased)
	require.ErrorIs(t, v.Record(t.Context(), entry("c-4"), "trader/1", ann), vault.ErrErased)
	require.ErrorIs(t, v.Erase(t.Context(), entry("c-5"), "trader/1", says(allowed)),
		vault.ErrErased)
	require.Equal(t, before, leaves(t, log)[:1])
	require.Equal(t, []string{"party.recorded", "party.erased"}, types(t, log, "trader/1"))
}

func leaves(t *testing.T, log contract.Store) (all [][]byte) {
	t.Helper()
	for r, err := range log.Stream(t.Context(), vault.Stream("trader/1")) {
		require.NoError(t, err)
		all = append(all, r.Leaf())
	}
	return all
}

// A refused erasure is on record with its rule, and the data stays readable.
func TestRefusedErasureIsOnRecord(t *testing.T) {
	t.Parallel()
	log := memory.NewSimulated()
	v := open(t, log, new(vault.Memory), newMaster(t))
	require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann))
	kept := new(vault.KeptError)
	err := v.Erase(t.Context(), entry("c-2"), "trader/1", says(vault.Verdict{
		Rule: "GDPR Art. 17(3)(b)", Detail: "the records are kept until 2030-03-01",
		Until: day.AddDate(5, 0, 0)}))
	require.ErrorAs(t, err, &kept)
	require.EqualError(t, err, "the data of trader/1 stays: "+
		"the records are kept until 2030-03-01 (GDPR Art. 17(3)(b))")
	require.Equal(t, []string{"party.recorded", "party.kept"}, types(t, log, "trader/1"))
	fields, err := v.Unmask(t.Context(), entry("c-3"), "trader/1")
	require.NoError(t, err)
	require.Equal(t, ann, texts(fields))
	require.ErrorIs(t, v.Erase(t.Context(), entry("c-4"), "trader/2", says(vault.Verdict{})),
		vault.ErrNoParty)
}

// A ciphertext opens only in its own event and field, and with the key of its party.
func TestCiphertextIsBoundToItsEvent(t *testing.T) {
	t.Parallel()
	log, codec := memory.NewSimulated(), domain.Offline()
	v := open(t, log, new(vault.Memory), newMaster(t))
	require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann))
	require.NoError(t, v.Record(t.Context(), entry("c-2"), "trader/2", ann))
	for r, err := range log.Stream(t.Context(), vault.Stream("trader/2")) {
		require.NoError(t, err)
		body, err := domain.Decode[vault.Recorded](r)
		require.NoError(t, err)
		moved, err := codec.Event(t.Context(), vault.Stream("trader/1"), 0, entry("c-3"), body)
		require.NoError(t, err)
		_, err = log.Append(t.Context(), moved.Stream, 1, moved)
		require.NoError(t, err)
	}
	_, err := v.Unmask(t.Context(), entry("c-4"), "trader/1")
	require.ErrorIs(t, err, vault.ErrSealed)
}

// Texts that look different from what is recorded, and ids with a name's capitals, are refused. The
// error does not repeat the text.
func TestBadTextIsRefused(t *testing.T) {
	t.Parallel()
	v := open(t, memory.NewSimulated(), new(vault.Memory), newMaster(t))
	for _, bad := range []struct {
		id, name, text string
	}{
		{"Ann Smith", "name", "Ann"}, {"trader/1", "Name", "Ann"}, {"trader/1", "name", ""},
		{"trader/1", "name", "A\x00nn"}, {"trader/1", "name", "Ann\n"},
		{"trader/1", "name", strings.Repeat("a", 1001)}, {"trader/1", "name", "e\u0301"},
		{"trader/1", strings.Repeat("n", 41), "Ann"},
	} {
		err := v.Record(t.Context(), entry("c"), bad.id, map[string]string{bad.name: bad.text})
		text := new(vault.TextError)
		require.ErrorAs(t, err, &text, "%+v", bad)
	}
	require.Error(t, v.Record(t.Context(), entry("c"), "trader/1", map[string]string{}))
	_, err := vault.ParseMasterKey("0123")
	require.EqualError(t, err, "a master key is 128 hexadecimal digits")
}

// stores are the stores of keys, which have one behaviour.
func stores(t *testing.T) map[string]vault.Keys {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	require.NoError(t, vault.Migrate(t.Context(), dsn, dsn, schema))
	require.NoError(t, vault.Migrate(t.Context(), dsn, dsn, schema), "again")
	p, err := vault.OpenPostgres(t.Context(), dsn, schema)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return map[string]vault.Keys{"memory": new(vault.Memory), "postgres": p}
}

// Random histories: the vault answers as a plain map of texts and a set of erased parties do,
// whatever happens to the store of keys: rotations, and backups of any age that are put back.
func TestVaultAnswersLikeAMap(t *testing.T) {
	t.Parallel()
	for name, keys := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(4) {
				replayHistory(t, keys, seed)
			}
		})
	}
}

type model struct {
	texts  map[string]map[string]string
	erased map[string]bool
}

func replayHistory(t *testing.T, keys vault.Keys, seed uint64) {
	random, log := rand.New(rand.NewPCG(seed, 1)), memory.NewSimulated()
	m := model{map[string]map[string]string{}, map[string]bool{}}
	for id := range copyOf(t, keys) { // of the history before
		require.NoError(t, keys.Delete(t.Context(), id))
	}
	master := newMaster(t)
	v := open(t, log, keys, master)
	backup := copyOf(t, keys)
	for step := range 60 {
		id := fmt.Sprintf("p/%d-%d", seed, random.IntN(4))
		e := entry(fmt.Sprintf("c-%d-%d", seed, step))
		switch random.IntN(8) {
		case 0:
			backup = copyOf(t, keys)
		case 1: // a backup is put back; its keys are those of this master key
			putBack(t, keys, backup)
			v = open(t, log, keys, master)
		case 2:
			master = newMaster(t)
			_, err := v.Rotate(t.Context(), master)
			require.NoError(t, err)
			backup = copyOf(t, keys)
		case 3:
			err := v.Erase(t.Context(), e, id,
				says(vault.Verdict{Allowed: random.IntN(2) == 0}))
			if err == nil {
				m.erased[id] = true
			}
		default:
			text := map[string]string{
				string(rune('a' + random.IntN(3))): fmt.Sprintf("text %d", random.IntN(9)),
			}
			if err := v.Record(t.Context(), e, id, text); m.erased[id] {
				require.ErrorIs(t, err, vault.ErrErased)
				continue
			} else {
				require.NoError(t, err)
			}
			if m.texts[id] == nil {
				m.texts[id] = map[string]string{}
			}
			maps.Copy(m.texts[id], text)
			backup = copyOf(t, keys) // an older one lacks the key of this text
		}
		compare(t, v, m, id, e)
	}
}

func compare(t *testing.T, v *vault.Vault, m model, id string, e domain.Entry) {
	t.Helper()
	e.CommandID += "-look"
	fields, err := v.Unmask(t.Context(), e, id)
	switch {
	case m.erased[id]:
		require.ErrorIs(t, err, vault.ErrErased)
	case m.texts[id] == nil:
		require.ErrorIs(t, err, vault.ErrNoParty)
	default:
		require.NoError(t, err)
		require.Equal(t, m.texts[id], texts(fields))
	}
}

func copyOf(t *testing.T, keys vault.Keys) map[string]vault.Wrapped {
	t.Helper()
	all := map[string]vault.Wrapped{}
	parties, err := keys.Parties(t.Context())
	require.NoError(t, err)
	for _, id := range parties {
		all[id], err = keys.Get(t.Context(), id)
		require.NoError(t, err)
	}
	return all
}

func putBack(t *testing.T, keys vault.Keys, all map[string]vault.Wrapped) {
	t.Helper()
	for id, w := range all {
		require.NoError(t, keys.Delete(t.Context(), id))
		_, err := keys.Put(t.Context(), id, w)
		require.NoError(t, err)
	}
}

// The log decides who is erased: a store of keys from a backup of before, a rotation, and a crash
// between the event and the key bring nobody back.
func TestOldKeysBringNobodyBack(t *testing.T) {
	t.Parallel()
	for name, keys := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, master := memory.NewSimulated(), newMaster(t)
			v := open(t, log, keys, master)
			require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann))
			backup := copyOf(t, keys)
			require.NoError(t, v.Erase(t.Context(), entry("c-2"), "trader/1",
				says(vault.Verdict{Allowed: true})))

			putBack(t, keys, backup) // while the vault is open
			_, err := v.Unmask(t.Context(), entry("c-3"), "trader/1")
			require.ErrorIs(t, err, vault.ErrErased)
			require.Empty(t, copyOf(t, keys))

			putBack(t, keys, backup) // before it is opened
			v = open(t, log, keys, master)
			require.Empty(t, copyOf(t, keys))

			putBack(t, keys, backup) // before a rotation
			next := newMaster(t)
			_, err = v.Rotate(t.Context(), next)
			require.NoError(t, err)
			open(t, log, keys, next)
			require.Empty(t, copyOf(t, keys))
		})
	}
}

// After a rotation the old master key opens nothing. Another master key than the one in use is
// named, and no key is made under it.
func TestOldMasterKeyOpensNothing(t *testing.T) {
	t.Parallel()
	log, keys, old := memory.NewSimulated(), new(vault.Memory), newMaster(t)
	v := open(t, log, keys, old)
	require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann))
	next := newMaster(t)
	count, err := v.Rotate(t.Context(), next)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	w, err := keys.Get(t.Context(), "trader/1")
	require.NoError(t, err)
	_, err = old.Unwrap(t.Context(), "trader/1", w.Key)
	require.ErrorIs(t, err, vault.ErrSealed)

	mistaken := new(vault.MasterError)
	_, err = open(t, log, keys, old).Unmask(t.Context(), entry("c-2"), "trader/1")
	require.ErrorAs(t, err, &mistaken)
	fields, err := open(t, log, keys, next).Unmask(t.Context(), entry("c-3"), "trader/1")
	require.NoError(t, err)
	require.Equal(t, ann, texts(fields))
}

// A key that is lost is no reason for another one: the fields on record would stay unreadable, and
// nobody would notice.
func TestLostKeyIsNotReplaced(t *testing.T) {
	t.Parallel()
	log, keys := memory.NewSimulated(), new(vault.Memory)
	v := open(t, log, keys, newMaster(t))
	require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann))
	require.NoError(t, keys.Delete(t.Context(), "trader/1"))
	lost := new(vault.LostKeyError)
	require.ErrorAs(t, v.Record(t.Context(), entry("c-2"), "trader/1", ann), &lost)
	require.Contains(t, lost.Hint(), "backup")
	_, err := v.Unmask(t.Context(), entry("c-3"), "trader/1")
	require.ErrorAs(t, err, &lost)
	require.ErrorIs(t, err, vault.ErrNoKey)
	require.Equal(t, []string{"party.recorded"}, types(t, log, "trader/1"))
	left, err := keys.Parties(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

// A process that has the master key of before a rotation adds no key under it.
func TestOldMasterAddsNoKey(t *testing.T) {
	t.Parallel()
	for name, keys := range stores(t) {
		log, old, next := memory.NewSimulated(), newMaster(t), newMaster(t)
		v := open(t, log, keys, old)
		require.NoError(t, v.Record(t.Context(), entry("c-1"), "trader/1", ann), name)
		_, err := open(t, log, keys, old).Rotate(t.Context(), next)
		require.NoError(t, err, name)
		wrong := new(vault.MasterError)
		require.ErrorAs(t, v.Record(t.Context(), entry("c-2"), "trader/2", ann), &wrong, name)
		require.Equal(t, next.ID(), wrong.Want)
		require.NoError(t, open(t, log, keys, next).Record(t.Context(), entry("c-3"), "trader/2",
			ann), name)
	}
}

// An error of the vault quotes nothing that was given to it: it may be a name in the wrong place.
func TestErrorsQuoteNoText(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		vault.Check("Ann Smith", map[string]string{"name": "x"}),
		vault.Check("trader/1", map[string]string{"Ann Smith": "x"}),
		vault.Check("trader/1", map[string]string{"name": "Ann Smith\n"}),
	} {
		require.Error(t, err)
		require.NotContains(t, err.Error(), "Ann")
	}
}
