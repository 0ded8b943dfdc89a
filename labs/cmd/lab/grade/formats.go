package grade

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"example.com/blotter/labs/kit/check"
)

// Write writes the four files of one submission to a folder, which it creates.
func (r Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var all error
	for name, write := range map[string]func(io.Writer) error{
		"results.json": r.Gradescope, "junit.xml": r.JUnit, "ctrf.json": r.CTRF,
		"report.md": r.Markdown,
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			err = errors.Join(write(f), f.Close())
		}
		all = errors.Join(all, err)
	}
	return all
}

// text returns why a check earns nothing: its own text, or the cause that its lab has.
func (l Lab) text(r Result) string {
	if r.State == Pass || r.Text != "" {
		return r.Text
	}
	return l.Cause
}

func title(r Result) string {
	bonus := ""
	if r.Check.Bonus {
		bonus = " (bonus)"
	}
	return r.Check.ID + " " + r.Check.Title + bonus
}

// Gradescope writes results.json (https://gradescope-autograders.readthedocs.io, "Output format").
func (r Report) Gradescope(w io.Writer) error {
	type test struct {
		Number   string `json:"number"`
		Name     string `json:"name"`
		Score    int    `json:"score"`
		MaxScore int    `json:"max_score"`
		Status   string `json:"status"`
		Output   string `json:"output,omitempty"`
	}
	s := r.Total()
	out := struct {
		Score  int    `json:"score"`
		Time   int    `json:"execution_time"` // in seconds
		Output string `json:"output"`
		Tests  []test `json:"tests"`
	}{s.Earned + s.Bonus, int(r.Duration.Seconds()), r.note(), nil}
	for _, l := range r.Labs {
		for _, c := range l.Results {
			t := test{c.Check.ID, title(c), c.Points(), c.Check.Points, "failed", ""}
			if c.State == Pass {
				t.Status = "passed"
			} else {
				t.Output = strings.TrimSpace(string(c.State) + "\n" + l.text(c))
			}
			out.Tests = append(out.Tests, t)
		}
	}
	for _, row := range r.Rubric {
		t := test{"capstone", row.Name, row.Earned, row.Of, "passed", row.Text}
		if row.Earned < row.Of {
			t.Status = "failed"
		}
		out.Tests = append(out.Tests, t)
	}
	return encode(w, out)
}

// note lists what the reader of a score must know.
func (r Report) note() string {
	lines := append([]string(nil), r.Limits...)
	if r.Book != "" {
		lines = append(lines, "book of the capstone: "+r.Book)
	}
	for _, name := range r.Ignored {
		lines = append(lines, "ignored: "+name)
	}
	return strings.Join(lines, "\n")
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// JUnit writes the XML of JUnit, as CI servers read it. A TODO is skipped.
func (r Report) JUnit(w io.Writer) error {
	type problem struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	}
	type testcase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Failure *problem `xml:"failure"`
		Error   *problem `xml:"error"`
		Skipped *problem `xml:"skipped"`
	}
	type suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	out := struct {
		XMLName xml.Name `xml:"testsuites"`
		Name    string   `xml:"name,attr"`
		Suites  []suite  `xml:"testsuite"`
	}{Name: r.Student}
	for _, l := range r.Labs {
		s := suite{Name: l.Name, Tests: len(l.Results)}
		for _, c := range l.Results {
			t, p := testcase{Name: title(c), Class: l.Name}, &problem{string(c.State), l.text(c)}
			switch c.State {
			case Pass:
			case Fail:
				t.Failure, s.Failures = p, s.Failures+1
			case Todo:
				t.Skipped, s.Skipped = p, s.Skipped+1
			default:
				t.Error, s.Errors = p, s.Errors+1
			}
			s.Cases = append(s.Cases, t)
		}
		out.Suites = append(out.Suites, s)
	}
	text, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

// CTRF writes the Common Test Report Format (https://ctrf.io, version 0.0.0 of its schema).
func (r Report) CTRF(w io.Writer) error {
	type test struct {
		Name      string   `json:"name"`
		Status    string   `json:"status"`
		RawStatus State    `json:"rawStatus"`
		Duration  int      `json:"duration"` // checks run beside each other: not measured
		Suite     []string `json:"suite"`
		Message   string   `json:"message,omitempty"`
	}
	count := map[string]int{}
	tests := []test{}
	for _, l := range r.Labs {
		for _, c := range l.Results {
			status := map[State]string{Pass: "passed", Fail: "failed", Todo: "pending"}[c.State]
			if status == "" {
				status = "other"
			}
			count[status]++
			tests = append(tests, test{title(c), status, c.State, 0, []string{l.Name}, l.text(c)})
		}
	}
	summary := map[string]any{
		"tests": len(tests), "passed": count["passed"], "failed": count["failed"], "skipped": 0,
		"pending": count["pending"], "other": count["other"],
		"start": r.Started.UnixMilli(), "stop": r.Started.Add(r.Duration).UnixMilli(),
	}
	return encode(w, map[string]any{
		"reportFormat": "CTRF", "specVersion": "0.0.0",
		"results": map[string]any{
			"tool": map[string]any{"name": "lab grade"}, "summary": summary, "tests": tests,
		},
	})
}

