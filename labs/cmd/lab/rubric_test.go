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

// A command earns its points if it exits with 0 and prints its text. The first one needs the
// digest of the reference, too. After it, the book is recorded.
func TestRubricCommands(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	syscall.ForkLock.RLock() // else a child of another test may hold the file open: ETXTBSY
	digest := "sha256:" + strings.Repeat("a", 64)
	err := os.WriteFile(program, []byte(`#!/bin/sh
echo "$*" >>done
case $1 in
demo) test "$(cat book.jsonl)" = line && echo "state 1 trade, digest `+digest+`";;
seal) cat done;;
fail) echo sealed; echo "error: no key" >&2; exit 1;;
esac
`), 0o755)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	r := &rubricRun{root: t.TempDir(), book: []byte("line\n"), state: digest}
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
	got := r.commands(t.Context(), c, program)
	require.Equal(t, []string{"", "", "exit status 1\nerror: no key",
		`the command does not print "verified"`}, got)

	r.state = "sha256:" + strings.Repeat("b", 64)
	got = r.commands(t.Context(), c, program)
	require.Contains(t, got[0], "the reference's sha256:bbbb")
	require.Empty(t, got[1])
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
