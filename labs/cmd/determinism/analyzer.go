package main

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/types/typeutil"
)

// analyzer reports constructs whose result depends on more than the input:
//
//   - the clock, and the zone of the machine
//   - randomness
//   - floating point: the Go specification ("Floating-point operators") lets a compiler fuse
//     operations, so two architectures may round differently
//   - goroutines and select
//   - the environment: packages that read the machine or the process
//   - a range over a map whose order reaches a result: the order is unspecified (the Go
//     specification, "For range"). A list that is sorted after the loop is allowed, as are writes
//     to a map or under the range's own key, sums and constants. A call reaches a result if it
//     yields a value, or may keep one in a variable that outlives the loop
//   - a map, or a pointer's address, among the arguments of a print
//
// A comment //determinism:unordered REASON on the line of a range, or on the line above, says that
// the order has no effect.
var analyzer = &analysis.Analyzer{
	Name: "determinism",
	Doc:  "report constructs that may give other results for the same events",
	Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			name := filepath.Base(pass.Fset.Position(f.Package).Filename)
			if isPure(pass.Pkg.Path(), name) {
				(&checker{pass, f, unordered(pass, f), map[int]bool{}}).file()
			}
		}
		return nil, nil
	},
}

// A checker checks one file.
type checker struct {
	*analysis.Pass
	syntax    *ast.File
	unordered map[int]bool // lines of ranges whose order has no effect
	floats    map[int]bool // lines with a reported float
}

const directive = "//determinism:unordered"

// unordered returns the lines of directives, and the lines below them.
func unordered(pass *analysis.Pass, f *ast.File) map[int]bool {
	lines := map[int]bool{}
	for _, group := range f.Comments {
		for _, c := range group.List {
			reason, ok := strings.CutPrefix(c.Text, directive)
			if !ok {
				continue
			}
			if reason, _, _ = strings.Cut(reason, "//"); strings.TrimSpace(reason) == "" {
				pass.Reportf(c.Pos(), "%s needs a reason", directive)
			}
			line := pass.Fset.Position(c.Pos()).Line
			lines[line], lines[line+1] = true, true
		}
	}
	return lines
}

// forbidden names the functions, methods and variables that a pure package may not use, by their
// full names, and packages by their paths.
var forbidden = map[string]string{
	"math/rand": random, "math/rand/v2": random, "crypto/rand": random, "hash/maphash": random,
	"github.com/google/uuid.New": random, "github.com/google/uuid.NewString": random,
	"github.com/google/uuid.NewRandom": random, "github.com/google/uuid.NewUUID": random,
	"github.com/google/uuid.NewV6": random, "github.com/google/uuid.NewV7": random,

	"time.Now": clock, "time.Since": clock, "time.Until": clock, "time.After": clock,
	"time.AfterFunc": clock, "time.Tick": clock, "time.NewTimer": clock, "time.NewTicker": clock,
	"time.Sleep": clock,

	"time.Local": zone, "time.LoadLocation": zone, "(time.Time).Local": zone,

	"os": environment, "os/exec": environment, "os/user": environment, "runtime": environment,
	"syscall": environment, "net": environment,
}

const (
	random      = "draws a random number"
	clock       = "reads the clock"
	zone        = "uses the zone of the machine"
	environment = "reads the environment"
)

func (c *checker) file() {
	ast.PreorderStack(c.syntax, nil, func(n ast.Node, stack []ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			c.use(n)
		case *ast.GoStmt:
			c.Reportf(n.Pos(), "a goroutine: the order of its effects is not determined")
		case *ast.SelectStmt:
			c.Reportf(n.Pos(), "a select: the choice among ready cases is random")
		case *ast.RangeStmt:
			c.rangeOf(n, stack)
		case *ast.CallExpr:
			c.call(n, stack)
		}
		if e, ok := n.(ast.Expr); ok {
			c.float(e)
		}
		return true
	})
}

func (c *checker) use(id *ast.Ident) {
	object := c.TypesInfo.Uses[id]
	if object == nil || object.Pkg() == nil {
		return
	}
	name := object.Pkg().Path() + "." + object.Name()
	if f, ok := object.(*types.Func); ok {
		name = f.FullName()
	}
	for _, of := range []string{name, object.Pkg().Path()} {
		if why := forbidden[of]; why != "" {
			c.Reportf(id.Pos(), "%s %s", name, why)
			return
		}
	}
}

