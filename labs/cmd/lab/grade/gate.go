package grade

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const module = "example.com/blotter/"

// mayImport lists the packages that a student's file may import: those of the reference solutions,
// and packages of the standard library without access to files, processes, memory or the tests.
var mayImport = strings.Fields(`
	bufio bytes cmp container/heap container/list container/ring context crypto/hmac crypto/sha256
	crypto/sha512 encoding encoding/base64 encoding/binary encoding/hex encoding/json errors fmt
	hash hash/crc32 hash/fnv io iter maps math math/big math/bits math/rand math/rand/v2 regexp
	slices sort strconv strings sync sync/atomic time unicode unicode/utf16 unicode/utf8
	github.com/cockroachdb/apd/v3 github.com/google/uuid github.com/hamba/avro/v2
	github.com/twmb/franz-go/pkg/kadm github.com/twmb/franz-go/pkg/kerr
	github.com/twmb/franz-go/pkg/kgo github.com/twmb/franz-go/pkg/kmsg
	golang.org/x/mod/sumdb/note golang.org/x/mod/sumdb/tlog
	` + module + `labs/kit/check ` + module + `labs/kit/contract ` + module + `labs/kit/trade
	` + module + `schemas`)

// mayNotUse lists the names of these packages that change a state which the suite shares, or hand
// it out.
var mayNotUse = strings.Fields(`
	hash/crc32.IEEETable math/rand.Seed
	unicode.CaseRanges unicode.Categories unicode.CategoryAliases unicode.FoldCategory
	unicode.FoldScript unicode.Properties unicode.Scripts
	github.com/google/uuid.DisableRandPool github.com/google/uuid.EnableRandPool
	github.com/google/uuid.SetClockSequence github.com/google/uuid.SetNodeID
	github.com/google/uuid.SetNodeInterface github.com/google/uuid.SetRand
	github.com/hamba/avro/v2.DefaultConfig github.com/hamba/avro/v2.DefaultSchemaCache
	github.com/hamba/avro/v2.ParseFiles github.com/hamba/avro/v2.Register
	github.com/hamba/avro/v2.RegisterTypeConverters
	github.com/hamba/avro/v2.SkipNameValidation`)

// gate returns the constructs of a student's file that could reach the suite, the results or the
// machine, each with its place. It looks at the syntax alone. A file that the parser refuses is an
// error: the compiler may accept it. kit is the same file of the kit, whose initialisers are
// permitted.
func gate(name string, text, kit []byte) (found []string, err error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	g := &gatekeeper{set: set, imports: map[string]string{}, given: initialisers(kit)}
	for _, spec := range f.Imports {
		g.imported(spec)
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if directive.MatchString(c.Text) {
				g.forbid(c, "the directive %s", strings.Fields(c.Text)[0])
			}
		}
	}
	for _, d := range f.Decls {
		g.declared(d)
	}
	ast.Inspect(f, g.visit)
	return g.found, nil
}

// initialisers returns the text of each initialiser of a variable of a package.
func initialisers(file []byte) (texts []string) {
	f, err := parser.ParseFile(token.NewFileSet(), "", file, 0)
	if err != nil {
		return nil
	}
	for _, d := range f.Decls {
		for _, value := range valuesOf(d) {
			texts = append(texts, source(value))
		}
	}
	return texts
}

func valuesOf(d ast.Decl) (values []ast.Expr) {
	if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
		for _, spec := range g.Specs {
			values = append(values, spec.(*ast.ValueSpec).Values...)
		}
	}
	return values
}

func source(e ast.Expr) string {
	var b strings.Builder
	_ = printer.Fprint(&b, token.NewFileSet(), e) // a Builder never fails
	return b.String()
}

// directive matches comments that the compiler or a tool obeys.
var directive = regexp.MustCompile(`^(//go:|//line |/\*line |//export |//\s*\+build )`)

type gatekeeper struct {
	set     *token.FileSet
	imports map[string]string // paths by the names that the file uses
	given   []string          // initialisers of the kit
	found   []string
}

func (g *gatekeeper) forbid(at ast.Node, format string, args ...any) {
	p := g.set.PositionFor(at.Pos(), false)
	where := fmt.Sprintf("%s:%d: ", p.Filename, p.Line)
	g.found = append(g.found, where+fmt.Sprintf(format, args...))
}

func (g *gatekeeper) imported(spec *ast.ImportSpec) {
	from, err := strconv.Unquote(spec.Path.Value)
	if err != nil || !slices.Contains(mayImport, from) {
		g.forbid(spec, "import of %s", from)
	}
	name := path.Base(from)
	if major.MatchString(name) {
		name = path.Base(path.Dir(from))
	}
	if spec.Name != nil {
		name = spec.Name.Name
	}
	if name == "." {
		g.forbid(spec, "import of all names of %s", from)
	}
	g.imports[name] = from
}

var major = regexp.MustCompile(`^v\d+$`)

