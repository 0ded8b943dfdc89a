package grade

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Rubric is the points of the capstone: those of commands, and those of an instructor.
//
// Its file is Markdown. Each row of a table gives points, and other text gives none:
//
//	| 5 | `blotter seal` | `sealed to checkpoint` | the log has a signed checkpoint |
//	| 10 | **durable steps.** Ask for the crash table | names each step | "it just works" |
type Rubric struct {
	Commands []Command
	Looks    []Look
}

// A Command earns its points if it exits with 0 and prints a text.
type Command struct {
	Points int
	Args   string // after the name of the program
	Prints string
}

// A Look is a thing that the instructor looks at.
type Look struct {
	Points int
	Name   string
}

// rubricPoints is the sum of all rows of a rubric.
const rubricPoints = 100

var (
	headRow    = regexp.MustCompile(`^\| points \||^\|[-|]+\|$`)
	commandRow = regexp.MustCompile("^\\| (\\d+) \\| `blotter ([^`]+)` \\| `([^`]+)` \\| .+ \\|$")
	lookRow    = regexp.MustCompile(`^\| (\d+) \| \*\*([^*|]+?)\.?\*\*[^|]* \| .+ \|$`)
)

// ParseRubric reads the file of a rubric. An error names the file and the line.
func ParseRubric(name string, text []byte) (r Rubric, err error) {
	sum, seen := 0, map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || headRow.MatchString(line) {
			continue
		}
		bad := func(format string, args ...any) (Rubric, error) {
			return Rubric{}, fmt.Errorf("%s:%d: "+format, append([]any{name, i + 1}, args...)...)
		}
		command, look := commandRow.FindStringSubmatch(line), lookRow.FindStringSubmatch(line)
		if command == nil && look == nil {
			return bad("the row is neither \"| points | `blotter …` | `text` | … |\" nor " +
				"\"| points | **name.** … | … |\"")
		}
		row := slices.Concat(command, look) // one of them is empty
		points, err := strconv.Atoi(row[1])
		if err != nil || points < 1 || points > rubricPoints {
			return bad("%s are not 1 to %d points", row[1], rubricPoints)
		}
		sum += points
		if command != nil {
			r.Commands = append(r.Commands, Command{points, row[2], row[3]})
			continue
		}
		if first := seen[row[2]]; first > 0 {
			return bad("line %d has the name %q, too", first, row[2])
		}
		seen[row[2]] = i + 1
		r.Looks = append(r.Looks, Look{points, row[2]})
	}
	if sum != rubricPoints {
		return Rubric{}, fmt.Errorf("%s: its rows have %d points together, not %d", name, sum,
			rubricPoints)
	}
	return r, nil
}

// Awards are the points that an instructor gives: by student, and by the name of the look.
type Awards map[string]map[string]int

// ParseAwards reads the instructor's points from a CSV file. Its first line is "student" and the
// names of the rubric's looks, in any order; each further line has one student. The file has every
// one of the students, and nobody else. An error names the file and the line.
func (r Rubric) ParseAwards(name string, file io.Reader, students []string) (Awards, error) {
	in := csv.NewReader(file)
	in.FieldsPerRecord = -1 // an error below says which cell is missing
	head, err := in.Read()
	if err != nil {
		return nil, awardsError(name, err)
	}
	head[0] = strings.TrimPrefix(head[0], "\ufeff") // as a spreadsheet writes it
	if err := r.checkHead(head); err != nil {
		return nil, fmt.Errorf("%s:1: %w", name, err)
	}
	all := Awards{}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, awardsError(name, err)
		}
		line, _ := in.FieldPos(0)
		if !slices.Contains(students, row[0]) {
			return nil, fmt.Errorf("%s:%d: there is no submission of %q", name, line, row[0])
		}
		if all[row[0]] != nil {
			return nil, fmt.Errorf("%s:%d: %q has a line already", name, line, row[0])
		}
		if all[row[0]], err = r.award(head, row); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
	for _, student := range students {
		if all[student] == nil {
			return nil, fmt.Errorf("%s: there is no line for %q", name, student)
		}
	}
	return all, nil
}

