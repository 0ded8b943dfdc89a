package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis/analysistest"
)

// The comments of testdata state the reports. Package impure has the same faults and is not listed.
func TestAnalyzer(t *testing.T) {
	pure["fold"], pure["parts"] = nil, []string{"pure.go"}
	defer func() { delete(pure, "fold"); delete(pure, "parts") }()
	analysistest.Run(t, analysistest.TestData(), analyzer, "fold", "parts", "impure")
}

// A renamed package or file must not leave the list without notice.
func TestPureFilesExist(t *testing.T) {
	for folder, files := range pure {
		require.DirExists(t, filepath.Join("../../..", folder))
		for _, file := range files {
			_, err := os.Stat(filepath.Join("../../..", folder, file))
			require.NoError(t, err, "mend the list pure in main.go")
		}
	}
}

func TestIsPure(t *testing.T) {
	t.Parallel()
	const trade = "example.com/blotter/labs/kit/trade"
	require.True(t, isPure(trade, "fold.go"))
	require.True(t, isPure(trade+" ["+trade+".test]", "fold.go"))
	require.False(t, isPure(trade, "fold_test.go"))
	require.False(t, isPure("example.com/blotter/solutions/1-schemas", "registry.go"))
	require.False(t, isPure("example.com/blotter/capstone", "flow.go"))
}
