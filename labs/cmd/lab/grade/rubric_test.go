package grade

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const aRubric = "# Rubric\n\n" +
	"| points | command | prints | shows |\n|---|---|---|---|\n" +
	"| 60 | `blotter seal` | `sealed` | a checkpoint |\n\n" +
	"| points | look for | good | poor |\n|---|---|---|---|\n" +
	"| 30 | **durable steps.** Ask | names them | silence |\n" +
	"| 10 | **one's own addition**: an event | a test | a screenshot |\n"

// The rubric of the kit has 60 points of commands, and 40 of the instructor. The file of points in
// the guide fits it.
func TestKitRubric(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(kitRoot(t), "capstone", "RUBRIC.md"))
	require.NoError(t, err)
	r, err := ParseRubric("RUBRIC.md", text)
	require.NoError(t, err)
	report := Report{Rubric: r.Rows(make([]string, len(r.Commands)), nil)}
	require.Equal(t, Score{Earned: 60, Of: 60}, report.Capstone(true))
	require.Equal(t, Score{Of: 40}, report.Capstone(false))
	require.Equal(t, "one's own addition", r.Looks[len(r.Looks)-1].Name)
	guide, err := os.ReadFile(filepath.Join(kitRoot(t), "labs", "INSTRUCTOR.md"))
	require.NoError(t, err)
	_, points, _ := strings.Cut(string(guide), "```\nstudent,")
	points, _, _ = strings.Cut("student,"+points, "```")
	awards, err := r.ParseAwards("points.csv", strings.NewReader(points), []string{"ada"})
	require.NoError(t, err)
	require.Equal(t, 10, awards["ada"]["durable steps"])
}

// An error in a rubric names the file and the line.
func TestMalformedRubric(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, with, want string }{
		{"| 60 |", "| sixty |", "R.md:5: the row is neither"},
		{"| `sealed` |", "| sealed |", "R.md:5: the row is neither"},
		{"| 60 |", "| 600 |", "R.md:5: 600 are not 1 to 100 points"},
		{"| 60 |", "| 0 |", "R.md:5: 0 are not 1 to 100 points"},
		{"**durable steps.**", "durable steps.", "R.md:9: the row is neither"},
		{" | silence |", "", "R.md:9: the row is neither"},
		{"one's own addition", "durable steps", `R.md:10: line 9 has the name "durable steps"`},
		{"| 30 |", "| 31 |", "R.md: its rows have 101 points together, not 100"},
	} {
		require.Contains(t, aRubric, c.old)
		_, err := ParseRubric("R.md", []byte(strings.Replace(aRubric, c.old, c.with, 1)))
		require.ErrorContains(t, err, c.want)
	}
}

// The instructor's points have a line for each submission. An error names the file and the line.
func TestAwards(t *testing.T) {
	t.Parallel()
	r, err := ParseRubric("R.md", []byte(aRubric))
	require.NoError(t, err)
	const file = "student,one's own addition,durable steps\nada,10,25\nben,0,30\n"
	read := func(text string) (Awards, error) {
		return r.ParseAwards("p.csv", strings.NewReader(text), []string{"ada", "ben"})
	}
	for _, text := range []string{file, "\ufeff" + strings.ReplaceAll(file, "\n", "\r\n")} {
		awards, err := read(text)
		require.NoError(t, err)
		require.Equal(t, 25, awards["ada"]["durable steps"])
		require.Equal(t, 30, awards["ben"]["durable steps"])
	}
	for _, c := range []struct{ old, with, want string }{
		{"student", "name", `p.csv:1: the first column is "name"`},
		{"durable steps", "steps", `p.csv:1: the column "steps" is not in the rubric`},
		{",durable steps", "", `p.csv:1: the column "durable steps" of the rubric is missing`},
		{"durable steps", "durable steps,durable steps", "p.csv:1: the column \"durable steps\""},
		{file, "", "p.csv:1: the line with the names of the columns is missing"},
		{"ben,0", "ben,", `p.csv:3: "one's own addition" has "" points, not 0 to 10`},
		{"ada,10", "ada,11", `p.csv:2: "one's own addition" has "11" points`},
		{"ada,10", "ada,-1", `p.csv:2: "one's own addition" has "-1" points`},
		{"ada,10,25", "ada,10", "p.csv:2: the line has 2 cells, and the first one 3"},
		{"ada", `a"da`, "p.csv:2: "},
		{"ada", "eve", `p.csv:2: there is no submission of "eve"`},
		{"ben", "ada", `p.csv:3: "ada" has a line already`},
		{"ben,0,30\n", "", `p.csv: there is no line for "ben"`},
	} {
		_, err := read(strings.Replace(file, c.old, c.with, 1))
		require.ErrorContains(t, err, c.want)
	}
}

// The score of a student is the sum of the checks, the commands and the instructor's points, in
// every output.
func TestScoreHasCapstone(t *testing.T) {
	t.Parallel()
	r, err := ParseRubric("R.md", []byte(aRubric))
	require.NoError(t, err)
	report := sample()
	labs := report.Score()
	award := map[string]int{"durable steps": 25, "one's own addition": 10}
	report.Rubric = r.Rows([]string{""}, award)
	want := Score{labs.Earned + 95, labs.Of + 100, labs.Bonus, labs.BonusOf}
	require.Equal(t, want, report.Total())
	report.Rubric = r.Rows([]string{"the command does not print \"sealed\""}, award)
	require.Equal(t, labs.Earned+35, report.Total().Earned)
	report.Book = "blotter simulate --trades 60 --seed 7"

	var table, class, markdown, gradescope strings.Builder
	report.Table(&table)
	require.NoError(t, CSV(&class, []Report{report}))
	require.NoError(t, report.Markdown(&markdown))
	require.NoError(t, report.Gradescope(&gradescope))
	require.Contains(t, table.String(), "capstone            0/60")
	require.Contains(t, table.String(), "instructor         35/40")
	require.Contains(t, table.String(), "all               36/136")
	require.Contains(t, class.String(), ",capstone,instructor,points,of,bonus,")
	require.Contains(t, class.String(), ",0,35,36,136,")
	require.Contains(t, markdown.String(), "With the capstone: 36 of 136 points.")
	require.Contains(t, markdown.String(), `does not print "sealed"`)
	require.Contains(t, gradescope.String(), `"score": 36,`)
	for _, out := range []string{table.String(), markdown.String(), gradescope.String()} {
		require.Contains(t, out, report.Book, "the book can be made again")
	}
}
