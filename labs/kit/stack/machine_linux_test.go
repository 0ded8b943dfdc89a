package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server that still shuts down after its parent was killed must keep its pid file, by whatever
// path its directory is named.
func TestAProcessIsKnownByItsDirectoryAndNotByThePath(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	require.NoError(t, err)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(here, link))
	for dir, other := range map[string]bool{
		here: false, link: false, t.TempDir(): true,
		filepath.Join(link, "missing"): false, // cannot be told
	} {
		require.Equal(t, other, worksElsewhere(os.Getpid(), dir), dir)
	}
}
