package containers_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	require.Len(t, volumesOf(t, dir), 1)
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.Len(t, containersOf(t, dir), 1, "nobody watches over them")

	_, err = open(t).Postgres(t.Context())
	require.NoError(t, err)
	require.Empty(t, containersOf(t, dir))
	require.Empty(t, volumesOf(t, dir), "they were temporary")
}

func TestTheVolumesOfALogStayWhenItsDirectoryIsMoved(t *testing.T) {
	t.Parallel()
	real(t)
	dir := filepath.Join(stacktest.Dir(t), "log")
	s := containers.New(containers.Options{Dir: dir})
	_, err := s.Postgres(t.Context())
	require.NoError(t, errors.Join(err, s.Close()))
	require.NoError(t, os.Rename(dir, dir+"-moved"))

	_, err = open(t).Postgres(t.Context()) // of another directory
	require.NoError(t, err)
	kept := volumesOf(t, dir)
	require.Len(t, kept, 1)
	_, err = engine(t).VolumeRemove(t.Context(), kept[0], client.VolumeRemoveOptions{})
	require.NoError(t, err)
}

func TestADirectoryThatIsMadeAnewHasVolumesOfItsOwn(t *testing.T) {
	t.Parallel()
	real(t)
	dir := filepath.Join(stacktest.Dir(t), "log")
	for range 2 {
		s := containers.New(containers.Options{Dir: dir})
		_, err := s.Postgres(t.Context())
		require.NoError(t, errors.Join(err, s.Close()))
		require.NoError(t, os.RemoveAll(dir))
	}
	kept := volumesOf(t, dir)
	require.Len(t, kept, 2)
	for _, volume := range kept {
		_, err := engine(t).VolumeRemove(t.Context(), volume, client.VolumeRemoveOptions{})
		require.NoError(t, err)
	}
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
	found, err := engine(t).ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: labelled(dir)})
	require.NoError(t, err)
	var ids []string
	for _, c := range found.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

func volumesOf(t *testing.T, dir string) []string {
	t.Helper()
	found, err := engine(t).VolumeList(t.Context(), client.VolumeListOptions{Filters: labelled(dir)})
	require.NoError(t, err)
	var names []string
	for _, v := range found.Items {
		names = append(names, v.Name)
	}
	return names
}

func labelled(dir string) client.Filters {
	return make(client.Filters).Add("label", "com.example.blotter.dir="+dir)
}

func engine(t *testing.T) *client.Client {
	t.Helper()
	engine, err := client.New(client.FromEnv)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}
