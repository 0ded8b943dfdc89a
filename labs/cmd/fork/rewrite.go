package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/module"
)

const (
	oldModule = "example.com/blotter"
	oldName   = "blotter"
)

// names are the choices of a fork. The prefix of its environment variables has no underscore at its
// end; it is the name in capitals if it is empty.
type names struct{ module, name, prefix string }

var (
	validName   = regexp.MustCompile(`^[a-z][a-z0-9]{1,15}$`)
	validPrefix = regexp.MustCompile(`^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)?$`)
)

func (n names) check() error {
	if err := module.CheckImportPath(n.module); err != nil {
		return fmt.Errorf("MODULE %q: %w", n.module, err)
	}
	if !validName.MatchString(n.name) || token.IsKeyword(n.name) {
		return fmt.Errorf("NAME %q: want 2 to 16 lower-case letters and digits, and no word of Go",
			n.name)
	}
	if !validPrefix.MatchString(n.prefix) {
		return fmt.Errorf("PREFIX %q: want capitals, digits and single underscores between them",
			n.prefix)
	}
	if strings.Contains(strings.ToLower(n.module+" "+n.name+" "+n.prefix), oldName) {
		return fmt.Errorf("MODULE, NAME and PREFIX must not contain %q", oldName)
	}
	return nil
}

// replacer replaces the names wherever they stand, also within other words. Labels of containers
// begin with the host of the module, its last part first.
func (n names) replacer() *strings.Replacer {
	host, _, _ := strings.Cut(n.module, "/")
	labels := strings.Split(host, ".")
	slices.Reverse(labels)
	return strings.NewReplacer(oldModule, n.module,
		"com.example.blotter", strings.Join(labels, ".")+"."+n.name, oldName, n.name,
		"Blotter", strings.ToUpper(n.name[:1])+n.name[1:],
		"BLOTTER_", cmp.Or(n.prefix, strings.ToUpper(n.name))+"_",
		"BLOTTER", strings.ToUpper(n.name), "capstone", "flow", "Capstone", "Flow")
}

