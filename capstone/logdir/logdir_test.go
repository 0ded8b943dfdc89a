package logdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

var (
	example  = Settings{Name: "example", Stack: "embedded", Store: "kafka", Partitions: 3}
	expected = Expected{Stack: "embedded", Stores: []string{"kafka", "postgres"}}
)

// If several commands create a log at once, the first wins. The others continue if they chose the
// same settings.
func TestCreateKeepsFirstSettings(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	begin := func(s Settings) error {
		d, err := New(path, s)
		require.NoError(t, err)
		require.True(t, d.IsNew())
		return d.Create()
	}
	require.NoError(t, begin(example))
	require.NoError(t, begin(example), "the second command chose the same")
	other := example
	other.Simulated = true
	require.EqualError(t, begin(other), "another command has just created another log in "+path)

	d, err := Open(path, expected)
	require.NoError(t, err)
	require.Equal(t, example, d.Settings())
	require.False(t, d.IsNew())
	files, err := os.ReadDir(path)
	require.NoError(t, err)
	require.Len(t, files, 1, "the losers leave no file")
}

// Settings that no command writes would lead to another place than the log's.
func TestOpenRefusesEditedSettings(t *testing.T) {
	t.Parallel()
	for says, edit := range map[string]func(*Settings){
		`store "foo": want kafka or postgres`: func(s *Settings) {
			s.Store = "foo"
		},
		`stack "cloud": want embedded, containers or external`: func(s *Settings) {
			s.Stack = "cloud"
		},
		`partitions 0: want at least 1`: func(s *Settings) {
			s.Partitions = 0
		},
		`--name "not_a_name" cannot be the name of a log`: func(s *Settings) {
			s.Name = "not_a_name"
		},
	} {
		path, edited := t.TempDir(), example
		edit(&edited)
		text, err := json.Marshal(edited)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(path, settingsFile), text, 0o600))
		_, err = Open(path, expected)
		require.EqualError(t, err, filepath.Join(path, settingsFile)+": "+says)
		require.ErrorAs(t, err, new(*IntegrityError))
	}
}

func TestOpenRefusesAnotherLog(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	_, err := Open(path, expected)
	require.ErrorAs(t, err, new(*NoLogError))
	d, err := New(path, example)
	require.NoError(t, err)
	require.NoError(t, d.Create())
	for says, want := range map[string]Expected{
		"is in the embedded stack, not in the external stack": {Stack: "external"},
		"was created with --partitions 3, not 12": {
			Choices: map[string]string{"partitions": "12"},
		},
		"was created with --store kafka, not postgres": {
			Choices: map[string]string{"store": "postgres"},
		},
		"was created with --name example, not other": {
			Choices: map[string]string{"name": "other"},
		},
	} {
		want.Stores = expected.Stores
		if want.Stack == "" {
			want.Stack = "embedded"
		}
		_, err := Open(path, want)
		require.ErrorContains(t, err, says)
		require.ErrorAs(t, err, new(*UsageError))
	}
}

// A log that is gone, was made again, or lost its end is refused before a store is opened.
func TestCheckTopicFindsAnotherLog(t *testing.T) {
	t.Parallel()
	s := example
	s.Topic = "id-1"
	d := &Dir{path: "data", settings: s}
	mark := contract.Cursor{5, 5, 5}
	for says, found := range map[string]Topic{
		"the log in data is gone: there is no topic example.events": {},
		"it has the id id-2, and the log was created in id-1": {ID: "id-2",
			Partitions: 3, Ends: mark},
		"log.json says 3 partitions, and the topic example.events has 1": {ID: "id-1",
			Partitions: 1, Ends: mark},
		"partition 2 at 4, and the last process that wrote it has it up to 5": {ID: "id-1",
			Partitions: 3, Ends: contract.Cursor{5, 5, 4}},
	} {
		require.ErrorContains(t, d.CheckTopic(found, mark, nil), says)
	}
	require.NoError(t, d.CheckTopic(Topic{ID: "id-1", Partitions: 3, Ends: mark}, mark, nil))
	require.NoError(t, d.CheckTopic(Topic{Partitions: 3, Ends: mark}, mark, nil),
		"an old broker has no ids")
}

