package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// postgresHomes is where packages put the server's binaries, which most of them keep out of PATH. .tools/setup looks in the
// same places.
var postgresHomes = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/pgsql-*/bin",                  // the project's packages for Fedora and RHEL
	"/usr/libexec/postgresql*",          // Alpine
	"/opt/homebrew/opt/postgresql*/bin", // Homebrew on ARM
	"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
	"/opt/local/lib/postgresql*/bin",    // MacPorts
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// findPostgres is the directory of the server's binaries: what the caller or BLOTTER_POSTGRES_BIN names, else PATH, else
// the highest version among the usual places.
func findPostgres(named string) (string, error) {
	if named == "" {
		named = os.Getenv("BLOTTER_POSTGRES_BIN")
	}
	if named != "" {
		if !hasPostgres(named) {
			return "", withHint(fmt.Errorf("no postgres and initdb in %s", named), "BLOTTER_POSTGRES_BIN names the directory that holds both")
		}
		return named, nil
	}
	if dir, ok := postgresInPath(); ok {
		return dir, nil
	}
	found := installedPostgres()
	if len(found) == 0 {
		return "", noPostgres(postgresHomes)
	}
	return found[0], nil
}

// postgresInPath follows links, because the server finds its own files from where its binary really is.
func postgresInPath() (string, bool) {
	p, err := exec.LookPath("postgres")
	if err != nil {
		return "", false
	}
	if p, err = filepath.EvalSymlinks(p); err != nil {
		return "", false
	}
	return filepath.Dir(p), hasPostgres(filepath.Dir(p))
}

func installedPostgres() []string {
	var found []string
	for _, pattern := range postgresHomes {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			panic(err) // a pattern of ours is malformed
		}
		found = append(found, dirs...)
	}
	found = slices.DeleteFunc(found, func(dir string) bool { return !hasPostgres(dir) })
	slices.SortStableFunc(found, func(a, b string) int { return postgresMajor(b) - postgresMajor(a) })
	return found
}

// postgresMajor is the number in a path such as /usr/lib/postgresql/15/bin, or 0.
func postgresMajor(dir string) int {
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	numbers := strings.FieldsFunc(dir, notDigit)
	if len(numbers) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(numbers[0])
	return n
}

func hasPostgres(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}
