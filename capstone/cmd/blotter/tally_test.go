package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTallyCountsTestsAndShowsOnlyWhatFailed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tally := tally{out: &out, output: map[string][]string{}, count: map[string]int{}, failed: map[string]bool{}}
	require.NoError(t, tally.read(strings.NewReader(`
{"Action":"output","Package":"a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"skip","Package":"a","Test":"TestLater"}
{"Action":"pass","Package":"a","Elapsed":0.5}
{"Action":"output","Package":"b","Test":"TestBad","Output":"what went wrong\n"}
{"Action":"fail","Package":"b","Test":"TestBad"}
{"Action":"fail","Package":"b"}
{"ImportPath":"c","Action":"build-output","Output":"c.go:1: syntax error\n"}
{"Action":"fail","Package":"c"}
`[1:])))
	require.Equal(t, map[string]int{"pass": 1, "skip": 1, "fail": 2}, tally.count, "a package that does not compile counts as one")
	require.Contains(t, out.String(), "what went wrong")
	require.Contains(t, out.String(), "syntax error")
	require.Contains(t, out.String(), "ok    a ")
	require.NotContains(t, out.String(), "quiet")
}