// The log decides whether it is simulated. A file that says otherwise is named.
func TestCheckTimelineNamesTheSettings(t *testing.T) {
	t.Parallel()
	for _, simulated := range []bool{false, true} {
		d := &Dir{path: "here", settings: Settings{Name: "blotter", Simulated: simulated}}
		require.NoError(t, d.CheckTimeline(contract.Timeline{Simulated: simulated}))
		var broken *IntegrityError
		require.ErrorAs(t, d.CheckTimeline(contract.Timeline{Simulated: !simulated}), &broken)
		require.ErrorContains(t, broken, "here/log.json says that the log is ")
		d.isNew = true
		var taken *UsageError
		require.ErrorAs(t, d.CheckTimeline(contract.Timeline{Simulated: !simulated}), &taken)
		require.ErrorContains(t, taken, "the log blotter already exists")
	}
}

func TestNewLogAdoptsTopic(t *testing.T) {
	t.Parallel()
	d, err := New(t.TempDir(), example)
	require.NoError(t, err)
	there := Topic{ID: "id-1", Partitions: 12}
	require.ErrorContains(t, d.CheckTopic(there, nil, map[string]string{"partitions": "3"}),
		"the topic example.events already exists, with 12 partitions")
	require.NoError(t, d.CheckTopic(there, nil, nil))
	d.Identify(there)
	require.Equal(t, int32(12), d.Settings().Partitions)
	require.Equal(t, "id-1", d.Settings().Topic)
}

// The marks of an earlier log in the same folder say nothing about a new one.
func TestMarksOfANewLog(t *testing.T) {
	t.Parallel()
	d, err := New(t.TempDir(), example)
	require.NoError(t, err)
	require.NoError(t, d.MarkReached(contract.Cursor{7}))
	require.NoError(t, d.Published().Save(contract.Cursor{7}))
	require.NoError(t, d.AccountSnapshots().Save("cash", []byte("rich")))
	mark, err := d.Reached()
	require.NoError(t, err)
	require.Nil(t, mark)
	require.NoError(t, d.Create())
	require.NoFileExists(t, string(d.reached()))
	require.NoFileExists(t, string(d.Published()))
	require.NoDirExists(t, string(d.AccountSnapshots()))
}

func keySource(create, signed bool) KeySource {
	return KeySource{
		Create: create, VerifierKey: audit.VerifierKey,
		Signed: func() (bool, error) { return signed, nil },
	}
}

// Of several first seals at once, all sign with the key that is kept, and keys/verifier is its key.
func TestFirstSealsShareOneKey(t *testing.T) {
	t.Parallel()
	d := &Dir{path: t.TempDir(), settings: example}
	var all sync.WaitGroup
	hashes := make([]uint32, 8)
	for i := range hashes {
		all.Go(func() {
			k, err := d.Keys(keySource(true, false))
			if err == nil && k.Signer.KeyHash() == k.Verifier.KeyHash() {
				hashes[i] = k.Signer.KeyHash()
			}
		})
	}
	all.Wait()
	public, err := os.ReadFile(d.keyFile("verifier"))
	require.NoError(t, err)
	kept, err := note.NewVerifier(strings.TrimSpace(string(public)))
	require.NoError(t, err)
	for _, hash := range hashes {
		require.Equal(t, kept.KeyHash(), hash)
	}
	files, err := os.ReadDir(filepath.Dir(d.keyFile("verifier")))
	require.NoError(t, err)
	require.Len(t, files, 2, "the losers leave no file")
}

