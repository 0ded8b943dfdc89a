package kit_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
)

// quotedPath matches a path in backticks. A path with <, such as `<type>.avsc`, is a pattern.
var quotedPath = regexp.MustCompile("`([a-zA-Z0-9._-]+(?:/[a-zA-Z0-9._-]+)+)`")

// TestContributingNamesExistingFiles keeps the lists of files in the How-to sections true.
func TestContributingNamesExistingFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.github/CONTRIBUTING.md")
	require.NoError(t, err)
	sections := strings.Split(string(text), "\n## How to ")[1:]
	require.NotEmpty(t, sections)
	for _, section := range sections {
		title, list, _ := strings.Cut(section, "\n")
		list, _, _ = strings.Cut(list, "\n## ")
		paths := quotedPath.FindAllStringSubmatch(list, -1)
		require.NotEmpty(t, paths, "How to %s names no file", title)
		for _, path := range paths {
			_, err := os.Stat(filepath.Join("../..", path[1]))
			require.NoError(t, err, "How to %s names %s", title, path[1])
		}
	}
}

// TestReadModelRowsExist looks for the list of read models that CONTRIBUTING describes, and for its
// use in the three commands.
func TestReadModelRowsExist(t *testing.T) {
	t.Parallel()
	for file, use := range map[string]string{
		"capstone/session/models.go":      "var models = []modelRow[model]{rowOf(positionsModel), ",
		"capstone/session/migrate.go":     "range models",
		"capstone/cmd/blotter/rebuild.go": "RebuildReadModels(",
		"capstone/cmd/blotter/status.go":  "ReadModelCursors(",
	} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		require.NoError(t, err)
		require.True(t, strings.Contains(string(text), use), "%s does not have %s", file, use)
	}
}

// optionalChecks returns the checks that only a store has that is more than contract.Store.
func optionalChecks() check.Suite {
	suite := storetest.Suite(storetest.Fixture{Atomic: true, Resumes: true})
	all := storetest.Suite(storetest.Fixture{})
	suite.Checks = slices.DeleteFunc(suite.Checks, func(c check.Check) bool {
		return slices.ContainsFunc(all.Checks, func(o check.Check) bool { return o.ID == c.ID })
	})
	return suite
}

// TestEveryCheckIsComplete checks the fields of a check that CONTRIBUTING asks for.
func TestEveryCheckIsComplete(t *testing.T) {
	t.Parallel()
	stated := ""
	files, err := filepath.Glob("contract/*.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		stated += string(text)
	}
	ids := map[string]bool{}
	labs1and2 := append(codectest.Suites(codectest.Fixture{}),
		kafkatest.Suites(kafkatest.Fixture{})...)
	for _, suite := range append(labs1and2, kafkatest.Given(), optionalChecks(),
		projectiontest.Lab(projectiontest.Answer{}), projectiontest.Given(),
		replaytest.Lab(replaytest.Answer{}), audittest.Suite(audittest.Fixture{}),
		audittest.Lab(audittest.Answer{}),
	) {
		for _, c := range suite.Checks {
			require.Regexp(t, `^L[1-5]\.\d+$`, c.ID, "ID of a check of %s", suite.Name)
			require.False(t, ids[c.ID], "two checks have the ID %s", c.ID)
			ids[c.ID] = true
			require.Positive(t, c.Points, "points of %s", c.ID)
			require.NotEmpty(t, c.Title, "title of %s", c.ID)
			require.NotEmpty(t, c.Hint, "hint of %s", c.ID)
			require.Regexp(t, `^(that .*)?$`, c.Misconception, "misconception of %s", c.ID)
			require.Contains(t, stated, c.Invariant+" ",
				"labs/kit/contract does not state %s, the invariant of %s", c.Invariant, c.ID)
		}
	}
}
