package containers_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/containers"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// soon is what a person waits for gladly, on a machine that is busy.
const soon = 30 * time.Second

func TestWithoutAnEngineThereIsAnErrorWithAHintAndNoHang(t *testing.T) {
	t.Parallel()
	said := failing(t, "DOCKER_HOST=unix:///nowhere/docker.sock")
	require.Contains(t, said, "no container engine answers")
	require.Contains(t, said, "hint: start one, or name its socket in DOCKER_HOST")
}

func TestWithoutAnImageThereIsAnErrorWithAHintAndNoHang(t *testing.T) {
	t.Parallel()
	real(t)
	said := failing(t, "BLOTTER_KAFKA_IMAGE=127.0.0.1:1/nobody/made-it:1")
	require.Contains(t, said, "image 127.0.0.1:1/nobody/made-it:1 is not here and cannot be fetched")
	require.Contains(t, said, "in BLOTTER_KAFKA_IMAGE")
}

// failing opens a stack in a process of its own, since what testcontainers once learned of its
// engine it keeps, and gives what that said.
func failing(t *testing.T, env string) string {
	t.Helper()
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "BLOTTER_TEST_CHILD="+stacktest.Dir(t), env)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Less(t, time.Since(began), soon)
	return string(out)
}

func TestChild(t *testing.T) {
	dir := os.Getenv("BLOTTER_TEST_CHILD")
	if dir == "" {
		t.Skip("for the tests above")
	}
	s := containers.New(containers.Options{Dir: dir, Temporary: true})
	defer s.Close()
	_, err := s.Kafka(t.Context())
	var h interface{ Hint() string }
	require.True(t, errors.As(err, &h), "%v", err)
	t.Logf("error: %v\nhint: %s", err, h.Hint())
}
