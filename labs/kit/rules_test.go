// Package kit_test checks the rules of the repository: the form of the code, the imports, the API
// of the labs, the generated files, and the lists of CONTRIBUTING.
package kit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rule names the packages of this module that other packages of it may import. Patterns are
// regular expressions for whole paths below the module.
type rule struct {
	packages    string // the importing packages
	may         string // the packages that they may import
	exceptTests bool   // their tests may import every package
}

// The first rule that matches a package applies. Every rule must match at least one package.
var rules = []rule{
	{`schemas`, `-`, false},
	{`labs/kit/trade`, `-`, false},
	{`labs/kit/contract`, `schemas|labs/kit/trade`, false},
	{`labs/kit/check`, `labs/kit/contract`, false},
	{`labs/kit/stack(/.*)?`, `labs/kit/stack(/.*)?|labs/kit/contract`, false},
	{`labs/cmd/(determinism|fork)`, `-`, false},
	{`labs/cmd/lab(/.*)?`, `(labs|solutions|schemas)(/.*)?`, false},
	// A suite may use another suite.
	{`labs/\d-\w+/\w+test`, `labs/kit/.*|schemas|labs/\d-\w+/\w+test`, false},
	{
		`labs/\d-\w+(/.*)?`,
		`labs/kit/(contract|trade|check|stack/stacktest)|schemas|labs/\d-\w+/\w+test`, false,
	},
	{`solutions/1-schemas(/.*)?`, solution(`1-schemas`), true},
	{`solutions/2-store(/.*)?`, solution(`2-store`), true},
	{`solutions/3-projections(/.*)?`, solution(`3-projections`), true},
	{`solutions/4-replay(/.*)?`, solution(`4-replay`), true},
	{`solutions/5-audit(/.*)?`, solution(`5-audit`), true},
	{
		`capstone/forensics/postgres`,
		`labs/kit/.*|schemas|capstone/forensics|solutions/3-projections/readmodel`, true,
	},
	{`capstone/logdir`, `labs/kit/(contract|stack)|capstone/product`, true},
	{`capstone/session`, `.*`, false},
	{`capstone/cmd/blotter`, `.*`, false},
	{`capstone/serve`, `labs/kit/.*|schemas|capstone|` + rooms, true},
	{`runbooks`, `labs/kit/.*|capstone/(lines|session)`, false},
	{`capstone(/.*)?`, `labs/kit/.*|schemas|` + rooms, true},
}

// rooms are the packages of the capstone below session, which alone wires them up.
const rooms = `capstone(/(access|books|canary|chaos|domain|explain|extract|forensics|` +
	`governance|ledger|lines|logdir|product|publication|reconcile|report|simulate|tracing|` +
	`vault)(/.*)?)?`

// solution returns the packages that a solution may import. It may not import another solution.
func solution(folder string) string {
	return `labs/kit/(contract|trade|check)|schemas|solutions/` + folder + `(/.*)?`
}

// A listed package is the output of go list.
type listed struct {
	ImportPath                         string
	Module                             struct{ Path string }
	Imports, TestImports, XTestImports []string
	GoFiles                            []string
	Export                             string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	var stderr bytes.Buffer
	const fields = "-json=ImportPath,Module,Imports,TestImports,XTestImports,GoFiles,Export"
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", fields}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return all
		}
		require.NoError(t, err)
		all = append(all, p)
	}
}

