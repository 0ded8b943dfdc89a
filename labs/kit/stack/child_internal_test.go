//go:build unix

package stack

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// TestPortTakenByAnotherServer gives the gateway a port on which another server answers. The start
// tries another port, and does not accept the other server as the gateway.
func TestPortTakenByAnotherServer(t *testing.T) {
	t.Parallel()
	path, err := findGateway("")
	require.NoError(t, err)
	dir := t.TempDir()
	objects := filepath.Join(dir, "objects")
	require.NoError(t, os.Mkdir(objects, 0o700))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { taken.Close() })
	go http.Serve(taken, http.NotFoundHandler())
	var ports []int
	c, err := startServer(t.Context(), func(port int) (program, func(context.Context) error) {
		if len(ports) == 0 {
			port = taken.Addr().(*net.TCPAddr).Port
		}
		ports = append(ports, port)
		s3 := S3{
			Endpoint: "127.0.0.1:" + strconv.Itoa(port), Region: "us-east-1",
			AccessKey: "blotter", SecretKey: "secret",
		}
		return program{
			name: "s3 gateway", path: path,
			args: []string{"--port", s3.Endpoint, "--region", s3.Region,
				"--quiet", "posix", objects},
			env: baseEnv("ROOT_ACCESS_KEY="+s3.AccessKey, "ROOT_SECRET_KEY="+s3.SecretKey),
			dir: dir, log: filepath.Join(dir, "log"), deathSignal: syscall.SIGKILL,
		}, func(ctx context.Context) error { return pingS3(ctx, s3) }
	})
	require.NoError(t, err)
	require.Greater(t, len(ports), 1)
	require.NotEqual(t, ports[0], ports[len(ports)-1])
	require.NoError(t, c.kill(syscall.SIGKILL))
}

// A probe that can never succeed ends the start at once, with its own error.
func TestPermanentErrorEndsTheStart(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("sleep")
	require.NoError(t, err)
	refused := &pgconn.PgError{Code: "28P01", Message: "password authentication failed"}
	_, malformed := pgx.ParseConfig("postgres://[")
	for _, permanent := range []error{refused, malformed, &tls.CertificateVerificationError{}} {
		began := time.Now()
		_, err := startServer(t.Context(), func(int) (program, func(context.Context) error) {
			return program{
				name: "server", path: path, args: []string{"300"}, env: baseEnv(),
				log: filepath.Join(t.TempDir(), "log"), deathSignal: syscall.SIGKILL,
			}, func(context.Context) error { return permanent }
		})
		require.ErrorIs(t, err, permanent)
		require.Less(t, time.Since(began), startTimeout/2)
	}
}
