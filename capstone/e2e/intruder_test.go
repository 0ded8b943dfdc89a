package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// An intruder changes the log without the store, by the broker's files or as the superuser of the
// database. While there is an intruder, no other process uses the log.
type intruder interface {
	// events returns the events of one partition, in order.
	events() []event
	// flip changes one bit of an event's payload.
	flip(at contract.Position)
	// rewrite adds an approver to an event.
	rewrite(at contract.Position)
	// remove removes an event, and leaves its place empty.
	remove(at contract.Position)
	// closeUp removes an event, and moves the later ones up.
	closeUp(at contract.Position)
	// insert puts a copy of an event, with another id, after it, and moves the later ones down.
	insert(at contract.Position)
	// swap exchanges the places of two events, with all their attributes.
	swap(a, b contract.Position)
	// exchange gives two events each other's payload.
	exchange(a, b contract.Position)
	// cut removes an event and all later events, and every trace of them.
	cut(from contract.Position)

	// restore undoes all earlier changes. It is called BEFORE any change, and commit after the
	// last.
	restore()
	commit()
	// digests returns a digest of everything that the store keeps of the log, by name.
	digests() map[string]string
	leave()
}

// An event is known by its position and its stream.
type event struct {
	at     contract.Position
	stream string
}

// archived returns a digest of every file of the archive and of the keys.
func archived(t testing.TB, f *folder) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{"stack/s3/objects", "stack/s3/versions", "keys"} {
		hashFiles(t, filepath.Join(f.data, dir), all)
	}
	require.NotEmpty(t, all)
	return all
}

func hashFiles(t testing.TB, dir string, into map[string]string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		into[path] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	}))
}