// float reports the first typed float of a line. A constant without a type is exact.
func (c *checker) float(e ast.Expr) {
	t := c.TypesInfo.TypeOf(e)
	if t == nil {
		return // the name of a package or of a label
	}
	basic, ok := t.Underlying().(*types.Basic)
	line := c.Fset.Position(e.Pos()).Line
	inexact := ok && basic.Info()&(types.IsFloat|types.IsComplex) != 0 &&
		basic.Info()&types.IsUntyped == 0
	if inexact && !c.floats[line] {
		c.floats[line] = true
		c.Reportf(e.Pos(), "a float: its rounding may depend on the machine")
	}
}

// call checks local times, iterators over maps and the arguments of prints.
func (c *checker) call(call *ast.CallExpr, stack []ast.Node) {
	user := stack[len(stack)-1]
	if c.overMap(call) && !c.ordered(call, user) {
		c.Reportf(call.Pos(), "an iterator over a map, which is not sorted")
	}
	if strings.HasPrefix(c.callee(call), "time.Unix") && !c.inUTC(user) {
		c.Reportf(call.Pos(), "a time in the zone of the machine: add .UTC()")
	}
	c.print(call)
}

// inUTC reports whether the user of a local time changes its zone, or compares it.
func (c *checker) inUTC(user ast.Node) bool {
	if outer, ok := user.(*ast.CallExpr); ok {
		return c.callee(outer) == "(time.Time).Equal" || c.callee(outer) == "(time.Time).Compare"
	}
	s, ok := user.(*ast.SelectorExpr)
	return ok && (s.Sel.Name == "UTC" || s.Sel.Name == "In")
}

// print checks the arguments of a variadic call, which are printed, except by a query of pgx.
func (c *checker) print(call *ast.CallExpr) {
	signature, ok := types.Unalias(c.TypesInfo.TypeOf(call.Fun)).(*types.Signature)
	if !ok || !signature.Variadic() || call.Ellipsis.IsValid() ||
		strings.HasPrefix(c.callee(call), "(github.com/jackc/pgx/") {
		return
	}
	last := signature.Params().Len() - 1
	slice := signature.Params().At(last).Type().(*types.Slice)
	if !types.Identical(slice.Elem(), types.Universe.Lookup("any").Type()) {
		return
	}
	for _, arg := range call.Args[min(last, len(call.Args)):] {
		if what := printed(c.TypesInfo.TypeOf(arg), map[types.Type]bool{}); what != "" {
			c.Reportf(arg.Pos(), "a print of %s", what)
		}
	}
}

// printed reports a map or an address that fmt would print of a value of a type; "" is neither. A
// type with a method for its text prints that.
func printed(t types.Type, seen map[types.Type]bool) string {
	if t == nil || seen[t] || hasText(t) {
		return ""
	}
	seen[t] = true
	switch u := t.Underlying().(type) {
	case *types.Map:
		return "a map"
	case *types.Chan, *types.Signature:
		return "an address"
	case *types.Pointer:
		if len(seen) > 1 {
			return "an address"
		}
		return printed(u.Elem(), seen)
	case *types.Slice:
		return printed(u.Elem(), seen)
	case *types.Array:
		return printed(u.Elem(), seen)
	case *types.Struct:
		for f := range u.Fields() {
			if what := printed(f.Type(), seen); what != "" {
				return what
			}
		}
	}
	return ""
}

func hasText(t types.Type) bool {
	methods := types.NewMethodSet(t)
	for _, name := range []string{"Error", "String", "Format"} {
		if methods.Lookup(nil, name) != nil {
			return true
		}
	}
	return false
}

// callee returns the full name of the called function, or "".
func (c *checker) callee(e ast.Expr) string {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		if f, ok := typeutil.Callee(c.TypesInfo, call).(*types.Func); ok {
			return f.Origin().FullName()
		}
	}
	return ""
}

// overMap reports whether an expression is an iterator over a map.
func (c *checker) overMap(e ast.Expr) bool {
	switch c.callee(e) {
	case "maps.All", "maps.Keys", "maps.Values":
		return true
	}
	return false
}

// ordered reports whether the user of an iterator is sorted, a map, or a range, which is checked.
func (c *checker) ordered(e *ast.CallExpr, user ast.Node) bool {
	if r, ok := user.(*ast.RangeStmt); ok && r.X == e {
		return true
	}
	outer, ok := user.(*ast.CallExpr)
	if !ok {
		return false
	}
	name := c.callee(outer)
	return strings.HasPrefix(name, "slices.Sorted") ||
		name == "maps.Collect" || name == "maps.Insert"
}

