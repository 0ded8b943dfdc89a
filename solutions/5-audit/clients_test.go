package audit_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	audit "example.com/blotter/solutions/5-audit"
)

// A client runs a program that reads a log with libraries of other projects. The witness keys may
// be missing.
type client func(t *testing.T, url string, witnesses ...string) (string, error)

var readers = map[string]client{"go": clients, "python": python}

// python runs testdata/clients/read_log.py. Without Python or its packages the test is skipped,
// except in CI.
func python(t *testing.T, url string, witnesses ...string) (string, error) {
	t.Helper()
	const folder = "capstone/e2e/python/"
	packages, err := filepath.Abs("../../" + folder + "packages")
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(packages, "tlog_scales"))
	if err == nil {
		_, err = exec.LookPath("python3")
	}
	if err != nil && os.Getenv("BLOTTER_CI") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skipf("%v: pip install --target %spackages -r %srequirements.txt", err, folder, folder)
	}
	args := []string{"testdata/clients/read_log.py", url, keyFile(t, publicKey(t))}
	for _, key := range witnesses {
		args = append(args, keyFile(t, key))
	}
	read := exec.CommandContext(t.Context(), "python3", args...)
	read.Env = append(os.Environ(), "PYTHONPATH="+packages)
	out, err := read.CombinedOutput()
	return string(out), err
}

// keyFile writes a public key to a file.
func keyFile(t *testing.T, key string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(key), 0o600))
	return file
}

// clients runs testdata/clients. Its program is not built by default: its libraries are no
// dependencies of this module.
func clients(t *testing.T, url string, _ ...string) (string, error) {
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
	key := keyFile(t, publicKey(t))
	out, err := exec.CommandContext(t.Context(), program, url, key).CombinedOutput()
	return string(out[:min(len(out), 1000)]), err // fsck prints whole tiles
}

// Tessera's fsck and client, torchwood's client, and tlog-scales in Python read the whole log and
// check it. Its checkpoint is cosigned, which tlog-scales checks, too.
func TestOtherSoftwareReadsTheLog(t *testing.T) {
	t.Parallel()
	archive := new(audit.Memory)
	one := inMemory(t, "one")
	a := under(t, generatedLog(0), archive, one.line+"quorum one\n")
	for _, size := range []int{1, 300, 70_000} { // the last tree has tiles of three levels
		a.Log, a.Batch = generatedLog(size), audit.DefaultBatch
		_, err := a.Seal(t.Context())
		require.NoError(t, err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	says := map[string][]string{"go": {"\ntessera: ", "\ntorchwood: "}, "python": {"tlog-scales: "}}
	for name, read := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := read(t, server.URL+"/", strings.Fields(one.line)[2])
			require.NoError(t, err, out)
			for _, client := range says[name] {
				require.Contains(t, out, client+"70011 leaves of "+origin+"\n")
			}
		})
	}
}

// tlog-scales refuses a checkpoint that a witness, whose key it has, did not cosign.
func TestPythonMissesACosignature(t *testing.T) {
	t.Parallel()
	archive := new(audit.Memory)
	a := open(t, generatedLog(3), archive)
	_, err := a.Seal(t.Context())
	require.NoError(t, err)
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	out, err := python(t, server.URL, strings.Fields(inMemory(t, "one").line)[2])
	require.Error(t, err)
	require.Contains(t, out, "no signature matched vkey")
}

// The bucket itself is such a log, too: the same clients read it without Handler. They find a
// change of any kind of object.
func TestOtherSoftwareReadsTheBucket(t *testing.T) {
	t.Parallel()
	archive := new(audit.Memory)
	_, err := open(t, generatedLog(1100), archive).Seal(t.Context())
	require.NoError(t, err)
	says := map[string]map[string]string{
		"go": {
			"": "torchwood: ", "checkpoint": "no verifiable signatures",
			"tile/entries/002": "tessera: failed: ", "tile/0/003": "tessera: failed: tile/0/003",
			"tile/1/000.p/5": "tessera: failed: tile/1/000.p/5",
		},
		"python": {
			"": "tlog-scales: ", "checkpoint": "no signature matched vkey",
			"tile/entries/002": "has another hash than its tile", "tile/0/003": "Invalid",
			"tile/1/000.p/5": "the tiles do not have the signed root",
		},
	}
	for client, names := range says {
		for name, says := range names {
			readChanged(t, archive, client, name, says)
		}
	}
}

// readChanged has a client read a bucket in which an object was changed; none without a name.
func readChanged(t *testing.T, archive audit.Archive, client, name, says string) {
	t.Run(client+"/"+name, func(t *testing.T) {
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
		out, err := readers[client](t, server.URL+"/")
		require.Equal(t, name == "", err == nil, out)
		require.Contains(t, out, says)
	})
}
