//go:build unix

package stack

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestATakenPortIsLeftToItsOwner lets somebody else take the first port between its choice and its
// use, and answer there: another is tried, and the stranger is not mistaken for the gateway.
func TestATakenPortIsLeftToItsOwner(t *testing.T) {
	t.Parallel()
	path, err := findGateway("")
	require.NoError(t, err)
	dir := t.TempDir()
	objects := filepath.Join(dir, "objects")
	require.NoError(t, os.Mkdir(objects, 0o700))
	var ports []int
	c, err := startServer(t.Context(), func(port int) (program, func(context.Context) error) {
		ports = append(ports, port)
		at := S3{Endpoint: "127.0.0.1:" + strconv.Itoa(port), Region: "us-east-1", AccessKey: "blotter", SecretKey: "secret"}
		if len(ports) == 1 {
			if l, err := net.Listen("tcp", at.Endpoint); err == nil { // else somebody else was faster, which is as good
				t.Cleanup(func() { l.Close() })
				go http.Serve(l, http.NotFoundHandler())
			}
		}
		return program{
			name: "s3 gateway", path: path, args: []string{"--port", at.Endpoint, "--region", at.Region, "--quiet", "posix", objects},
			env: baseEnv("ROOT_ACCESS_KEY="+at.AccessKey, "ROOT_SECRET_KEY="+at.SecretKey),
			dir: dir, log: filepath.Join(dir, "log"), deathSignal: syscall.SIGKILL,
		}, func(ctx context.Context) error { return pingS3(ctx, at) }
	})
	require.NoError(t, err)
	require.Greater(t, len(ports), 1)
	require.NotEqual(t, ports[0], ports[len(ports)-1])
	require.NoError(t, c.kill(syscall.SIGKILL))
}
