package proof_test

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

// An intruder has what it takes to go around the store: the broker's files, or the superuser's password. While there is one, nothing else
// runs on the log.
type intruder interface {
	// events are those of one partition, in order.
	events() []event
	// flip changes one bit of an event's payload.
	flip(at contract.Position)
	// rewrite says that a second person approved of it.
	rewrite(at contract.Position)
	// remove takes an event out, and leaves its place empty.
	remove(at contract.Position)
	// closeUp takes an event out, and moves those behind it up.
	closeUp(at contract.Position)
	// swap lets two events change places, with all that belongs to them.
	swap(a, b contract.Position)
	// exchange gives two events each other's payload.
	exchange(a, b contract.Position)
	// cut takes the end away, from an event on, and all trace of there having been more.
	cut(from contract.Position)

	// restore undoes whatever was done before, and comes first of all changes; commit comes last.
	restore()
	commit()
	// digests are of everything that the store keeps of the log.
	digests() map[string]string
	leave()
}

// An event is where one stands, and in which stream.
type event struct {
	at     contract.Position
	stream string
}

// archived is a digest of every file of the archive and of the keys.
func archived(t testing.TB, d *desk) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{"stack/s3/objects", "stack/s3/versions", "keys"} {
		hashFiles(t, filepath.Join(d.data, dir), all)
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
