package remit_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
)

// The records of a story of 49 steps: each line has a step and the records that it causes. The file
// of all records has the structure of the schema.
func TestStory(t *testing.T) {
	t.Parallel()
	d, known := reporttest.World(), 0
	var got strings.Builder
	require.NoError(t, d.Play(reporttest.Story(), func(step int) {
		all := d.Rows(t, remit.Table1())
		var records []string
		for _, r := range all[known:] {
			records = append(records, shown(r))
		}
		s := reporttest.Story()[step-1]
		fmt.Fprintf(&got, "%d %s %T: %s\n", step, s.UTI, s.Body, strings.Join(records, ", "))
		known = len(all)
	}))
	const name = "testdata/story.golden.txt"
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
	_, err = remit.Read(reporttest.Written(t, remit.Table1(), d.Rows(t, remit.Table1())))
	require.NoError(t, err)
}
