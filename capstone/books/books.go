// Package books carries the books of lines that come with the project, so that the demonstration needs no file of its own.
// README.md tells what is in them.
package books

import "embed"

// The books in FS.
const (
	First  = "first.jsonl"  // a short story, written by hand, with figures that can be worked out on paper
	Sample = "sample.jsonl" // a desk's year, from the simulator
	Broken = "broken.jsonl" // everything that can be wrong with an import, between lines that are right
)

//go:embed *.jsonl
var FS embed.FS
