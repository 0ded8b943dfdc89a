package grade

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample is a report with a check of each state.
func sample() Report {
	suite := check.Suite{Name: "0-sample", Guide: "labs/0-sample/README.md"}
	lab := Lab{Name: "0-sample"}
	for i, state := range States {
		c := check.Check{ID: "L0." + string(rune('1'+i)), Title: "two and two are four",
			Points: i + 1, Invariant: "L0.I1", Read: "section 2", Bonus: i == 1}
		r := Result{Suite: suite, Check: c, State: state}
		if state != Pass && state != Todo {
			r.Text = "L0.I1 broken: two and two are four\n<b>1 & 2</b> differ"
		}
		lab.Results = append(lab.Results, r)
	}
	one := []check.Suite{{Name: "1-broken", Checks: []check.Check{
		{ID: "L1.1", Title: "a check", Points: 2}}}}
	broken := Lab{"1-broken", all(one, NotBuilt), "tree.go:3: syntax error"}
	return Report{
		Student: "=ada", Labs: []Lab{lab, broken}, Ignored: []string{"labs/x.go (not in the kit)"},
		Limits: []string{"time: 1m0s a check"}, Duration: 90 * time.Second,
		Started: time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC),
	}
}

// Each format has a golden file. A state other than PASS has no points in any of them.
func TestFormats(t *testing.T) {
	t.Parallel()
	r := sample()
	for name, write := range map[string]func(io.Writer) error{
		"results.json": r.Gradescope, "junit.xml": r.JUnit, "ctrf.json": r.CTRF,
		"report.md": r.Markdown,
		"table.txt": func(w io.Writer) error { r.Table(w); return nil },
		"class.csv": func(w io.Writer) error { return CSV(w, []Report{r}) },
	} {
		var got bytes.Buffer
		require.NoError(t, write(&got))
		golden := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), got.String(), name)
		switch filepath.Ext(name) {
		case ".json":
			require.True(t, json.Valid(got.Bytes()), name)
		case ".xml":
			require.NoError(t, xml.Unmarshal(got.Bytes(), new(any)), name)
		}
	}
	require.Equal(t, Score{Earned: 1, Of: 1 + 3 + 4 + 5 + 6 + 7 + 8 + 2, BonusOf: 2}, r.Score())
}

// The CTRF report satisfies the required fields of its schema (ctrf-io/ctrf,
// schema/ctrf.schema.json), and counts each check once.
func TestCTRFHasRequiredFields(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	require.NoError(t, sample().CTRF(&text))
	var got struct {
		ReportFormat, SpecVersion string
		Results                   struct {
			Tool    struct{ Name string }
			Summary map[string]int64
			Tests   []struct {
				Name, Status string
				Duration     *int
			}
		}
	}
	require.NoError(t, json.Unmarshal(text.Bytes(), &got))
	require.Equal(t, "CTRF", got.ReportFormat)
	require.Regexp(t, `^\d+\.\d+\.\d+$`, got.SpecVersion)
	require.NotEmpty(t, got.Results.Tool.Name)
	sum := got.Results.Summary
	for _, field := range []string{"tests", "passed", "failed", "skipped", "pending", "other",
		"start", "stop"} {
		require.Contains(t, sum, field)
	}
	require.Equal(t, sum["tests"],
		sum["passed"]+sum["failed"]+sum["skipped"]+sum["pending"]+sum["other"])
	require.Len(t, got.Results.Tests, int(sum["tests"]))
	for _, test := range got.Results.Tests {
		require.Contains(t, sum, test.Status)
		require.NotEmpty(t, test.Name)
		require.NotNil(t, test.Duration)
	}
}
