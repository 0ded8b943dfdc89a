// Package linestest puts the lines of a book into other orders, for tests.
package linestest

import (
	"math/rand/v2"
	"strings"

	"example.com/blotter/capstone/lines"
)

// links returns a function that maps the streams of all linked contracts to one of them. It links
// the contracts that a line names together.
func links(book []lines.Line) func(name string) string {
	linked := map[string]string{}
	shared := func(name string) string {
		for next, ok := linked[name]; ok; next, ok = linked[name] {
			name = next
		}
		return name
	}
	for _, line := range book {
		for _, name := range line.Names[1:] {
			a, b := shared(line.Names[0]), shared(name)
			if a != b && strings.HasPrefix(name, "trade/") {
				linked[b] = a
			}
		}
	}
	return shared
}

// Shuffled returns book in a random order. Any two lines that share a name, or are about linked
// contracts, keep their order. Each step takes a random line whose predecessors were all taken.
func Shuffled(book []lines.Line, seed uint64) []lines.Line {
	followers, predecessors := dependencies(book)
	var ready []int
	for i := range book {
		if predecessors[i] == 0 {
			ready = append(ready, i)
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	var out []lines.Line
	for len(ready) > 0 {
		k := random.IntN(len(ready))
		i := ready[k]
		ready[k] = ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		out = append(out, book[i])
		for _, f := range followers[i] {
			if predecessors[f]--; predecessors[f] == 0 {
				ready = append(ready, f)
			}
		}
	}
	if len(out) != len(book) {
		panic("linestest: Shuffled lost lines")
	}
	return out
}

// dependencies returns, for each line, the later lines that have to stay after it, and the number
// of earlier lines that have to stay before it.
func dependencies(book []lines.Line) (followers [][]int, predecessors []int) {
	followers, predecessors = make([][]int, len(book)), make([]int, len(book))
	last, shared := map[string]int{}, links(book)
	for i, line := range book {
		for _, name := range line.Names {
			name = shared(name)
			if earlier, ok := last[name]; ok && earlier != i {
				followers[earlier] = append(followers[earlier], i)
				predecessors[i]++
			}
			last[name] = i
		}
	}
	return followers, predecessors
}