// rangeOf reports the effects of a range over a map that depend on its order.
func (c *checker) rangeOf(r *ast.RangeStmt, stack []ast.Node) {
	_, isMap := c.TypesInfo.TypeOf(r.X).Underlying().(*types.Map)
	if !isMap && !c.overMap(r.X) || c.unordered[c.Fset.Position(r.Pos()).Line] {
		return
	}
	if r.Key == nil && r.Value == nil {
		return // each round is the same
	}
	l := &loop{c, r, enclosing(stack)}
	ast.PreorderStack(r.Body, nil, func(n ast.Node, inside []ast.Node) bool {
		if why := l.effect(n, inside); why != "" {
			c.Reportf(n.Pos(), "%s in the order of a map: sort the keys, or give the reason in %s",
				why, directive)
		}
		return true
	})
}

// enclosing returns the body of the innermost function.
func enclosing(stack []ast.Node) (body *ast.BlockStmt) {
	for _, n := range stack {
		switch f := n.(type) {
		case *ast.FuncDecl:
			body = f.Body
		case *ast.FuncLit:
			body = f.Body
		}
	}
	return body
}

// A loop is a range over a map in the body of a function.
type loop struct {
	*checker
	statement *ast.RangeStmt
	function  *ast.BlockStmt
}

// effect returns the effect of a node of the loop's body that depends on the order, or "".
func (l *loop) effect(n ast.Node, inside []ast.Node) string {
	switch n := n.(type) {
	case *ast.ReturnStmt:
		// A return from a function literal ends no loop.
		if enclosing(inside) == nil && slices.ContainsFunc(n.Results, l.varies) {
			return "a result is chosen"
		}
	case *ast.SendStmt:
		return "a value is sent"
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if why := l.assignment(n, i, left); why != "" {
				return why
			}
		}
	case *ast.ExprStmt:
		return l.statementCall(n.X)
	case *ast.CallExpr:
		return cmp.Or(l.write(n), l.yield(n))
	}
	return ""
}

// varies reports whether an expression is no constant.
func (l *loop) varies(e ast.Expr) bool {
	v := l.TypesInfo.Types[e]
	return v.Value == nil && !v.IsNil()
}

// assignment returns the effect of an assignment to a variable that outlives the loop.
func (l *loop) assignment(a *ast.AssignStmt, i int, left ast.Expr) string {
	root, id := rooted(left)
	if root == nil || !l.outlives(root) {
		return "" // a variable of one round
	}
	value := a.Rhs[min(i, len(a.Rhs)-1)]
	switch element, own := l.element(left); {
	case own || element == "map" && a.Tok == token.ASSIGN && !isAppend(value):
		return "" // a round's own element, or a set of elements
	case element == "list" && a.Tok == token.ASSIGN && l.varies(value):
		if l.sortedLater(l.TypesInfo.ObjectOf(id)) {
			return ""
		}
		return "a list is written"
	case !l.varies(value):
		return "" // the same constant in every round
	case a.Tok == token.ASSIGN && isAppend(value):
		if l.sortedLater(l.TypesInfo.ObjectOf(id)) {
			return ""
		}
		return "a list is appended to"
	case a.Tok != token.ASSIGN && l.isInteger(left):
		return "" // a sum
	case a.Tok != token.ASSIGN:
		return "a text grows"
	}
	return "a value is kept"
}

// element returns the kind of the container of an expression like a[i]: a "map", a "list", or "".
// own reports whether i, or an index further left, is the key of the range, so that each round has
// its own element.
func (l *loop) element(e ast.Expr) (of string, own bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return l.element(e.X)
	case *ast.StarExpr:
		_, own = l.element(e.X)
	case *ast.SelectorExpr:
		_, own = l.element(e.X)
	case *ast.IndexExpr:
		return l.indexed(e)
	}
	return "", own
}

func (l *loop) indexed(index *ast.IndexExpr) (of string, own bool) {
	of = "list"
	if _, ok := l.TypesInfo.TypeOf(index.X).Underlying().(*types.Map); ok {
		of = "map"
	}
	i, isName := ast.Unparen(index.Index).(*ast.Ident)
	key, hasKey := l.statement.Key.(*ast.Ident)
	if isName && hasKey && l.TypesInfo.ObjectOf(i) == l.TypesInfo.ObjectOf(key) {
		return of, true
	}
	_, own = l.element(index.X)
	return of, own
}

