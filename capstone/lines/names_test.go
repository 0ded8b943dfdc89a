package lines_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
)

// A line that names its own UTI twice would else have to wait for itself.
func TestNamesAreEachThereOnce(t *testing.T) {
	t.Parallel()
	line, err := lines.Parse(1, []byte(`{"command_id":"c","entered_at":"2025-01-16T13:03:00Z","actor":"a","reason":"r","op":"NOVATE","role":"transferor","uti":"A","new_uti":"A","incoming":"B"}`))
	require.NoError(t, err)
	require.Equal(t, []string{"trade/A", "command/c"}, line.Names)
}