// declared looks at functions that run or mean something without a call, at initialisers of
// variables, which run before the suite, and at names that replace those of the language.
func (g *gatekeeper) declared(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv == nil {
			g.named(d.Name)
		}
		switch {
		case d.Body == nil:
			g.forbid(d, "the function %s has no body", name)
		case d.Recv == nil && (name == "init" || name == "TestMain"):
			g.forbid(d, "the function %s", name)
		case d.Recv != nil && (name == "Is" || name == "As"):
			g.forbid(d, "the method %s, by which an error passes for another", name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				g.named(spec.Name)
			case *ast.ValueSpec:
				g.named(spec.Names...)
			}
		}
		for _, value := range valuesOf(d) {
			if !slices.Contains(g.given, source(value)) {
				ast.Inspect(value, g.initialiser)
			}
		}
	}
}

// named forbids a package to declare a name of the language, such as rune: in the other files of
// the package, the syntax does not show it.
func (g *gatekeeper) named(names ...*ast.Ident) {
	for _, name := range names {
		if types.Universe.Lookup(name.Name) != nil {
			g.forbid(name, "a declaration of %s, which is a name of the language", name.Name)
		}
	}
}

// initialiser forbids calls, except conversions of nil and functions that call nothing of ours.
func (g *gatekeeper) initialiser(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if _, function := n.(*ast.FuncLit); function {
		return false
	}
	if !ok {
		return true
	}
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.ArrayType, *ast.MapType: // a conversion
		return true
	case *ast.StarExpr: // a conversion, or the call of a function by its pointer
		if x, ok := f.X.(*ast.Ident); ok && x.Obj != nil && x.Obj.Kind == ast.Typ {
			return true
		}
	case *ast.Ident:
		if f.Obj == nil && slices.Contains(harmless, f.Name) {
			return true
		}
	case *ast.SelectorExpr:
		if from, name := g.qualified(f); slices.Contains(harmless, from+"."+name) {
			return true
		}
	}
	g.forbid(call, "a call before the suite begins, in the initialiser of a variable")
	return true
}

var harmless = strings.Fields(`errors.New regexp.MustCompile make new len string int int64 uint64
	byte rune math/big.NewInt`)

// visit looks at the uses of other packages.
func (g *gatekeeper) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		g.used(n)
	case *ast.AssignStmt:
		g.changed(n.Lhs...)
	case *ast.IncDecStmt:
		g.changed(n.X)
	case *ast.RangeStmt:
		g.changed(n.Key, n.Value)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			g.changed(n.X)
		}
	case *ast.SliceExpr: // it shares the memory of an array
		if s, ok := ast.Unparen(n.X).(*ast.SelectorExpr); ok {
			if from, _ := g.qualified(s); from == "github.com/google/uuid" {
				g.changed(s)
			}
		}
	case *ast.CallExpr:
		f, ok := ast.Unparen(n.Fun).(*ast.Ident)
		if ok && slices.Contains(writers, f.Name) && len(n.Args) > 0 {
			g.changed(n.Args[0])
		}
	}
	return true
}

// writers are the functions of the language that write into their first argument.
var writers = []string{"clear", "copy", "delete"}

// used looks at a use of a name of another package, or of a method of a variable of it.
func (g *gatekeeper) used(s *ast.SelectorExpr) {
	from, name := g.qualified(s)
	switch {
	case from == module+"labs/kit/check" && name != "TODO":
		g.forbid(s, "check.%s; only check.TODO is for answers", name)
	case slices.Contains(mayNotUse, from+"."+name):
		g.forbid(s, "a use of %s.%s", from, name)
	case from == "" && setter.MatchString(s.Sel.Name):
		g.changed(s.X)
	}
}

// setter matches the methods that replace the value of their receiver.
var setter = regexp.MustCompile(`^(GobDecode|Scan|Unmarshal)`)

// changed forbids to write a variable of another package, or a part of it.
func (g *gatekeeper) changed(targets ...ast.Expr) {
	for _, target := range targets {
		for e := target; e != nil; e = inside(e) {
			if x, ok := e.(*ast.SelectorExpr); ok {
				if from, name := g.qualified(x); from != "" {
					g.forbid(x, "a change of %s.%s", path.Base(from), name)
				}
			}
		}
	}
}

// inside returns the value of which e is a part, or nil.
func inside(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.SelectorExpr:
		return x.X
	case *ast.IndexExpr:
		return x.X
	case *ast.SliceExpr:
		return x.X
	case *ast.StarExpr:
		return x.X
	case *ast.ParenExpr:
		return x.X
	}
	return nil
}

// qualified returns the path of the package and the name, if s is a name of another package.
func (g *gatekeeper) qualified(s *ast.SelectorExpr) (from, name string) {
	x, ok := s.X.(*ast.Ident)
	if !ok || x.Obj != nil { // Obj is nil for the name of a package
		return "", ""
	}
	return g.imports[x.Name], s.Sel.Name
}
