// Command determinism checks that the domain and the folds give the same bytes for the same events,
// on every machine and at every time. Without arguments it checks the packages of the list pure.
// It is a part of make lint. See analyzer for its rules.
package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"
)

const module = "example.com/blotter/"

// pure has the packages that must be deterministic, each with its files; nil is all of them. The
// other files of a package do I/O.
var pure = map[string][]string{
	"schemas":           nil,
	"labs/kit/trade":    nil,
	"labs/kit/contract": nil,
	"capstone/vault":    {"party.go"},
	"capstone/governance": {
		"disposal.go", "facts.go", "hold.go", "plan.go", "policy.go",
	},
	"solutions/1-schemas": {
		"avro.go", "events.go", "fields.go", "formats.go", "jsonform.go", "printer.go", "reader.go",
		"resolve.go", "scanner.go", "settled.go", "upcast.go", "walks.go", "writer.go",
	},
	"solutions/3-projections":               {"projection.go"},
	"solutions/3-projections/memory":        nil,
	"solutions/3-projections/postgres":      nil,
	"solutions/3-projections/readmodel":     nil,
	"solutions/3-projections/search":        nil,
	"solutions/3-projections/confirmations": nil,
	"solutions/4-replay":                    {"explain.go", "replay.go", "window.go"},
	"capstone/access":                       nil,
	"capstone/explain":                      nil,
	"capstone/forensics":                    nil,
	"capstone/forensics/postgres":           nil,
	"capstone/ledger": {
		"decide.go", "events.go", "export.go", "folds.go", "names.go", "postings.go",
		"reconcile.go", "state.go",
	},
	"capstone/canary":         {"state.go"},
	"capstone/lines":          nil,
	"capstone/publication":    {"events.go"},
	"capstone/report":         nil,
	"capstone/report/cftc":    nil,
	"capstone/report/form":    nil,
	"capstone/report/mifir":   nil,
	"capstone/report/records": nil,
	"capstone/report/remit":   nil,
	"capstone/reconcile":      nil,
	// fork: omit
	"solutions/3-projections/plain": {"fold.go", "model.go", "refold.go"},
	// fork: keep
}

// main without arguments lets go vet run this program on the packages. With arguments, go vet does.
func main() {
	if len(os.Args) > 1 {
		unitchecker.Main(analyzer)
	}
	self, err := os.Executable()
	if err == nil {
		vet := exec.Command("go", "vet", "-vettool="+self)
		for _, folder := range slices.Sorted(maps.Keys(pure)) {
			vet.Args = append(vet.Args, module+folder)
		}
		vet.Stdout, vet.Stderr = os.Stdout, os.Stderr
		err = vet.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error: determinism:", err)
		os.Exit(1)
	}
}

// isPure reports whether a file of a package must be deterministic. A test need not be.
func isPure(pkg, file string) bool {
	pkg, _, _ = strings.Cut(pkg, " ") // "p [p.test]" is p with its tests
	files, listed := pure[strings.TrimPrefix(pkg, module)]
	return listed && !strings.HasSuffix(file, "_test.go") &&
		(files == nil || slices.Contains(files, file))
}
