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
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/containers"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// needEngine skips a test that stops a stack of its own, unless a container engine is available.
func needEngine(t *testing.T) {
	t.Helper()
	if !stacktest.HasEngine() {
		t.Skip("needs a container engine: STACK=containers make test")
	}
}

// open returns a stack of the test's own.
func open(t *testing.T) *containers.Stack {
	t.Helper()
	needEngine(t)
	s := containers.New(containers.Options{
		Dir: filepath.Join(stacktest.Dir(t), "stack"), Temporary: true,
		Log: func(line string) { t.Log(line) },
	})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for _, h := range stack.Check(t.Context(), open(t)) {
		require.NoError(t, h.Err, h.Component)
		require.Contains(t, h.Address, "127.0.0.1", h.Component)
	}
}

// The next stack of a directory opens the same volumes.
func TestDataSurvivesClose(t *testing.T) {
	t.Parallel()
	needEngine(t)
	dir := stacktest.Dir(t)
	for _, temporary := range []bool{false, true} {
		s := containers.New(containers.Options{Dir: dir, Temporary: temporary})
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		for _, h := range stack.Check(t.Context(), s) {
			require.NoError(t, h.Err, h.Component)
		}
		require.NoError(t, s.Close())
	}
}

// The next stack, of another directory, removes the containers and the temporary volumes of a
// killed process.
func TestSweepAfterKill(t *testing.T) {
	t.Parallel()
	needEngine(t)
	dir := stacktest.Dir(t)
	child := exec.CommandContext(t.Context(), os.Args[0],
		"-test.run=^TestKilledProcess$", "-test.v")
	child.Env = append(os.Environ(), "BLOTTER_TEST_KILLED="+dir)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "database at") {
	}
	require.Len(t, containersOf(t, dir), 1)
	require.Len(t, volumesOf(t, dir), 1)
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.Len(t, containersOf(t, dir), 1, "no helper removes the container of a killed process")

	_, err = open(t).Postgres(t.Context())
	require.NoError(t, err)
	require.Empty(t, containersOf(t, dir))
	require.Empty(t, volumesOf(t, dir), "the volumes were temporary")
}

// TestKilledProcess is the process that TestSweepAfterKill kills.
func TestKilledProcess(t *testing.T) {
	dir := os.Getenv("BLOTTER_TEST_KILLED")
	if dir == "" {
		t.Skip("runs as a child process of TestSweepAfterKill")
	}
	dsn, err := containers.New(containers.Options{Dir: dir, Temporary: true}).Postgres(t.Context())
	require.NoError(t, err)
	fmt.Println("database at", dsn)
	<-t.Context().Done() // the kill comes first
}

// The volumes of a log stay when its directory is moved.
func TestSweepKeepsVolumesOfALog(t *testing.T) {
	t.Parallel()
	needEngine(t)
	dir := filepath.Join(stacktest.Dir(t), "log")
	s := containers.New(containers.Options{Dir: dir})
	_, err := s.Postgres(t.Context())
	require.NoError(t, errors.Join(err, s.Close()))
	require.NoError(t, os.Rename(dir, dir+"-moved"))

	_, err = open(t).Postgres(t.Context()) // of another directory
	require.NoError(t, err)
	kept := volumesOf(t, dir)
	require.Len(t, kept, 1)
	removeVolumes(t, kept)
}

// If a directory is removed and created again, its stack does not reuse the old volumes.
func TestRecreatedDirectoryHasNewVolumes(t *testing.T) {
	t.Parallel()
	needEngine(t)
	dir := filepath.Join(stacktest.Dir(t), "log")
	for range 2 {
		s := containers.New(containers.Options{Dir: dir})
		_, err := s.Postgres(t.Context())
		require.NoError(t, errors.Join(err, s.Close()))
		require.NoError(t, os.RemoveAll(dir))
	}
	kept := volumesOf(t, dir)
	require.Len(t, kept, 2)
	removeVolumes(t, kept)
}

func TestMissingEngine(t *testing.T) {
	t.Parallel()
	output := runFailingStart(t, "DOCKER_HOST=unix:///nowhere/docker.sock")
	require.Contains(t, output, "no container engine answers")
	require.Contains(t, output, "hint: start one, or name its socket in DOCKER_HOST")
}

func TestMissingImage(t *testing.T) {
	t.Parallel()
	needEngine(t)
	output := runFailingStart(t, "BLOTTER_KAFKA_IMAGE=127.0.0.1:1/nobody/missing:1")
	require.Contains(t, output,
		"image 127.0.0.1:1/nobody/missing:1 is not on this engine and cannot be fetched")
	require.Contains(t, output, "in BLOTTER_KAFKA_IMAGE")
}

// runFailingStart starts a stack in a process of its own, since testcontainers remembers its engine
// for the life of a process. It returns the output, and bounds the time until the error.
func runFailingStart(t *testing.T, env string) string {
	t.Helper()
	const limit = 30 * time.Second // wide enough for a busy machine
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFailingStart$", "-test.v")
	cmd.Env = append(os.Environ(), "BLOTTER_TEST_CHILD="+stacktest.Dir(t), env)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Less(t, time.Since(began), limit)
	return string(out)
}

// TestFailingStart is the process of runFailingStart.
func TestFailingStart(t *testing.T) {
	dir := os.Getenv("BLOTTER_TEST_CHILD")
	if dir == "" {
		t.Skip("runs as a child process of the tests for a missing engine and a missing image")
	}
	s := containers.New(containers.Options{Dir: dir, Temporary: true})
	defer s.Close()
	_, err := s.Kafka(t.Context())
	var h interface{ Hint() string }
	require.True(t, errors.As(err, &h), "%v", err)
	t.Logf("error: %v\nhint: %s", err, h.Hint())
}

func containersOf(t *testing.T, dir string) []string {
	t.Helper()
	options := client.ContainerListOptions{All: true, Filters: withDirLabel(dir)}
	found, err := engine(t).ContainerList(t.Context(), options)
	require.NoError(t, err)
	var ids []string
	for _, c := range found.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

func volumesOf(t *testing.T, dir string) []string {
	t.Helper()
	options := client.VolumeListOptions{Filters: withDirLabel(dir)}
	found, err := engine(t).VolumeList(t.Context(), options)
	require.NoError(t, err)
	var names []string
	for _, v := range found.Items {
		names = append(names, v.Name)
	}
	return names
}

func removeVolumes(t *testing.T, names []string) {
	t.Helper()
	for _, name := range names {
		_, err := engine(t).VolumeRemove(t.Context(), name, client.VolumeRemoveOptions{})
		require.NoError(t, err)
	}
}

func withDirLabel(dir string) client.Filters {
	return make(client.Filters).Add("label", "com.example.blotter.dir="+dir)
}

func engine(t *testing.T) *client.Client {
	t.Helper()
	engine, err := client.New(client.FromEnv)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}
