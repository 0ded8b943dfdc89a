package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/cmd/lab/grade"
)

// allPassed is the report of a student who passes every check.
func allPassed() grade.Report {
	r := grade.Report{Student: "ada"}
	for _, name := range labNames {
		lab := grade.Lab{Name: name}
		for _, c := range checksOf(name) {
			lab.Results = append(lab.Results, grade.Result{Check: c, State: grade.Pass})
		}
		r.Labs = append(r.Labs, lab)
	}
	return r
}

// A part is the student's if its lab passes every required check. Bonus checks do not matter.
func TestPassedLabsAreParts(t *testing.T) {
	t.Parallel()
	r := allPassed()
	require.Equal(t, allMine, passed(r))
	for i, c := range r.Labs[0].Results {
		if c.Check.Bonus {
			r.Labs[0].Results[i].State = grade.Fail
		}
	}
	require.Equal(t, allMine, passed(r))
	r.Labs[2].Results[0].State = grade.Flaky
	require.Equal(t, allMine.without(2), passed(r))
	require.Zero(t, passed(grade.Report{}))
}

// A certificate is verified by the public key alone. No byte of it can change, and no other key or
// note of the grader passes for one.
func TestCertificateIsSigned(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "grader.key")
	key, err := (&certificateCmd{Key: file, NewKey: true}).signer()
	require.NoError(t, err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = (&certificateCmd{Key: file, NewKey: true}).signer()
	require.ErrorIs(t, err, os.ErrExist, "a key is never replaced")
	_, err = (&certificateCmd{Key: file + "x"}).signer()
	require.ErrorContains(t, err, "no key")

	o := outcome{state: "sha256:82", checkpoint: "blotter.example/5310", root: "0aed"}
	signed, err := certify(allPassed(), allMine.without(3), o, key)
	require.NoError(t, err)
	public, err := os.ReadFile(file + ".pub")
	require.NoError(t, err)
	text, err := checkCertificate(signed, string(public))
	require.NoError(t, err)
	require.Regexp(t, `^blotter/lab-certificate/v1\nstudent ada\n`+
		`points (\d+)/(\d+), bonus \d+/\d+\n`+
		`parts 1=mine,2=mine,3=mine,4=reference,5=mine\nstate sha256:82\n`+
		`checkpoint blotter.example/5310\nroot 0aed\n$`, text)
	for i := range signed {
		changed := bytes.Clone(signed)
		changed[i] ^= 1
		_, err := checkCertificate(changed, string(public))
		require.Error(t, err, "byte %d", i)
		_, err = checkCertificate(signed[:i], string(public))
		require.Error(t, err, "%d bytes", i)
	}
	_, other, err := note.GenerateKey(nil, keyName)
	require.NoError(t, err)
	_, err = checkCertificate(signed, other)
	require.Error(t, err)
	foreign, err := note.Sign(&note.Note{Text: "points 1/1\n"}, key)
	require.NoError(t, err)
	_, err = checkCertificate(foreign, string(public))
	require.ErrorContains(t, err, "no blotter/lab-certificate/v1")
	_, err = certify(grade.Report{Student: "a\npoints 9/9"}, 1, o, key)
	require.ErrorContains(t, err, "does not fit a line")
}

// lab grade --check prints a certificate that is right, and exits 1 for one that is not.
func TestGradeChecksCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(dir, "grader.key")
	signer, err := (&certificateCmd{Key: key, NewKey: true}).signer()
	require.NoError(t, err)
	signed, err := certify(allPassed(), allMine, outcome{state: "sha256:82"}, signer)
	require.NoError(t, err)
	file := filepath.Join(dir, "ada.cert")
	check := func(content []byte) (int, string, string) {
		require.NoError(t, os.WriteFile(file, content, 0o600))
		var stdout, stderr bytes.Buffer
		args := []string{"grade", "--check", file, "--public-key", key + ".pub"}
		code := run(args, &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	code, stdout, stderr := check(signed)
	require.Equal(t, done, code, stderr)
	require.True(t, strings.HasPrefix(string(signed), stdout))
	code, stdout, stderr = check(bytes.Replace(signed, []byte("ada"), []byte("bob"), 1))
	require.Equal(t, failed, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "no certificate of this grader")
	var out bytes.Buffer
	require.Equal(t, misuse, run([]string{"grade"}, &out, &out), "neither a check nor a submission")
}