// courseWords are words of the course, and their words in a product. Lab 1 is about the first part
// of the system, and so on.
var courseWords = []struct {
	word *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\blab([1-5A-Z]|s?\b)`), "part$1"},
	{regexp.MustCompile(`\bLab([A-Z]|s?\b)`), "Part$1"},
	{regexp.MustCompile(`\bstudent`), "author"},
}

// kept are the places that go on saying "blotter", with the reason for each.
var kept = [...]struct{ reason, text string }{
	{"tag of a digest or a format: another tag changes every digest",
		`blotter/(?:lab-)?[a-z]+(?:-id)?/v[0-9]+`},
	{"namespace of a published schema: another one changes its fingerprint",
		`blotter\.(?:access|backfill|break|canary|command|confirmation|disposal|event|hold|` +
			`ledger|party|price|reference|report|snapshot|store|trade)\b` +
			`(?:\.[A-Z])?|blotter\.(?:P|Digest)\b|namespace(?:": ?| = )"blotter"`},
	{"origin that signed a golden file, or that a key of a test names",
		`example\.com/blotter/test\b|` +
			`blotter\.example\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,}`},
}

// anyKept has one group for each row of kept.
var anyKept = regexp.MustCompile(
	"(" + kept[0].text + ")|(" + kept[1].text + ")|(" + kept[2].text + ")")

// A rewriter rewrites the files of a fork.
type rewriter struct {
	names
	to    map[string]string // the place of each file
	count [len(kept)]int    // of the places that are kept
	first [len(kept)]string
	left  []string // traces of the course
}

// rewrite returns the content of the fork's file for the file path of this repository.
func (w *rewriter) rewrite(file string, text []byte) ([]byte, error) {
	if bytes.IndexByte(text, 0) >= 0 {
		return text, nil // not a text
	}
	s, err := withoutCourse(string(text))
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(file, ".md") {
		s = w.withoutCourseRows(file, s)
	}
	isGo := strings.HasSuffix(file, ".go")
	if isGo {
		if s, err = w.imports(file, s); err != nil {
			return nil, err
		}
	}
	s = pathLike.ReplaceAllStringFunc(s, func(p string) string { return w.path(file, p) })
	s = w.rename(file, s)
	if !isGo {
		return []byte(s), nil
	}
	w.findTraces(file, s, splitPath)
	return format.Source([]byte(s))
}

// buildTag is the line that chooses a reference part; a fork has no other.
var buildTag = regexp.MustCompile(`(?m)^//go:build !lab[1-5]\n\n`)

// forkOnly is a line for forks alone.
var forkOnly = regexp.MustCompile(`^(?:#|<!-- )fork> (.*?)(?: -->)?\n$`)

// withoutCourse leaves out the lines from one with "fork: omit" to the next with "fork: keep". A
// line that begins with "fork>" loses this mark.
func withoutCourse(text string) (string, error) {
	text = buildTag.ReplaceAllString(text, "")
	var b strings.Builder
	omit := false
	for line := range strings.Lines(text) {
		mark := strings.Trim(line, "#/<!-> \t\n")
		switch {
		case mark == "fork: omit" && !omit, mark == "fork: keep" && omit:
			omit = !omit
		case mark == "fork: omit" || mark == "fork: keep":
			return "", fmt.Errorf("%q without its pair", mark)
		case !omit:
			b.WriteString(forkOnly.ReplaceAllString(line, "$1\n"))
		}
	}
	if omit {
		return "", fmt.Errorf("no \"fork: keep\" after the last \"fork: omit\"")
	}
	return b.String(), nil
}

// firstLink finds the link with which a row of a table begins.
var firstLink = regexp.MustCompile(`^\| \[[^]]*\]\(([^)#]+)\)`)

// withoutCourseRows leaves out the rows of a table that begin with a link to a file of the course.
func (w *rewriter) withoutCourseRows(file, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if link := firstLink.FindStringSubmatch(line); link != nil {
			to, _, err := place(path.Join(path.Dir(file), link[1]), w.name)
			if err == nil && to == drop {
				continue
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// imports rewrites the import paths of a Go file, by its syntax tree. A local name that only
// repeats the end of the new path is left out.
func (w *rewriter) imports(file, text string) (string, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, text, parser.ImportsOnly)
	if err != nil {
		return "", err
	}
	for _, spec := range slices.Backward(tree.Imports) {
		old, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return "", err
		}
		folder, ours := strings.CutPrefix(old, oldModule+"/")
		if !ours {
			continue
		}
		to, _, err := place(folder, w.name)
		if err != nil {
			return "", err
		}
		if to == drop {
			return "", fmt.Errorf("imports %s, which belongs to the course", folder)
		}
		from := spec.Path.Pos()
		if spec.Name != nil && spec.Name.Name == path.Base(to) {
			from = spec.Name.Pos()
		}
		text = text[:set.Position(from).Offset] + strconv.Quote(w.module+"/"+to) +
			text[set.Position(spec.Path.End()).Offset:]
	}
	return text, nil
}

// pathLike finds paths in texts: from the root, or relative to the folder of the file.
var pathLike = regexp.MustCompile(`[A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)+`)

// path returns the path in a fork for a path that stands in file. A path of something else, or of a
// file of the course, stays.
func (w *rewriter) path(file, p string) string {
	clean := strings.TrimRight(p, ".")
	tail := p[len(clean):] // the end of a sentence, or the dots of all packages below
	if strings.HasSuffix(clean, "/") {
		clean, tail = strings.TrimSuffix(clean, "/"), "/"+tail
	}
	if tail == "/." || tail == "/.." {
		clean, tail = p, ""
	}
	at, here := path.Dir(file), path.Dir(w.to[file])
	switch first, rest, _ := strings.Cut(clean, "/"); {
	case strings.HasPrefix(clean, oldModule+"/"):
		if to, ok := w.known(strings.TrimPrefix(clean, oldModule+"/")); ok {
			return w.module + "/" + to + tail
		}
	case first == "..":
		if to, ok := w.known(path.Join(at, clean)); ok {
			if rel, err := filepath.Rel(here, to); err == nil {
				return filepath.ToSlash(rel) + tail
			}
		}
	case first == ".":
		if to, ok := w.known(rest); ok {
			return "./" + to + tail
		}
	case slices.Contains([]string{"labs", "solutions", "capstone"}, first):
		if to, ok := w.known(clean); ok {
			return to + tail
		}
	}
	return p
}

// known returns the place of a file, a folder, or a name in a package, such as labs/kit/stack.Open.
// The root stays the root.
func (w *rewriter) known(p string) (string, bool) {
	if p == "." {
		return ".", true
	}
	to, rule, err := place(p, w.name)
	if dot := strings.LastIndexByte(p, '.'); err != nil && dot > strings.LastIndexByte(p, '/') {
		if to, _, err = place(p[:dot], w.name); to != drop {
			to += p[dot:]
		}
	}
	if guide := guides[rule]; err == nil && to == drop && guide != "" {
		return guide, true
	}
	return to, err == nil && to != drop
}

// rename replaces the names and the words of the course, except where they are kept.
func (w *rewriter) rename(file, text string) string {
	var b strings.Builder
	last := 0
	for _, span := range anyKept.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(w.words(file, text[last:span[0]]))
		b.WriteString(text[span[0]:span[1]])
		last = span[1]
		for i := range kept {
			if span[2*i+2] >= 0 {
				w.note(i, w.to[file])
			}
		}
	}
	b.WriteString(w.words(file, text[last:]))
	return b.String()
}

func (w *rewriter) note(reason int, file string) {
	if w.count[reason]++; w.first[reason] == "" {
		w.first[reason] = file
	}
}

func (w *rewriter) words(file, text string) string {
	text = w.replacer().Replace(text)
	w.findTraces(file, text, coursePaths)
	for _, c := range courseWords {
		text = c.word.ReplaceAllString(text, c.with)
	}
	w.findTraces(file, text, courseTexts)
	return text
}

// Traces of the course: paths that have no place in the fork, and words that have no replacement.
var (
	coursePaths = regexp.MustCompile(`\b(?:labs|solutions)/|_(labs|solutions)\b`)
	courseTexts = regexp.MustCompile(`(?i)\b(labs?|lab[1-5]|courses?|students?|instructors?)\b`)
)

// splitPath finds a relative path in pieces, which path does not rewrite. Write "../..".
var splitPath = regexp.MustCompile(`"\.\.", *"\.\."`)

func (w *rewriter) findTraces(file, text string, trace *regexp.Regexp) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if trace.MatchString(line) {
			w.left = append(w.left, fmt.Sprintf("%s:%d: %s", file, n, strings.TrimSpace(line)))
		}
	}
}

// printKept lists the places that still say "blotter".
func (w *rewriter) printKept(out io.Writer) {
	fmt.Fprintln(out, "on purpose, these places still say blotter:")
	for i, k := range kept {
		fmt.Fprintf(out, "  %4d  %s; the first is in %s\n", w.count[i], k.reason, w.first[i])
	}
}