// Markdown writes the report for the student: the points, the rules that were broken, and where to
// read about each.
func (r Report) Markdown(w io.Writer) error {
	s := r.Score()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: %d of %d points, and %d of %d bonus points\n\n", r.Student, s.Earned,
		s.Of, s.Bonus, s.BonusOf)
	b.WriteString("| lab | points | bonus | results |\n|---|---|---|---|\n")
	for _, l := range r.Labs {
		s := l.Score()
		fmt.Fprintf(&b, "| %s | %d/%d | %d/%d | %s |\n", l.Name, s.Earned, s.Of, s.Bonus, s.BonusOf,
			l.states())
	}
	for _, l := range r.Labs {
		l.markdown(&b)
	}
	r.rubricMarkdown(&b)
	if len(r.Ignored) > 0 {
		b.WriteString("\n## Files that were not used\n\n" +
			"Only the files that a lab lets you edit are graded.\n\n")
		for _, name := range r.Ignored {
			fmt.Fprintf(&b, "- %s\n", name)
		}
	}
	b.WriteString("\n## Limits\n\n")
	for _, limit := range r.Limits {
		fmt.Fprintf(&b, "- %s\n", limit)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (l Lab) markdown(b *strings.Builder) {
	if s := l.Score(); s.Earned == s.Of && s.Bonus == s.BonusOf {
		return
	}
	fmt.Fprintf(b, "\n## Lab %s\n", l.Name)
	if l.Cause != "" {
		fmt.Fprintf(b, "\nAll checks are %s:\n\n%s\n", l.Results[0].State, quoted(l.Cause))
		return
	}
	var todo []string
	for _, c := range l.Results {
		switch c.State {
		case Pass:
		case Todo:
			todo = append(todo, c.Check.ID)
		default:
			fmt.Fprintf(b, "\n### %s: %s\n\n%d points. Read %s.\n\n%s\n", c.State, title(c),
				c.Check.Points, check.Place(c.Suite, c.Check), quoted(c.Text))
		}
	}
	if len(todo) > 0 {
		fmt.Fprintf(b, "\nTo do: %s.\n", strings.Join(todo, ", "))
	}
}

// quoted indents a text as code, so that nothing in it is markup.
func quoted(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

// states counts the results by state: "20 PASS, 4 FAIL".
func (l Lab) states() string {
	count := map[State]int{}
	for _, c := range l.Results {
		count[c.State]++
	}
	var texts []string
	for _, state := range States {
		if n := count[state]; n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(texts, ", ")
}

// Table writes the table of one submission: a row for each lab, and the sum.
func (r Report) Table(w io.Writer) {
	fmt.Fprintf(w, "%-14s %9s %7s  %s\n", r.Student, "points", "bonus", "checks")
	row := func(name string, s Score, states string) {
		fmt.Fprintf(w, "%-14s %9s %7s  %s\n", name, fmt.Sprintf("%d/%d", s.Earned, s.Of),
			fmt.Sprintf("%d/%d", s.Bonus, s.BonusOf), states)
	}
	for _, l := range r.Labs {
		row(l.Name, l.Score(), l.states())
		if l.Cause != "" {
			fmt.Fprintln(w, quoted(l.Cause))
		}
	}
	if len(r.Rubric) > 0 {
		row("capstone", r.Capstone(true), "by its commands")
		row("instructor", r.Capstone(false), "by the rubric")
	}
	row("all", r.Total(), fmt.Sprintf("%.0f s", r.Duration.Seconds()))
	for _, of := range r.Rubric {
		if of.Text != "" {
			fmt.Fprintf(w, "%s:\n%s\n", of.Name, quoted(of.Text))
		}
	}
	if r.Book != "" {
		fmt.Fprintf(w, "book of the capstone: %s\n", r.Book)
	}
	for _, name := range r.Ignored {
		fmt.Fprintf(w, "ignored: %s\n", name)
	}
}

// CSV writes the table of a class: a row for each submission. A name that a spreadsheet would take
// for a formula gets an apostrophe.
func CSV(w io.Writer, reports []Report) error {
	c := csv.NewWriter(w)
	head := []string{"student"}
	if len(reports) > 0 {
		for _, l := range reports[0].Labs {
			head = append(head, l.Name)
		}
		if len(reports[0].Rubric) > 0 {
			head = append(head, "capstone", "instructor")
		}
	}
	_ = c.Write(append(head, "points", "of", "bonus", "remarks")) // Error reports the errors
	for _, r := range reports {
		name := r.Student
		if strings.ContainsAny(name[:1], "=+-@\t\r") {
			name = "'" + name
		}
		row, remarks := []string{name}, []string{}
		for _, l := range r.Labs {
			row = append(row, strconv.Itoa(l.Score().Earned))
			for _, state := range []State{Crash, Timeout, Forbidden, NotBuilt, Flaky} {
				if strings.Contains(l.states(), string(state)) {
					remarks = append(remarks, l.Name+" "+string(state))
				}
			}
		}
		if len(r.Rubric) > 0 {
			row = append(row, strconv.Itoa(r.Capstone(true).Earned),
				strconv.Itoa(r.Capstone(false).Earned))
		}
		s := r.Total()
		_ = c.Write(append(row, strconv.Itoa(s.Earned), strconv.Itoa(s.Of), strconv.Itoa(s.Bonus),
			strings.Join(remarks, "; ")))
	}
	c.Flush()
	return c.Error()
}
