package check

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
)

// label is the key of the profiler label that names the check of a goroutine. A goroutine inherits
// the labels of the goroutine that starts it, so the implementation's own goroutines have it too.
const label = "check"

// hangingCalls lists the calls in which the goroutines of a check are: for each goroutine the
// function in which it waits, and the frames of the implementation below it, innermost first. The
// result is empty if no goroutine is inside the implementation.
//
//	; these calls have not returned:
//	  sync.(*Mutex).Lock
//	    in store.(*Store).commit (append.go:24)
//	    in store.(*Store).Append (append.go:41)
func hangingCalls(t T) string {
	var profile strings.Builder
	// debug=1 is the form that names labels; it writes goroutines with equal stacks once.
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	mine := fmt.Sprintf("%q:%q", label, t.identity())
	var b strings.Builder
	for goroutine := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(goroutine, mine) {
			b.WriteString(ownFrames(goroutine))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "; these calls have not returned:" + b.String()
}

// frame matches a line of a goroutine profile: the function, without its offset, its file and line.
var frame = regexp.MustCompile(`#\t0x[0-9a-f]+\t(\S+)\+0x[0-9a-f]+\s+(\S+):(\d+)`)

// maxFrames is the number of the implementation's frames that are shown for each goroutine.
const maxFrames = 6

// ownFrames returns the implementation's frames of one goroutine, after the function that they
// wait in. It returns nothing for a goroutine that is not inside the implementation.
func ownFrames(goroutine string) string {
	var b strings.Builder
	waits, n := "", 0
	for _, f := range frame.FindAllStringSubmatch(goroutine, -1) {
		function, place := f[1], path.Base(f[2])+":"+f[3]
		if !implementation(function) {
			if n == 0 && !strings.HasPrefix(function, "internal/") {
				waits = path.Base(function)
			}
			continue
		}
		if n == 0 {
			fmt.Fprintf(&b, "\n  %s", cmp.Or(waits, "a channel, a select or a loop"))
		}
		if n++; n <= maxFrames {
			fmt.Fprintf(&b, "\n    in %s (%s)", path.Base(function), place)
		}
	}
	return b.String()
}

// implementation reports whether a function belongs to a lab or a solution, and not to a suite or
// to the packages of the kit, such as the stack.
func implementation(function string) bool {
	name, _, _ := strings.Cut(path.Base(function), ".")
	test := strings.HasSuffix(name, "_test") // the tests of this package have implementations
	suite := strings.HasSuffix(name, "test") && !test
	kit := slices.Contains([]string{"check", "containers", "contract", "stack", "trade"}, name)
	return strings.HasPrefix(function, "example.com/blotter/") && !suite && !kit
}