func TestImportsFollowTheRules(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range list(t, "-e", "../../...") {
		own := strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")
		i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.packages, own) })
		if i < 0 {
			require.Equal(t, "labs/kit", own,
				"package %s has no import rule: add a row to rules in labs/kit/rules_test.go", own)
			continue
		}
		used[rules[i].packages] = true
		imports := p.Imports
		if !rules[i].exceptTests {
			imports = slices.Concat(imports, p.TestImports, p.XTestImports)
		}
		for _, path := range imports {
			if to, ours := strings.CutPrefix(path, p.Module.Path+"/"); ours && to != own {
				require.True(t, matches(rules[i].may, to),
					"%s imports %s; it may import only %s", own, to, rules[i].may)
			}
			if strings.Contains(path, "testcontainers") {
				require.Equal(t, "labs/kit/stack/containers", own,
					"%s imports testcontainers; only labs/kit/stack/containers may", own)
			}
		}
	}
	for _, r := range rules {
		require.True(t, used[r.packages],
			"no package matches the rule for %s: remove its row in labs/kit/rules_test.go",
			r.packages)
	}
}

func matches(pattern, path string) bool {
	return regexp.MustCompile(`^(` + pattern + `)$`).MatchString(path)
}

// A lab can take the place of its solution in the capstone without any other change. A student's
// lab may export more.
func TestLabsHaveTheAPIOfTheirSolutions(t *testing.T) {
	t.Parallel()
	labs := list(t, "-e", "../../labs/...")
	for _, lab := range labs {
		own := strings.TrimPrefix(lab.ImportPath, lab.Module.Path+"/")
		if !matches(`labs/\d-\w+`, own) || len(lab.GoFiles) == 0 {
			continue
		}
		want := api(t, lab.Module.Path+"/solutions/"+solutionOf(path.Base(own)))
		got := api(t, lab.ImportPath)
		if os.Getenv("BLOTTER_CI") != "" {
			require.Equal(t, want, got,
				"the exported API of %s (second) differs from that of its solution (first)", own)
		}
		require.Subset(t, got, want, "%s does not export all names of its solution", own)
	}
}

// solutionOf returns the path of a lab's solution below solutions. All labs but the first have
// several solutions; plain is built like the lab.
func solutionOf(lab string) string {
	if lab == "1-schemas" {
		return lab
	}
	return lab + "/plain"
}

// api returns a line for each exported name of a package, and for each exported field and method of
// its types.
func api(t *testing.T, pkg string) []string {
	exports := map[string]string{}
	for _, p := range list(t, "-export", "-deps", pkg) {
		exports[p.ImportPath] = p.Export
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	p, err := importer.ForCompiler(token.NewFileSet(), "gc", open).Import(pkg)
	require.NoError(t, err)
	short := func(other *types.Package) string {
		if other == p {
			return ""
		}
		return other.Path()
	}
	var lines []string
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		named, isType := object.Type().(*types.Named)
		if _, declares := object.(*types.TypeName); !declares || !isType || named.Obj() != object {
			lines = append(lines, declared(object, short))
			continue
		}
		lines = append(lines, "type "+name)
		if fields, ok := named.Underlying().(*types.Struct); ok {
			for i := range fields.NumFields() {
				if f := fields.Field(i); f.Exported() {
					lines = append(lines, fmt.Sprintf("%s.%s", name, types.ObjectString(f, short)))
				}
			}
		} else {
			underlying := types.TypeString(named.Underlying(), short)
			lines = append(lines, fmt.Sprintf("type %s %s", name, underlying))
		}
		methods := types.NewMethodSet(types.NewPointer(named))
		for i := range methods.Len() {
			if m := methods.At(i).Obj(); m.Exported() {
				lines = append(lines, name+"."+declared(m, short))
			}
		}
	}
	sort.Strings(lines)
	return lines
}

// declared returns an object with its type. It leaves out the names of parameters, which do not
// matter to a caller.
func declared(object types.Object, short types.Qualifier) string {
	f, ok := object.Type().(*types.Signature)
	if !ok {
		return types.ObjectString(object, short)
	}
	in := make([]string, f.Params().Len())
	for i := range in {
		in[i] = types.TypeString(f.Params().At(i).Type(), short)
	}
	return fmt.Sprintf("func %s(%s) %s, variadic %t", object.Name(), strings.Join(in, ", "),
		types.TypeString(f.Results(), short), f.Variadic())
}
