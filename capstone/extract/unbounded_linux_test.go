package extract_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/extract"
)

// Nothing unbounded is read before the signature is checked, and every later size is signed: a
// sparse file of a terabyte, an endless device and a pipe without a writer are named at once.
func TestEndlessFilesAreNamedUnread(t *testing.T) {
	t.Parallel()
	d := story(t)
	dir := filepath.Join(t.TempDir(), "out")
	_, err := extract.Make(t.Context(), dir, ask(extract.Query{}), d.options)
	require.NoError(t, err)
	device := func(path string) error { return os.Symlink("/dev/zero", path) }
	pipe := func(path string) error { return syscall.Mkfifo(path, 0o600) }
	for _, replace := range []struct {
		name string
		by   func(path string) error
		want string
	}{
		{"sparse", sparse, "bytes"},
		{"device", device, "not a regular file"},
		{"pipe", pipe, "not a regular file"},
	} {
		for path := range load(t, dir) {
			t.Run(replace.name+" "+path, func(t *testing.T) {
				file := filepath.Join(dir, path)
				require.NoError(t, os.Rename(file, dir+".kept"))
				require.NoError(t, replace.by(file))
				f := quickFault(t, dir, d)
				require.Equal(t, path, f.File)
				require.NoError(t, os.Remove(file))
				require.NoError(t, os.Rename(dir+".kept", file))
			})
		}
		t.Run(replace.name+" request", func(t *testing.T) {
			file := extract.RequestFile(dir)
			require.NoError(t, os.Remove(file))
			require.NoError(t, replace.by(file))
			_, err := extract.ReadRequest(dir, d.options.Verifier)
			require.ErrorContains(t, err, replace.want)
		})
	}
}

func sparse(path string) error {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	return os.Truncate(path, 1<<40)
}

// quickFault returns the fault of a bundle, which must not take the time of reading a terabyte.
func quickFault(t *testing.T, dir string, d *sealedLog) *extract.Fault {
	begun := time.Now()
	f := faultOf(t, os.DirFS(dir), d.options.Verifier)
	require.Less(t, time.Since(begun), 30*time.Second, "a terabyte takes minutes")
	return f
}
