package e2e_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
)

// Confluent's own client and fastavro read every event of the sample book from the topic, with the
// credentials of the stack. They skip owner marks. Every value is the one that a certified extract
// shows, which has an Avro reader of its own.
func TestPythonReadsEveryEvent(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	library := pythonLibrary(t)
	f := newFolder(t, "kafka")
	f.ok("up")
	defer f.ok("down")
	f.imported("../books/sample.jsonl")
	f.ok("seal") // writes frontier marks, since the log is in real time
	bundle := filepath.Join(t.TempDir(), "bundle")
	f.ok("extract", bundle, "--actor", "auditor/1", "--reason", "comparison")
	want := rowsOf(t, filepath.Join(bundle, "events.jsonl"))
	require.Greater(t, len(want), 3000)

	at, up, err := stack.FindKept(filepath.Join(f.data, "stack"))
	require.NoError(t, err)
	require.True(t, up)
	var out, stderr bytes.Buffer
	read := exec.CommandContext(t.Context(), "python3", "python/read_events.py", "blotter.events")
	read.Env = append(os.Environ(), append(at.Environment(), "PYTHONPATH="+library)...)
	read.Stdout, read.Stderr = &out, &stderr
	require.NoError(t, read.Run(), stderr.String())
	got := filepath.Join(t.TempDir(), "read.jsonl")
	require.NoError(t, os.WriteFile(got, out.Bytes(), 0o600))
	rows := rowsOf(t, got)
	maps.DeleteFunc(rows, func(_ string, r pythonRow) bool { // the extract's own event
		return r.Type == "access.extracted"
	})
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(rows)))
	for id, row := range rows {
		require.Equal(t, want[id], row)
	}
}

// A pythonRow has the attributes and the data that both sides show.
type pythonRow struct {
	ID         string `json:"id"`
	Stream     string `json:"stream"`
	Version    int64  `json:"version"`
	Type       string `json:"type"`
	RecordedAt string `json:"recorded_at"`
	Actor      string `json:"actor"`
	Reason     string `json:"reason"`
	Data       any    `json:"data"`
}

// rowsOf returns the lines of a file by event id.
func rowsOf(t *testing.T, file string) map[string]pythonRow {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	rows := map[string]pythonRow{}
	for line := range bytes.Lines(text) {
		var r pythonRow
		require.NoError(t, json.Unmarshal(line, &r), string(line))
		rows[r.ID] = r
	}
	return rows
}

// pythonLibrary returns the folder of the packages in python/requirements.txt. Without Python or
// the packages the test is skipped, except in CI.
func pythonLibrary(t *testing.T) string {
	t.Helper()
	library, err := filepath.Abs("python/packages")
	require.NoError(t, err)
	const install = "pip install --target capstone/e2e/python/packages " +
		"-r capstone/e2e/python/requirements.txt"
	missing := ""
	if _, err := exec.LookPath("python3"); err != nil {
		missing = "there is no python3 in PATH"
	} else if _, err := os.Stat(filepath.Join(library, "confluent_kafka")); err != nil {
		missing = "confluent-kafka is not installed: " + install
	}
	if missing != "" && os.Getenv("BLOTTER_CI") != "" {
		t.Fatal(missing)
	} else if missing != "" {
		t.Skip(missing)
	}
	return library
}
