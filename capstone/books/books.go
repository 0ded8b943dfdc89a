// Package books embeds the books of import lines that come with the project. README.md describes
// them.
package books

import "embed"

// The books in FS.
const (
	First  = "first.jsonl"  // a short story, written by hand; its figures can be checked on paper
	Sample = "sample.jsonl" // a desk's year, mostly from the simulator
	Broken = "broken.jsonl" // every fault that an import line can have, among correct lines
)

//go:embed *.jsonl
var FS embed.FS