func awardsError(name string, err error) error {
	if syntax := new(csv.ParseError); errors.As(err, &syntax) {
		return fmt.Errorf("%s:%d: %w", name, syntax.Line, syntax.Err)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s:1: the line with the names of the columns is missing", name)
	}
	return fmt.Errorf("read %s: %w", name, err)
}

// checkHead refuses columns that are not those of the rubric.
func (r Rubric) checkHead(head []string) error {
	if head[0] != "student" {
		return fmt.Errorf("the first column is %q, not \"student\"", head[0])
	}
	for i, column := range head[1:] {
		known := slices.ContainsFunc(r.Looks, func(l Look) bool { return l.Name == column })
		if !known || slices.Contains(head[1:1+i], column) {
			return fmt.Errorf("the column %q is not in the rubric, or is there twice", column)
		}
	}
	for _, l := range r.Looks {
		if !slices.Contains(head[1:], l.Name) {
			return fmt.Errorf("the column %q of the rubric is missing", l.Name)
		}
	}
	return nil
}

// award reads the points of one student.
func (r Rubric) award(head, row []string) (map[string]int, error) {
	if len(row) != len(head) {
		return nil, fmt.Errorf("the line has %d cells, and the first one %d", len(row), len(head))
	}
	points := map[string]int{}
	for _, l := range r.Looks {
		text := row[slices.Index(head, l.Name)]
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > l.Points {
			return nil, fmt.Errorf("%q has %q points, not 0 to %d", l.Name, text, l.Points)
		}
		points[l.Name] = n
	}
	return points, nil
}

// A Row is one row of the rubric with the points that a student earned. Text says why the points
// of a command were not earned.
type Row struct {
	Name       string
	Earned, Of int
	Command    bool
	Text       string
}

// Rows returns the rows of a student. failure says why a command failed, and is empty otherwise.
func (r Rubric) Rows(failure []string, award map[string]int) (rows []Row) {
	for i, c := range r.Commands {
		row := Row{"blotter " + c.Args, c.Points, c.Points, true, failure[i]}
		if failure[i] != "" {
			row.Earned = 0
		}
		rows = append(rows, row)
	}
	for _, l := range r.Looks {
		rows = append(rows, Row{Name: l.Name, Earned: award[l.Name], Of: l.Points})
	}
	return rows
}

// Capstone returns the sum of the rubric's rows, for commands or for the instructor.
func (r Report) Capstone(command bool) (s Score) {
	for _, row := range r.Rubric {
		if row.Command == command {
			s.Earned, s.Of = s.Earned+row.Earned, s.Of+row.Of
		}
	}
	return s
}

// Total returns the points of the labs and of the rubric together.
func (r Report) Total() Score {
	s := r.Score()
	for _, row := range r.Rubric {
		s.Earned, s.Of = s.Earned+row.Earned, s.Of+row.Of
	}
	return s
}

// rubricMarkdown writes the rows of the rubric, and why commands failed.
func (r Report) rubricMarkdown(b *strings.Builder) {
	if len(r.Rubric) == 0 {
		return
	}
	s := r.Total()
	fmt.Fprintf(b, "\n## Capstone\n\nWith the capstone: %d of %d points.\n\n", s.Earned, s.Of)
	b.WriteString("| row of the rubric | points |\n|---|---|\n")
	for _, row := range r.Rubric {
		fmt.Fprintf(b, "| %s | %d/%d |\n", row.Name, row.Earned, row.Of)
	}
	if r.Book != "" {
		fmt.Fprintf(b, "\nThe commands ran on a book that `%s` writes again.\n", r.Book)
	}
	for _, row := range r.Rubric {
		if row.Text != "" {
			fmt.Fprintf(b, "\n### %s\n\n%s\n", row.Name, quoted(row.Text))
		}
	}
}