// A crash between the two files leaves only the signer key.
func TestNextSealRestoresVerifierKey(t *testing.T) {
	t.Parallel()
	d := &Dir{path: t.TempDir(), settings: example}
	first, err := d.Keys(keySource(true, false))
	require.NoError(t, err)
	require.NoError(t, os.Remove(d.keyFile("verifier")))
	second, err := d.Keys(keySource(true, false))
	require.NoError(t, err)
	require.Equal(t, first.Verifier.KeyHash(), second.Verifier.KeyHash())
	require.FileExists(t, d.keyFile("verifier"))
}

// Each step of a change of the signer leaves a folder that opens. The next key stays the same until
// it took over, and keys/verifier has the public key of either.
func TestNextSignerTakesOver(t *testing.T) {
	t.Parallel()
	d := &Dir{path: t.TempDir(), settings: example}
	first, err := d.Keys(keySource(true, false))
	require.NoError(t, err)
	require.Nil(t, first.Next)
	require.NoError(t, d.NextSigner())
	both, err := d.Keys(keySource(false, true))
	require.NoError(t, err)
	require.NoError(t, d.NextSigner()) // a crash came before the note in the archive
	again, err := d.Keys(keySource(false, true))
	require.NoError(t, err)
	require.Equal(t, first.Public, both.Public)
	require.NotEqual(t, both.Public, both.NextPublic)
	require.Equal(t, both.NextPublic, again.NextPublic)

	require.NoError(t, d.KeepVerifier(both.NextPublic+"\n\nnote\n\nsignature\n"))
	open := keySource(false, true)
	open.Open = func(text string) (note.Verifier, error) {
		return note.NewVerifier(firstLine([]byte(text)))
	}
	turning, err := d.Keys(open)
	require.NoError(t, err)
	require.Equal(t, both.Public, turning.Public)
	require.Equal(t, both.Next.KeyHash(), turning.Verifier.KeyHash())
	public, err := d.PublicKey()
	require.NoError(t, err)
	require.Equal(t, both.NextPublic, public)

	require.NoError(t, d.PromoteSigner())
	after, err := d.Keys(open)
	require.NoError(t, err)
	require.Equal(t, both.NextPublic, after.Public)
	require.Nil(t, after.Next)
	require.NoError(t, d.KeepVerifier(first.Public+"\n"))
	_, err = d.Keys(open)
	require.ErrorContains(t, err, "is not the public key of keys/signer")
}

// A folder that lost its signer key in an overlap has the next one, with either public key.
func TestNextSignerOutlivesTheLostOne(t *testing.T) {
	t.Parallel()
	d := &Dir{path: t.TempDir(), settings: example}
	first, err := d.Keys(keySource(true, false))
	require.NoError(t, err)
	require.NoError(t, d.NextSigner())
	both, err := d.Keys(keySource(false, true))
	require.NoError(t, err)
	require.NoError(t, os.Remove(d.keyFile("signer")))
	for _, public := range []string{first.Public, both.NextPublic, ""} {
		if err = d.KeepVerifier(public + "\n"); public == "" {
			public, err = both.NextPublic, os.Remove(d.keyFile("verifier"))
		}
		require.NoError(t, err)
		left, err := d.Keys(keySource(true, true))
		require.NoError(t, err)
		require.Nil(t, left.Signer)
		require.Empty(t, left.Public)
		require.Equal(t, both.NextPublic, left.NextPublic)
		require.True(t, strings.HasPrefix(public, left.Verifier.Name()+"+"+
			fmt.Sprintf("%08x", left.Verifier.KeyHash())), public)
		require.NoFileExists(t, d.keyFile("signer"))
	}
}

// With another key in its place every checkpoint would look forged.
func TestLostKeyIsNotReplaced(t *testing.T) {
	t.Parallel()
	d := &Dir{path: t.TempDir(), settings: example}
	for _, create := range []bool{true, false} {
		_, err := d.Keys(keySource(create, true))
		require.ErrorContains(t, err, "the log's signing key is missing: "+d.path)
	}
	require.NoDirExists(t, filepath.Join(d.path, "keys"))
}

