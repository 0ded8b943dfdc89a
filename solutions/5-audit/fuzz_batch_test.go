package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// A batch is refused as errBatch, or it is written in one way only, and can be put on a tree.
func FuzzDecodeBatch(f *testing.F) {
	for _, file := range []string{"testdata/batch-1.txt", "testdata/batch-2.txt"} {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		end := bytes.LastIndex(data, []byte("\n\n"))
		f.Add(data[:end+1]) // without its signature
	}
	f.Add([]byte("{} ")) // a batch in another spelling
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decodeBatch(data)
		if err != nil {
			require.ErrorIs(t, err, errBatch)
			return
		}
		require.Equal(t, string(data), string(b.encode()))
		require.True(t, b.edge.wellFormed())
		require.Equal(t, b.Runs, runsOf(atPositions(b.positions())))
		for i, at := range b.positions() {
			require.Equal(t, int64(i), b.index(at))
		}
		if err := (tip{}).continuedBy(b); err == nil {
			require.Equal(t, b.Events+1, b.end().size)
		}
	})
}

// The text of a batch with a member twice is refused, whatever the second one says.
func TestDoubledMemberIsNoBatch(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/batch-2.txt")
	require.NoError(t, err)
	data = data[:bytes.LastIndex(data, []byte("\n\n"))+1]
	_, err = decodeBatch(data)
	require.NoError(t, err)
	members := regexp.MustCompile(`"[a-z_]+":`).FindAllIndex(data, -1)
	require.NotEmpty(t, members)
	for _, at := range members {
		name, rest := string(data[at[0]:at[1]]), data[at[1]:]
		var value json.RawMessage
		require.NoError(t, json.NewDecoder(bytes.NewReader(rest)).Decode(&value))
		doubled := slices.Insert(bytes.Clone(data), at[0], []byte(name+string(value)+",")...)
		_, err := decodeBatch(doubled)
		require.ErrorIs(t, err, errBatch, "%s", doubled)
	}
}

func atPositions(all []contract.Position) []event {
	events := make([]event, len(all))
	for i, at := range all {
		events[i].Position = at
	}
	return events
}
