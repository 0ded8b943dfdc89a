package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// A screen is the place where an answer is read.
type screen struct {
	width  int       // of a terminal, in columns; 0 for a pipe or a file, which have no width
	colour io.Writer // a terminal that shows colours; nil without one
}

// screenOf describes a writer. NO_COLOR, if it is not empty, turns colours off (no-color.org).
func screenOf(w io.Writer) screen {
	switch w := w.(type) {
	case *output:
		return w.screen
	case *visible:
		terminal := w.terminal()
		if terminal == nil {
			return screen{}
		}
		var s screen
		s.width, _, _ = term.GetSize(int(terminal.Fd())) // 0 if it is not known
		if os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
			s.colour = terminal
		}
		return s
	}
	return screen{}
}

// Colours are SGR sequences (ECMA-48, section 8.3.117).
const (
	bold = "1"
	red  = "31"
)

// paint writes text of our own in a colour where the screen shows colours, and otherwise to w, its
// plain writer. No text from outside may come here.
func (s screen) paint(w io.Writer, colour, text string) {
	if s.colour == nil {
		fmt.Fprint(w, text)
		return
	}
	fmt.Fprintf(s.colour, "\x1b[%sm%s\x1b[0m", colour, text)
}

// labels writes rows of tab-separated cells, of which the first names the second.
func labels(w io.Writer, rows ...string) {
	grid := gridOf(rows)
	grid.shrink(screenOf(w).width)
	for _, row := range grid.rows {
		grid.print(row, func(line string) { fmt.Fprintln(w, line) })
	}
}

// table writes rows of tab-separated cells under a header. Numbers are on the right. If the screen
// is too narrow, text is wrapped; numbers never are. If it is still too narrow, each row becomes a
// list of its cells.
func table(w io.Writer, header string, rows ...string) {
	grid := gridOf(append([]string{header}, rows...))
	grid.right = grid.numbers()
	screen := screenOf(w)
	if !grid.shrink(screen.width) {
		for i, row := range grid.rows[1:] {
			if i > 0 {
				fmt.Fprintln(w)
			}
			var cells []string
			for j, cell := range row {
				cells = append(cells, grid.rows[0][j]+"\t"+cell)
			}
			labels(w, cells...)
		}
		return
	}
	grid.print(grid.rows[0], func(line string) {
		screen.paint(w, bold, line)
		fmt.Fprintln(w)
	})
	for _, row := range grid.rows[1:] {
		grid.print(row, func(line string) { fmt.Fprintln(w, line) })
	}
}

// A grid is the cells of a table.
type grid struct {
	rows   [][]string
	widths []int  // of the columns, on the screen
	right  []bool // the columns of numbers; nil if there is none
}

const (
	indent = 2 // before the first column, and between two columns
	narrow = 10
)

func gridOf(rows []string) *grid {
	g := new(grid)
	for _, row := range rows {
		cells := strings.Split(oneLine(row), "\t")
		for len(g.widths) < len(cells) {
			g.widths = append(g.widths, 0)
		}
		for i, cell := range cells {
			g.widths[i] = max(g.widths[i], columnsOf(cell))
		}
		g.rows = append(g.rows, cells)
	}
	for i, cells := range g.rows {
		g.rows[i] = append(cells, make([]string, len(g.widths)-len(cells))...)
	}
	return g
}

var number = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?$`)

// numbers finds the columns that hold only numbers, and dashes where there is none.
func (g *grid) numbers() []bool {
	all := make([]bool, len(g.widths))
	for j := range all {
		for _, row := range g.rows[1:] {
			if row[j] == "" || row[j] == "-" {
				continue
			}
			if all[j] = number.MatchString(row[j]); !all[j] {
				break
			}
		}
	}
	return all
}

// least returns the smallest width of a column: its longest number, or a few letters.
func (g *grid) least(j int) int {
	if g.right == nil || !g.right[j] {
		return min(g.widths[j], narrow)
	}
	n := 1
	for _, row := range g.rows[1:] {
		n = max(n, columnsOf(row[j]))
	}
	return n
}

// shrink makes the widest columns narrower until the table fits. It reports whether it fits.
func (g *grid) shrink(limit int) bool {
	total := 0
	for _, n := range g.widths {
		total += indent + n
	}
	for limit > 0 && total > limit {
		widest := -1
		for j, n := range g.widths {
			if n > g.least(j) && (widest < 0 || n > g.widths[widest]) {
				widest = j
			}
		}
		if widest < 0 {
			return false
		}
		g.widths[widest]--
		total--
	}
	return true
}

// print passes on one row, in as many lines as its longest cell needs, without trailing blanks.
func (g *grid) print(row []string, write func(line string)) {
	var cells [][]string
	height := 1
	for j, cell := range row {
		cells = append(cells, wrap(cell, g.widths[j]))
		height = max(height, len(cells[j]))
	}
	for i := range height {
		var line strings.Builder
		for j, lines := range cells {
			text := ""
			if i < len(lines) {
				text = lines[i]
			}
			blanks := strings.Repeat(" ", g.widths[j]-columnsOf(text))
			if g.right != nil && g.right[j] {
				text, blanks = blanks+text, ""
			}
			line.WriteString(strings.Repeat(" ", indent) + text + blanks)
		}
		write(strings.TrimRight(line.String(), " "))
	}
}

// wrap cuts text into lines of at most limit columns, at blanks where there are any.
func wrap(text string, limit int) (lines []string) {
	for columnsOf(text) > limit {
		cut, used, blank := 0, 0, 0
		for i, r := range text {
			if used += columnsOfRune(r); used > limit && i > 0 {
				break
			}
			cut = i + len(string(r))
			if r == ' ' && i > 0 {
				blank = i
			}
		}
		if cut < len(text) && text[cut] != ' ' && blank > 0 {
			cut = blank
		}
		lines = append(lines, text[:cut])
		text = strings.TrimLeft(text[cut:], " ")
	}
	return append(lines, text)
}

// columnsOf returns the width of text on a screen.
func columnsOf(text string) (n int) {
	for _, r := range text {
		n += columnsOfRune(r)
	}
	return n
}

// columnsOfRune follows Unicode Standard Annex 11: wide characters take two columns. Marks that
// combine with the character before them take none.
func columnsOfRune(r rune) int {
	switch k := width.LookupRune(r).Kind(); {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case k == width.EastAsianWide || k == width.EastAsianFullwidth:
		return 2
	}
	return 1
}
