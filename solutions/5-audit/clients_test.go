package audit_test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	audit "example.com/blotter/solutions/5-audit"
)

// clients runs testdata/clients, which reads a log with libraries of other projects. Its program is
// not built by default: these libraries are no dependencies of this module.
func clients(t *testing.T, url string) (string, error) {
	t.Helper()
	const build = "go build -C solutions/5-audit/testdata/clients -o ../../../../.tools/bin/clients"
	program, err := filepath.Abs("../../.tools/bin/clients")
	require.NoError(t, err)
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("BLOTTER_CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the clients are not built: " + build)
	}
	seed := sha256.Sum256([]byte(origin))
	_, public, err := audit.GenerateKey(bytes.NewReader(seed[:]), origin)
	require.NoError(t, err)
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte(public), 0o600))
	out, err := exec.CommandContext(t.Context(), program, url, key).CombinedOutput()
	return string(out[:min(len(out), 1000)]), err // fsck prints whole tiles
}

// Tessera's fsck and client, and torchwood's client, read the whole log and check it. Its
// checkpoint is cosigned.
func TestOtherSoftwareReadsTheLog(t *testing.T) {
	t.Parallel()
	archive := new(audit.Memory)
	a := under(t, generatedLog(0), archive, inMemory(t, "one").line+"quorum one\n")
	for _, size := range []int{1, 300, 70_000} { // the last tree has tiles of three levels
		a.Log, a.Batch = generatedLog(size), audit.DefaultBatch
		_, err := a.Seal(t.Context())
		require.NoError(t, err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	out, err := clients(t, server.URL+"/")
	require.NoError(t, err, out)
	require.Contains(t, out, "\ntessera: 70011 leaves of "+origin+"\n")
	require.Contains(t, out, "\ntorchwood: 70011 leaves of "+origin+"\n")
}

// The bucket itself is such a log, too: the same clients read it without Handler. They find a
// change of any kind of object.
func TestOtherSoftwareReadsTheBucket(t *testing.T) {
	t.Parallel()
	archive := new(audit.Memory)
	_, err := open(t, generatedLog(1100), archive).Seal(t.Context())
	require.NoError(t, err)
	for name, says := range map[string]string{
		"": "torchwood: ", "checkpoint": "no verifiable signatures",
		"tile/entries/002": "tessera: failed: ", "tile/0/003": "tessera: failed: tile/0/003",
		"tile/1/000.p/5": "tessera: failed: tile/1/000.p/5",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					data, err := archive.Get(r.Context(), r.URL.Path[1:])
					if err != nil {
						http.NotFound(w, r)
						return
					}
					if r.URL.Path[1:] == name {
						data[len(data)/2] ^= 1
					}
					w.Write(data)
				}))
			t.Cleanup(server.Close)
			out, err := clients(t, server.URL+"/")
			require.Equal(t, name == "", err == nil, out)
			require.Contains(t, out, says)
		})
	}
}