// rooted returns the variable of an expression like a.b.c, *a or a[i], and its last name.
func rooted(e ast.Expr) (root, last *ast.Ident) {
	switch e := e.(type) {
	case *ast.Ident:
		return e, e
	case *ast.ParenExpr:
		return rooted(e.X)
	case *ast.StarExpr:
		return rooted(e.X)
	case *ast.IndexExpr:
		return rooted(e.X)
	case *ast.SelectorExpr:
		root, _ = rooted(e.X)
		return root, e.Sel
	}
	return nil, nil
}

// yield reports a call of a function in a variable that outlives the loop, with a value of a round.
func (l *loop) yield(call *ast.CallExpr) string {
	_, last := rooted(call.Fun)
	if last == nil || !slices.ContainsFunc(call.Args, l.varies) {
		return ""
	}
	if _, ok := l.TypesInfo.ObjectOf(last).(*types.Var); ok && l.reaches(call.Fun) {
		return "a value is yielded"
	}
	return ""
}

// statementCall reports a call without a result that may keep a value in a variable that outlives
// the loop. A built-in function, such as delete, keeps none.
func (l *loop) statementCall(e ast.Expr) string {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || !slices.ContainsFunc(call.Args, l.varies) || l.write(call)+l.yield(call) != "" {
		return "" // a write or a yield is reported already
	}
	f, ok := typeutil.Callee(l.TypesInfo, call).(*types.Func)
	if !ok {
		return ""
	}
	if slices.ContainsFunc(call.Args, l.keeps) {
		return "a value may be kept"
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Signature().Recv() == nil {
		return ""
	}
	if _, ok := f.Signature().Recv().Type().(*types.Pointer); l.keeps(s.X) || ok && l.reaches(s.X) {
		return "a value may be kept"
	}
	return ""
}

// keeps reports whether a called function may keep a value in an argument that outlives the loop.
func (l *loop) keeps(e ast.Expr) bool {
	switch l.TypesInfo.TypeOf(e).Underlying().(type) {
	case *types.Pointer, *types.Map, *types.Slice, *types.Interface, *types.Chan:
		return l.reaches(e)
	}
	return false
}

// reaches reports whether an expression is a variable that outlives the loop, or a part of one.
func (l *loop) reaches(e ast.Expr) bool {
	if u, ok := e.(*ast.UnaryExpr); ok {
		e = u.X // &v
	}
	root, _ := rooted(e)
	if root == nil {
		return false
	}
	_, ok := l.TypesInfo.ObjectOf(root).(*types.Var)
	return ok && l.outlives(root)
}

func (l *loop) isInteger(e ast.Expr) bool {
	basic, ok := l.TypesInfo.TypeOf(e).Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsInteger != 0
}

func isAppend(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	f, ok := call.Fun.(*ast.Ident)
	return ok && f.Name == "append"
}

func (l *loop) outlives(id *ast.Ident) bool {
	object := l.TypesInfo.ObjectOf(id)
	return object != nil && id.Name != "_" &&
		(object.Pos() < l.statement.Pos() || object.Pos() > l.statement.End())
}

// sortedLater reports whether a list is sorted after the loop.
func (l *loop) sortedLater(list types.Object) (sorted bool) {
	ast.Inspect(l.function, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || call.Pos() < l.statement.End() || len(call.Args) == 0 {
			return true
		}
		name := l.callee(call)
		if strings.HasPrefix(name, "slices.Sort") || strings.HasPrefix(name, "sort.") {
			sorted = sorted || l.mentions(call.Args[0], list)
		}
		return true
	})
	return sorted
}

func (l *loop) mentions(e ast.Expr, object types.Object) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && l.TypesInfo.ObjectOf(id) == object
		return true
	})
	return found
}

// write reports a call that prints, or writes to something that outlives the loop.
func (l *loop) write(call *ast.CallExpr) string {
	if name := l.callee(call); strings.HasPrefix(name, "fmt.Print") ||
		strings.HasPrefix(name, "fmt.Fprint") || strings.HasPrefix(name, "io.WriteString") {
		return "a text is written"
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !strings.HasPrefix(method.Sel.Name, "Write") && method.Sel.Name != "Encode" {
		return ""
	}
	if id, ok := ast.Unparen(method.X).(*ast.Ident); ok && !l.outlives(id) {
		return ""
	}
	return "a text is written"
}
