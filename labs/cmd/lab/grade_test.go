package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/cmd/lab/grade"
)

var update = flag.Bool("update", false, "rewrite the golden file of the class")

func TestMain(m *testing.M) {
	if grade.Confined() {
		os.Exit(grade.Confine())
	}
	m.Run()
}

// The time that one submission of five labs may take, on two CPUs. Ten must take half an hour.
const (
	oneSubmission  = 4 * time.Minute
	tenSubmissions = 30 * time.Minute
)

// A class of submissions has exact scores: untouched 0, the reference full marks, one in which the
// first half of each lab's files is written, and one of which a lab does not compile: that costs
// this lab alone. Each submission gets its reports. The test prints the times.
func TestGradeClass(t *testing.T) {
	onlyInCI(t)
	if testing.Short() {
		t.Skip("grades four submissions")
	}
	class, out := t.TempDir(), t.TempDir()
	write := func(student, lab string, from, to int) {
		for _, file := range filesOf(lab)[from:to] {
			folder := map[bool]string{true: lab, false: lab + "/plain"}[lab == "1-schemas"]
			text, err := os.ReadFile(filepath.Join("../../../solutions", folder, file))
			require.NoError(t, err)
			path := filepath.Join(class, student, "labs", lab, file)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, text, 0o644))
		}
	}
	require.NoError(t, os.MkdirAll(filepath.Join(class, "untouched", "labs"), 0o755))
	labs := []string{"1-schemas", "2-store", "3-projections", "4-replay", "5-audit"}
	for _, lab := range labs {
		n := len(filesOf(lab))
		write("reference", lab, 0, n)
		write("half", lab, 0, n/2)
	}
	write("broken", "5-audit", 0, 5)
	path := filepath.Join(class, "broken", "labs", "4-replay", "replay.go")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("package replay\n\nfunc"), 0o644))

	began := time.Now()
	var table bytes.Buffer
	cmd := &gradeCmd{Submission: class, Output: out, Jobs: 2}
	require.NoError(t, cmd.Run(t.Context(), &streams{&table, io.Discard}))
	took := time.Since(began)
	t.Logf("graded in %s:\n%s", took, table.String())
	require.Less(t, took, 2*oneSubmission, "four submissions, two at once")
	require.Less(t, 10*took/4, tenSubmissions, "ten submissions, two at once")

	got, err := os.ReadFile(filepath.Join(out, "class.csv"))
	require.NoError(t, err)
	golden := filepath.Join("testdata", "class.csv")
	if *update {
		require.NoError(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	for _, name := range []string{"results.json", "junit.xml", "ctrf.json", "report.md"} {
		require.FileExists(t, filepath.Join(out, "half", name))
	}
}

// A submission whose report cannot be written is an error, and costs no other its row in class.csv.
func TestGradeClassDespiteError(t *testing.T) {
	t.Parallel()
	class, out := t.TempDir(), t.TempDir()
	for _, student := range []string{"ann", "ben"} {
		lab := filepath.Join(class, student, "labs", "5-audit")
		require.NoError(t, os.MkdirAll(lab, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(lab, "tree.go"),
			[]byte("package audit\n\nimport \"os\"\n"), 0o644)) // FORBIDDEN, so nothing is built
	}
	require.NoError(t, os.WriteFile(filepath.Join(out, "ann"), nil, 0o644)) // no folder
	cmd := &gradeCmd{Submission: class, Output: out, Lab: []string{"5-audit"}}
	err := cmd.Run(t.Context(), &streams{io.Discard, io.Discard})
	require.ErrorContains(t, err, "ann")
	list, err := os.ReadFile(filepath.Join(out, "class.csv"))
	require.NoError(t, err)
	require.Contains(t, string(list), "\nben,")
	require.NotContains(t, string(list), "ann")
}

// Every lab grade command of the guides is one that the command line takes.
func TestGuideCommandsParse(t *testing.T) {
	t.Parallel()
	const run, container = "go run ./labs/cmd/lab (grade [^`\n]+)", "blotter-grade (--sub[^`\n]+)"
	command := regexp.MustCompile(run + "|" + container)
	n := 0
	for _, guide := range []string{
		"../../INSTRUCTOR.md", "../../README.md", "../../../capstone/RUBRIC.md",
	} {
		text, err := os.ReadFile(guide)
		require.NoError(t, err)
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			args := m[1]
			if m[2] != "" { // after the name of the image, whose program is lab grade
				args = "grade " + m[2]
			}
			parser, err := kong.New(&cli{})
			require.NoError(t, err)
			_, err = parser.Parse(strings.Fields(args))
			require.NoError(t, err, args)
			n++
		}
	}
	require.GreaterOrEqual(t, n, 6)
}

// A folder without submissions, and a lab that does not exist, are wrong usage.
func TestGradeUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"grade --submission testdata":                    "testdata has no folder labs",
		"grade --submission ../../.. --lab 9-none":       `there is no lab "9-none"`,
		"grade --submission " + t.TempDir() + "/nothing": "no such file",
	} {
		var stdout, stderr strings.Builder
		require.Equal(t, misuse, run(strings.Fields(args), &stdout, &stderr), args)
		require.Contains(t, stderr.String(), want)
	}
}

// The bar counts the submissions and names the last one. It is for a terminal alone.
func TestBar(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := &bar{out: &out, total: 3}
	b.draw("")
	b.step("ada")
	b.step("bob")
	b.step("eve")
	b.end()
	drawn := strings.Split(out.String(), "\r")
	require.Len(t, drawn, 5)
	for i, want := range []string{`\.{30}\] 0/3 \d+ s `, `#{10}\.{20}\] 1/3 \d+ s ada`,
		`#{20}\.{10}\] 2/3 \d+ s bob`, `#{30}\] 3/3 \d+ s eve\n`} {
		require.Regexp(t, `\[`+want+`$`, drawn[i+1])
	}
	require.Equal(t, io.Discard, terminal(&out))
}
