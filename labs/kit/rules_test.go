// Package kit_test holds the house to its rules: what may import what, and that a lab has the same API as its solution.
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

// A rule says which packages of this module others may import. Patterns are regular expressions over paths below the module.
type rule struct {
	what    string // the packages that it is about
	may     string // what they may import of ours, beside packages below themselves
	outside bool   // what they may import applies outside of their tests only
}

// The first rule that fits a package applies. Every rule must fit one: a package that is gone takes its rule with it only on purpose.
var rules = []rule{
	{`schemas`, `-`, false},
	{`labs/kit/trade`, `-`, false},
	{`labs/kit/contract`, `schemas|labs/kit/trade`, false},
	{`labs/kit/check`, `labs/kit/contract`, false},
	{`labs/kit/stack(/.*)?`, `labs/kit/stack(/.*)?|labs/kit/contract`, false},
	{`labs/cmd/lab(/.*)?`, `(labs|solutions|schemas)(/.*)?`, false},
	{`labs/\d-\w+/\w+test`, `labs/kit/.*|schemas|labs/\d-\w+/\w+test`, false}, // a suite may take in another
	{`labs/\d-\w+(/.*)?`, `labs/kit/(contract|trade|check|stack/stacktest)|schemas|labs/\d-\w+/\w+test`, false},
	{`solutions/1-schemas(/.*)?`, solution(`1-schemas`), true},
	{`solutions/2-store(/.*)?`, solution(`2-store`), true},
	{`solutions/3-projections(/.*)?`, solution(`3-projections`), true},
	{`solutions/4-replay(/.*)?`, solution(`4-replay`), true},
	{`solutions/5-audit(/.*)?`, solution(`5-audit`), true},
	{`capstone/logdir`, `labs/kit/(contract|stack)`, true},
	{`capstone/session`, `.*`, false},
	{`capstone/cmd/blotter`, `.*`, false},
	{`runbooks`, `labs/kit/stack/stacktest`, false},
	{`capstone(/.*)?`, `labs/kit/.*|schemas|capstone(/.*)?`, true},
}

func solution(folder string) string {
	return `labs/kit/(contract|trade|check)|schemas|solutions/` + folder + `(/.*)?`
}

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
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Module,Imports,TestImports,XTestImports,GoFiles,Export"}, args...)...)
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
		i := slices.IndexFunc(rules, func(r rule) bool { return fits(r.what, own) })
		if i < 0 {
			require.Equal(t, "labs/kit", own, "no rule is about the package %s", own)
			continue
		}
		used[rules[i].what] = true
		imports := p.Imports
		if !rules[i].outside {
			imports = slices.Concat(imports, p.TestImports, p.XTestImports)
		}
		for _, path := range imports {
			if to, ours := strings.CutPrefix(path, p.Module.Path+"/"); ours && to != own {
				require.True(t, fits(rules[i].may, to), "%s must not import %s", own, to)
			}
			if strings.Contains(path, "testcontainers") {
				require.Equal(t, "labs/kit/stack/containers", own, "only the stack of containers imports testcontainers")
			}
		}
	}
	for _, r := range rules {
		require.True(t, used[r.what], "there is no package any more that the rule about %s is for", r.what)
	}
}

func fits(pattern, path string) bool {
	return regexp.MustCompile(`^(` + pattern + `)$`).MatchString(path)
}

// Whoever wires a lab into the capstone in place of its solution must not notice. While a lab is being written it may export more.
func TestLabsHaveTheAPIOfTheirSolutions(t *testing.T) {
	t.Parallel()
	labs := list(t, "-e", "../../labs/...")
	for _, lab := range labs {
		own := strings.TrimPrefix(lab.ImportPath, lab.Module.Path+"/")
		if !fits(`labs/\d-\w+`, own) || len(lab.GoFiles) == 0 {
			continue
		}
		want := api(t, lab.Module.Path+"/solutions/"+solutionOf(path.Base(own)))
		got := api(t, lab.ImportPath)
		if os.Getenv("BLOTTER_CI") != "" {
			require.Equal(t, want, got, "%s: the API of the lab (second) and of its solution (first) differ", own)
		}
		require.Subset(t, got, want, "%s lacks something of its solution's API", own)
	}
}

// solutionOf is where the solution of a lab's folder is, below solutions. Lab 2 has several; the one that is built as the lab is.
func solutionOf(lab string) string {
	if lab == "2-store" {
		return lab + "/plain"
	}
	return lab
}

// api is a line for each exported name of a package, and for each exported field and method of its types.
func api(t *testing.T, pkg string) []string {
	exports := map[string]string{}
	for _, p := range list(t, "-export", "-deps", pkg) {
		exports[p.ImportPath] = p.Export
	}
	read := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	p, err := read.Import(pkg)
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
			lines = append(lines, fmt.Sprintf("type %s %s", name, types.TypeString(named.Underlying(), short)))
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

// declared is an object with its type. The names of parameters do not matter to who calls.
func declared(object types.Object, short types.Qualifier) string {
	f, ok := object.Type().(*types.Signature)
	if !ok {
		return types.ObjectString(object, short)
	}
	in := make([]string, f.Params().Len())
	for i := range in {
		in[i] = types.TypeString(f.Params().At(i).Type(), short)
	}
	return fmt.Sprintf("func %s(%s) %s, variadic %t", object.Name(), strings.Join(in, ", "), types.TypeString(f.Results(), short), f.Variadic())
}
