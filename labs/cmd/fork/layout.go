package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// drop is the place of a file that belongs to the course alone.
const drop = ""

// layout maps each folder or file of this repository to its place in a fork. The longest prefix of
// a path decides. A file without a rule is an error, so that each new folder is decided here.
// NAME stands for the name of the program.
var layout = map[string]string{
	"schemas": "schemas", "runbooks": "runbooks",

	"labs/kit/trade":          "domain/trade",
	"labs/kit/contract":       "contract",
	"labs/kit/check":          "check",
	"labs/kit/stack":          "stack",
	"labs/cmd/determinism":    "cmd/determinism",
	"solutions/1-schemas":     "codec",
	"solutions/2-store":       "store",
	"solutions/3-projections": "projection",
	"solutions/4-replay":      "replay",
	"solutions/5-audit":       "audit",
	"capstone":                "flow",
	"capstone/cmd/blotter":    "cmd/NAME",

	// A fork has one part of each kind.
	"capstone/session/audit_solutions.go":  "flow/session/audit.go",
	"capstone/session/codec_solutions.go":  "flow/session/codec.go",
	"capstone/session/kafka_solutions.go":  "flow/session/kafka.go",
	"capstone/session/model_solutions.go":  "flow/session/model.go",
	"capstone/session/replay_solutions.go": "flow/session/replay.go",

	// The suites stand beside the parts that they judge.
	"labs/1-schemas/codectest":          "codec/codectest",
	"labs/2-store/storetest":            "store/storetest",
	"labs/3-projections/projectiontest": "projection/projectiontest",
	"labs/4-replay/replaytest":          "replay/replaytest",
	"labs/5-audit/audittest":            "audit/audittest",

	"Dockerfile": "Dockerfile", ".dockerignore": ".dockerignore",
	".tools": ".tools", ".gitattributes": ".gitattributes", ".gitignore": ".gitignore",
	".compose.env": ".compose.env", "compose.yaml": "compose.yaml", "LICENSE": "LICENSE",
	"Makefile": "Makefile", "README.md": "README.md", "go.mod": "go.mod", "go.sum": "go.sum",
	".github/CONTRIBUTING.md": ".github/CONTRIBUTING.md",
	".github/SECURITY.md":     ".github/SECURITY.md",

	// The course.
	".ci": drop, ".github/workflows": drop,
	"labs/README.md": drop, "labs/INSTRUCTOR.md": drop, "labs/debugging.md": drop,
	"labs/1-schemas": drop, "labs/2-store": drop, "labs/3-projections": drop,
	"labs/4-replay": drop, "labs/5-audit": drop,
	"labs/cmd/lab": drop, "labs/cmd/fork": drop,
	"capstone/RUBRIC.md": drop, "capstone/cmd/blotter/rubric_test.go": drop,
	"labs/kit/budget_test.go": drop, "labs/kit/contributing_test.go": drop,
	"labs/kit/generate_test.go": drop, "labs/kit/measure_test.go": drop,
	"labs/kit/rules_test.go": drop, "labs/kit/scripts_test.go": drop,
	"solutions/1-schemas/guide_test.go": drop, "solutions/1-schemas/wrong_test.go": drop,
	"solutions/1-schemas/testdata/wrong":           drop,
	"solutions/2-store/plain":                      drop,
	"solutions/3-projections/plain":                drop,
	"solutions/4-replay/plain/alternative_test.go": drop,
	"solutions/4-replay/plain/guide_test.go":       drop,
	"solutions/4-replay/plain/wrong_test.go":       drop,
	"solutions/4-replay/plain/testdata":            drop,
	"solutions/5-audit/plain":                      drop,
	"capstone/session/audit_labs.go":               drop,
	"capstone/session/codec_labs.go":               drop,
	"capstone/session/kafka_labs.go":               drop,
	"capstone/session/model_labs.go":               drop,
	"capstone/session/replay_labs.go":              drop,
	"labs/2-store/kafkatest":                       drop,
}

// guides are the files that a fork reads in place of the guides of the labs, by their rules.
var guides = map[string]string{
	"labs/1-schemas": "contract/codec.go", "labs/2-store": "contract/store.go",
	"labs/3-projections": "contract/projection.go", "labs/4-replay": "contract/replay.go",
	"labs/5-audit": "contract/audit.go",
}

// labFile finds a Go file that is named after its lab, such as lab_test.go.
var labFile = regexp.MustCompile(`/lab([a-z_]*\.go)$`)

// place returns the place of a path in the fork, by the rule with the longest prefix, and the rule.
func place(path, name string) (to, rule string, err error) {
	for prefix := path; prefix != "."; prefix = parent(prefix) {
		to, ok := layout[prefix]
		if !ok {
			continue
		}
		if to != drop {
			to = strings.ReplaceAll(to, "NAME", name) + strings.TrimPrefix(path, prefix)
			to = labFile.ReplaceAllString(to, "/part$1")
		}
		return to, prefix, nil
	}
	return "", "", fmt.Errorf(
		"%s has no place in a fork: add it to the table in labs/cmd/fork/layout.go", path)
}

func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

// places returns the place of each file. Each rule must have a file.
func places(files []string, name string) (map[string]string, error) {
	unused := maps.Clone(layout)
	to := map[string]string{}
	for _, path := range files {
		at, rule, err := place(path, name)
		if err != nil {
			return nil, err
		}
		to[path] = at
		delete(unused, rule)
	}
	for _, rule := range slices.Sorted(maps.Keys(unused)) {
		return nil, fmt.Errorf("labs/cmd/fork/layout.go has a rule for %s, where no file is", rule)
	}
	return to, nil
}
