package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoTotalsAreAnEmptyList(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(totals(nil))
	require.NoError(t, err)
	require.Equal(t, "[]", string(text))
}

// An interrupt is not an error of the line in flight. The file's first line is bad; its error
// message triggers the interrupt.
func TestInterruptedImportNamesTheLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	book := filepath.Join(dir, "book.jsonl")
	text := "{\n"
	for i := range 100 {
		text += fmt.Sprintf(`{"command_id":"m-%d","entered_at":"2025-01-13T17:30:00Z",`+
			`"actor":"risk/1","reason":"close","op":"MARK","curve":"oil/BRENT","currency":"USD",`+
			`"points":[{"delivery":"2025-06","price":"71.20"}]}`+"\n", i)
	}
	require.NoError(t, os.WriteFile(book, []byte(text), 0o600))
	ctx, interrupt := context.WithCancel(t.Context())
	var out bytes.Buffer
	a := newApp(&cli{
		Data: filepath.Join(dir, "data"), Stack: "embedded",
		Store: "kafka", Partitions: 1, Name: "blotter",
	}, &out, onWrite{"line 1:", interrupt})
	err := a.finish(ctx, (&importCmd{Files: []string{book}, Simulate: true}).Run(ctx, a))
	require.ErrorContains(t, err, "interrupted after line ")
	require.Equal(t, "import the file again: recorded commands are not repeated", hintOf(err))
	require.Contains(t, out.String(), " 1 bad; 0 of them were already on record")
}

// onWrite calls then when a text is written.
type onWrite struct {
	text string
	then func()
}

func (w onWrite) Write(written []byte) (int, error) {
	if bytes.Contains(written, []byte(w.text)) {
		w.then()
	}
	return len(written), nil
}

// A line that is too long is named, wherever lines are read.
func TestLongLinesAreNamed(t *testing.T) {
	t.Parallel()
	long := "name=Ann\n" + strings.Repeat("x", 1<<21)
	_, err := readFields(strings.NewReader(long))
	require.EqualError(t, err, "line 2 of standard input: bufio.Scanner: token too long")
	_, _, err = applyLines(t.Context(), nil, strings.NewReader(long[len("name=Ann\n"):]))
	require.EqualError(t, err, "line 1: bufio.Scanner: token too long")
}
