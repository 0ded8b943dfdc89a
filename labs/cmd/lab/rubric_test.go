package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/cmd/lab/grade"
)

// A command earns its points if it exits with 0 and prints its text. The import of the book follows
// the first one. Facts that differ from the reference's cost the points of the command. Those of
// the import cost the points of all commands after it. An import without outcomes on the reference,
// such as one that could not reach the log, is an error.
func TestRubricCommands(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	syscall.ForkLock.RLock() // else a child of another test may hold the file open: ETXTBSY
	digest := "digest sha256:" + strings.Repeat("a", 64)
	err := os.WriteFile(program, []byte(`#!/bin/sh
echo "$*" >>done
case $1 in
demo) test "$(cat book.jsonl)" = line && echo "state 1 trade, `+digest+`";;
import) echo "1 line: 0 accepted, 1 refused, 0 bad"; exit 1;;
seal) cat done;;
fail) echo sealed; echo "error: no key" >&2; exit 1;;
esac
`), 0o755)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	r := &rubricRun{root: t.TempDir(), source: "blotter simulate", book: []byte("line\n")}
	r.rubric.Commands = []grade.Command{
		{Points: 1, Args: "demo --book book.jsonl", Prints: "state"},
		{Points: 1, Args: "seal", Prints: "import --simulate book.jsonl\nseal"},
		{Points: 1, Args: "fail", Prints: "sealed"},
		{Points: 1, Args: "seal", Prints: "verified"},
	}
	c, err := newCapstone(r.root, os.Environ())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.close()) })
	info, err := os.Stat(c.dir)
	require.NoError(t, err)
	require.EqualValues(t, 0o711, info.Mode().Perm(), "Postgres enters it as another user")
	failures, facts := r.run(t.Context(), c, program)
	r.facts = facts
	require.ErrorContains(t, r.checkReference(failures, facts), "blotter fail on the reference")
	failures[3], failures[4] = "", ""
	require.NoError(t, r.checkReference(failures, facts), "the import may refuse lines")
	require.ErrorContains(t, r.checkReference(failures, make([]string, 5)),
		"blotter "+importing+" on the reference, with the book of blotter simulate: exit status 1")
	imported := "1 line: 0 accepted, 1 refused, 0 bad"
	require.Equal(t, []string{digest, imported, "", "", ""}, r.facts)
	require.Equal(t, []string{"", "", "exit status 1\nerror: no key",
		`the command does not print "verified"`}, r.commands(t.Context(), c, program))

	r.facts[0] = "digest sha256:" + strings.Repeat("b", 64)
	got := r.commands(t.Context(), c, program)
	require.Contains(t, got[0], `and on the reference "digest sha256:bbbb`)
	require.Empty(t, got[1])

	r.facts[1] = "1 line: 1 accepted, 0 refused, 0 bad"
	got = r.commands(t.Context(), c, program)
	for _, failure := range got[1:] {
		require.Equal(t, `blotter import --simulate book.jsonl prints "`+imported+
			`", and on the reference "`+r.facts[1]+`"`, failure)
	}
}

// The reference in the place of one's own parts earns all points of the commands.
// BLOTTER_RUBRIC=reference runs this test, which takes a minute and does the work of
// lab grade --capstone.
func TestReferenceEarnsRubric(t *testing.T) {
	t.Parallel()
	if os.Getenv("BLOTTER_RUBRIC") != "reference" {
		t.Skip("BLOTTER_RUBRIC=reference runs the commands of the rubric twice")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	student := filepath.Join(t.TempDir(), "reference")
	for _, lab := range labNames {
		for _, file := range filesOf(lab) {
			write := filepath.Join(student, "labs", lab, file)
			require.NoError(t, os.MkdirAll(filepath.Dir(write), 0o755))
			folder := map[bool]string{true: lab, false: lab + "/plain"}[lab == "1-schemas"]
			text, err := os.ReadFile(filepath.Join(root, "solutions", folder, file))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(write, text, 0o644))
		}
	}
	points := filepath.Join(t.TempDir(), "points.csv")
	require.NoError(t, os.WriteFile(points, []byte("student,durable steps,a failure on purpose,"+
		"names,two times,evidence,one's own addition\nreference,10,10,5,5,5,5\n"), 0o644))
	r, err := readRubric(root, points, []string{student})
	require.NoError(t, err)
	require.NoError(t, r.prepare(t.Context()))
	report := grade.Report{Student: "reference"}
	require.NoError(t, r.score(t.Context(), student, &report))
	var table strings.Builder
	report.Table(&table)
	t.Log("\n" + table.String())
	require.Equal(t, grade.Score{Earned: 100, Of: 100}, report.Total(), table.String())
}

// A lab that the gate refuses is never built into the program, which has no limits.
func TestForbiddenLabHasNoCapstone(t *testing.T) {
	t.Parallel()
	r := &rubricRun{root: "no kit", awards: grade.Awards{"ada": {"names": 4}}}
	r.rubric.Commands = []grade.Command{{Points: 5, Args: "seal", Prints: "sealed"}}
	r.rubric.Looks = []grade.Look{{Points: 5, Name: "names"}}
	for _, state := range []grade.State{grade.Forbidden, grade.NotBuilt} {
		report := grade.Report{Student: "ada", Labs: []grade.Lab{
			{Name: "5-audit", Results: []grade.Result{{State: state}}}}}
		require.NoError(t, r.score(t.Context(), "nowhere", &report))
		require.Equal(t, "lab 5-audit is "+string(state), report.Rubric[0].Text)
		require.Equal(t, grade.Score{Earned: 4, Of: 10}, report.Total())
	}
}

// A wrong file of the instructor's points is found before anything is graded.
func TestCapstoneUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	student := filepath.Join(dir, "ada")
	require.NoError(t, os.MkdirAll(filepath.Join(student, "labs"), 0o755))
	points := filepath.Join(dir, "points.csv")
	require.NoError(t, os.WriteFile(points, []byte("student,names\n"), 0o644))
	for args, want := range map[string]string{
		"--capstone " + points:                    points + `:1: the column "durable steps" of the`,
		"--capstone " + dir + "/none":             "no such file",
		"--lab 5-audit --capstone " + points:      "the capstone needs all five labs",
		"--capstone " + filepath.Join(dir, "ada"): "read " + filepath.Join(dir, "ada"),
	} {
		var stdout, stderr strings.Builder
		command := "grade --submission " + student + " " + args
		require.Equal(t, misuse, run(strings.Fields(command), &stdout, &stderr), args)
		require.Contains(t, stderr.String(), want)
		require.Contains(t, stderr.String(), "hint: ")
	}
}
