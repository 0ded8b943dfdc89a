package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What cannot be done is refused before anything is begun.
func TestWrongUsageLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, tc := range []struct {
		name, says string
		args       []string
	}{
		{"a folder is no book", dir + " is a folder", []string{"--data", data, "import", dir}},
		{"a file is no folder", file + " is not a folder", []string{"--data", file, "import", file}},
		{"a file has no folders", file + "/data is not a folder", []string{"--data", file + "/data", "import", file}},
		{"no question to a file", file + " is not a folder", []string{"--data", file, "position"}},
		{"no stack in a file", file + " is not a folder", []string{"--data", file, "up"}},
		{"a snapshot's name is no path", `snapshot "a/b": a snapshot's name is at most 200 letters`, []string{"--data", data, "snapshot", "a/b"}},
		{"nor a book", `snapshot "` + strings.Repeat("x", 40) + `": `, []string{"--data", data, "snapshot", strings.Repeat("x", 201)}},
		{"no partition", "--partitions is 0", []string{"--data", data, "--partitions", "0", "import", file}},
		{"too many partitions", "--partitions is 501", []string{"--data", data, "--partitions", "501", "import", file}},
		{"no folder", "--data is empty", []string{"--data", "", "import", file}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			require.Equal(t, misuse, run(append([]string{"--stack", "embedded"}, tc.args...), io.Discard, &said))
			require.Contains(t, said.String(), "error: "+tc.says)
			require.Regexp(t, `(?m)^hint: .`, said.String())
			require.NoDirExists(t, data)
		})
	}
}

func TestAStackIsNotKeptForALogThatIsInAnother(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), ours
	elsewhere.Stack = "containers"
	text, err := json.Marshal(elsewhere)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, settingsFile), text, 0o600))
	var said bytes.Buffer
	require.Equal(t, misuse, run([]string{"--stack", "embedded", "--data", dir, "up"}, io.Discard, &said))
	require.Contains(t, said.String(), "is in the containers stack, not in the embedded one")
	require.NoDirExists(t, filepath.Join(dir, "stack"))
}
