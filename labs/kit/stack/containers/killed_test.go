package containers_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/containers"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func TestWhatAKilledProcessLeftIsRemovedByTheNextOfWhateverDirectory(t *testing.T) {
	t.Parallel()
	real(t)
	dir := stacktest.Dir(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildThatIsKilled$", "-test.v")
	child.Env = append(os.Environ(), "BLOTTER_TEST_KILLED="+dir)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), "database at"); {
	}
	require.Len(t, containersOf(t, dir), 1)
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.Len(t, containersOf(t, dir), 1, "nobody watches over them")

	_, err = open(t).Postgres(t.Context())
	require.NoError(t, err)
	require.Empty(t, containersOf(t, dir))
}

func TestChildThatIsKilled(t *testing.T) {
	dir := os.Getenv("BLOTTER_TEST_KILLED")
	if dir == "" {
		t.Skip("for the test above")
	}
	s := containers.New(containers.Options{Dir: dir, Temporary: true})
	dsn, err := s.Postgres(t.Context())
	require.NoError(t, err)
	fmt.Println("database at", dsn)
	<-t.Context().Done() // killed before
}

func containersOf(t *testing.T, dir string) []string {
	t.Helper()
	engine, err := client.New(client.FromEnv)
	require.NoError(t, err)
	defer engine.Close()
	found, err := engine.ContainerList(t.Context(), client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", "com.example.blotter.dir="+dir),
	})
	require.NoError(t, err)
	var ids []string
	for _, c := range found.Items {
		ids = append(ids, c.ID)
	}
	return ids
}
