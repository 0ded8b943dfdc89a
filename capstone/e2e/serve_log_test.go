package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// blotter serve-log shows the sealed log to software of other projects, and ends with exit code 0
// at an interrupt. solutions/5-audit/testdata/clients checks the log if it is built.
func TestServeLogShowsTheSealedLog(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	f := newFolder(t, "kafka")
	file := lines(t, 0, 3)
	f.imported(file)
	refused := f.run("serve-log")
	require.Equal(t, 1, refused.code)
	require.Equal(t, "nothing is sealed yet: there is no log to serve", refused.complaint())
	f.ok("seal", "--keep", file+".note")
	kept, err := os.ReadFile(file + ".note")
	require.NoError(t, err)

	serving := f.command("serve-log", "--address", "127.0.0.1:0", "--json")
	out, err := serving.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, serving.Start())
	t.Cleanup(func() { _ = serving.Process.Kill() })
	kill := time.AfterFunc(time.Minute, func() { _ = serving.Process.Kill() })
	var said struct {
		Answer struct{ URL string }
	}
	require.NoError(t, json.NewDecoder(bufio.NewReader(out)).Decode(&said))
	r, err := http.Get(said.Answer.URL + "checkpoint")
	require.NoError(t, err)
	note, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, string(kept), string(note))

	if clients := "../../.tools/bin/clients"; os.Getenv("BLOTTER_CI") != "" || exists(clients) {
		checked, err := exec.CommandContext(t.Context(), clients, said.Answer.URL,
			filepath.Join(f.data, "keys", "verifier")).CombinedOutput()
		require.NoError(t, err, "%.1000s", checked)
	}
	require.NoError(t, serving.Process.Signal(os.Interrupt))
	require.NoError(t, serving.Wait())
	require.True(t, kill.Stop())
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
