package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server that still shuts down after its parent was killed must keep its pid file. Therefore a
// process counts as a server of the directory also if the path of the directory has a link.
func TestWorksElsewhere(t *testing.T) {
	t.Parallel()
	wd, err := os.Getwd()
	require.NoError(t, err)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(wd, link))
	for dir, elsewhere := range map[string]bool{
		wd: false, link: false, t.TempDir(): true,
		filepath.Join(link, "missing"): false, // unknown
	} {
		require.Equal(t, elsewhere, worksElsewhere(os.Getpid(), dir), dir)
	}
}