// A published checkpoint beside the keys says that they belong to a sealed log.
func TestNewLogBesideKeptCheckpoint(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := &Dir{path: path, settings: example}
	_, err := d.Keys(keySource(true, false))
	require.NoError(t, err)
	require.NoError(t, d.KeepCheckpoint([]byte("signed")))
	_, err = New(path, example)
	require.ErrorContains(t, err, "belong to another log")

	forged := errors.New("not a checkpoint of this log")
	_, err = d.Checkpoint(func([]byte) (contract.Checkpoint, error) {
		return contract.Checkpoint{},
			forged
	})
	require.EqualError(t, err, d.keyFile("checkpoint")+": not a checkpoint of this log")
	require.ErrorAs(t, err, new(*IntegrityError))
}

func TestFileIsWrittenCompleteAndOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	var all sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		all.Go(func() {
			results[i] = writeNew(path, []byte(strings.Repeat(string(rune('a'+i)), 1<<16)))
		})
	}
	all.Wait()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, text, 1<<16)
	for i, err := range results {
		if text[0] == byte('a'+i) {
			require.NoError(t, err, "the file holds this writer's text")
		} else {
			require.ErrorIs(t, err, os.ErrExist)
		}
	}
}

// The file of a service counts only while the process that it names has the lock: a service that
// crashed leaves its file, and another command may hold the lock for an instant.
func TestServiceIsTheHolderOfTheLock(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := New(path, example)
	require.NoError(t, err)
	require.NoError(t, d.Create())
	found := func() *Service {
		s, err := FindService(path)
		require.NoError(t, err)
		return s
	}
	require.Nil(t, found())
	own := Service{URL: "http://127.0.0.1:1", Token: "secret", PID: os.Getpid()}
	withdraw, err := d.Announce(own)
	require.NoError(t, err)
	require.Equal(t, &own, found())
	crashed, err := json.Marshal(Service{URL: own.URL, Token: own.Token, PID: own.PID + 1})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(path, "service"), crashed, 0o600))
	require.Nil(t, found(), "another process has the lock")
	require.NoError(t, os.WriteFile(filepath.Join(path, "service"), []byte("{"), 0o600))
	_, err = FindService(path)
	require.ErrorContains(t, err, "the file of the service in "+path)
	require.NoError(t, withdraw())
	require.NoError(t, os.WriteFile(filepath.Join(path, "service"), crashed, 0o600))
	require.Nil(t, found(), "nobody has the lock")
}

// Each file that is no evidence is named, and hides no other. So is a folder that cannot be read.
func TestUnreadEvidenceIsNamed(t *testing.T) {
	t.Parallel()
	d, err := New(t.TempDir(), example)
	require.NoError(t, err)
	notes, unread := d.EvidenceNotes()
	require.Empty(t, notes)
	require.Empty(t, unread, "no evidence was ever kept")
	kept, err := d.KeepEvidence("a fork", [][]byte{[]byte("one"), []byte("two")})
	require.NoError(t, err)
	folder := filepath.Dir(kept)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "0.json"), []byte("junk"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "1.json"), []byte("{}"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "z.json"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "note.txt"), nil, 0o600))
	notes, unread = d.EvidenceNotes()
	require.Equal(t, [][]byte{[]byte("one"), []byte("two")}, notes)
	require.Len(t, unread, 3)
	require.ErrorContains(t, unread[0], filepath.Join(folder, "0.json")+" is no evidence: ")
	require.ErrorContains(t, unread[1],
		filepath.Join(folder, "1.json")+" is no evidence: it has no signed checkpoint")
	require.ErrorContains(t, unread[2], filepath.Join(folder, "z.json")+" is no evidence: ")

	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.WriteFile(folder, nil, 0o600))
	_, unread = d.EvidenceNotes()
	require.Len(t, unread, 1)
	require.ErrorContains(t, unread[0], "the evidence is not read: ")
}
