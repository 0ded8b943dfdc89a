package lines_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
)

// The example of the guide is a command with the time of another system's record, and each faulty
// line is reported in the words of the guide. An import takes no such line.
func TestReadmeHasForeignLines(t *testing.T) {
	t.Parallel()
	example := fences(t, "foreign")[0]
	for line, err := range lines.ReadForeign(strings.NewReader(example)) {
		require.NoError(t, err)
		require.Equal(t, "old-1", line.Command.ID)
		require.Equal(t, 4*time.Second,
			line.Command.SourceRecordedAt.Sub(line.Command.EnteredAt))
		require.Equal(t, "trade/OLD-1", line.Names[0])
	}
	for _, err := range lines.Read(strings.NewReader(example)) {
		require.ErrorContains(t, err, "command_id: field.missing")
	}
	for fault := range strings.SplitSeq(fences(t, "foreign-faults")[0], "\n\n") {
		text, want, _ := strings.Cut(strings.TrimSpace(fault), "\n")
		for _, err := range lines.ReadForeign(strings.NewReader(text)) {
			require.EqualError(t, err, want)
		}
	}
}
