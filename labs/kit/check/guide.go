package check

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tableHead begins the table of checks in a guide.
const tableHead = "| check | points | |\n|---|---|---|\n"

// RequireGuide fails the test unless the guide of a suite has the table of its checks, the rule of
// each check, and the section and exercise that the check sends its reader to. Each check needs all
// its words. root is the root of the repository. If update is true, the table is written first.
func RequireGuide(t testing.TB, s Suite, root string, update bool) {
	t.Helper()
	file := filepath.Join(root, s.Guide)
	text := ReadText(t, file)
	want, err := withTable(s, text)
	if err != nil {
		t.Fatal(err)
	}
	if update && want != text {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		text = want
	}
	if text != want {
		t.Fatalf("the table of %s is not that of the suite; it is written by the same test "+
			"with -update", s.Guide)
	}
}

// ReadText returns the text of a file.
func ReadText(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withTable returns a guide with the table of a suite's checks in place of its own. The table ends
// at an empty line, or with the guide.
func withTable(s Suite, guide string) (string, error) {
	before, after, found := strings.Cut(guide, tableHead)
	if !found {
		return "", fmt.Errorf("%s has no table of checks", s.Guide)
	}
	_, after, found = strings.Cut("\n"+after, "\n\n")
	if found {
		after = "\n" + after
	}
	table := ""
	for _, c := range s.Checks {
		if err := inGuide(c, before); err != nil {
			return "", fmt.Errorf("%s and check %s: %w", s.Guide, c.ID, err)
		}
		points := fmt.Sprint(c.Points)
		if c.Bonus {
			points += " bonus"
		}
		table += fmt.Sprintf("| %s (%s) | %s | %s |\n", c.ID, c.Invariant, points, c.Title)
	}
	return before + tableHead + table + after, nil
}

var place = regexp.MustCompile(`(section|exercise) (\d+)`)

// inGuide returns an error unless a check has all its words, and the guide the places that they
// name.
func inGuide(c Check, guide string) error {
	for _, words := range []string{c.Hint, c.More, c.Misconception, c.Operation, c.Read} {
		if words == "" {
			return fmt.Errorf("its Hint, More, Misconception, Operation or Read is empty")
		}
	}
	if !strings.Contains(guide, "| "+c.Invariant+" | ") {
		return fmt.Errorf("the guide does not state %s", c.Invariant)
	}
	for _, m := range place.FindAllStringSubmatch(c.Read, -1) {
		heading := "\n## " + m[2] + ". "
		if m[1] == "exercise" {
			heading = "\n**Exercise " + m[2]
		}
		if !strings.Contains(guide, heading) {
			return fmt.Errorf("the guide has no %s %s", m[1], m[2])
		}
	}
	return nil
}
