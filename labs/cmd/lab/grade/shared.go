package grade

import (
	"context"
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/types/typeutil"
)

// sharedTypes lists the types of mayImport whose values the whole program shares by pointer. A
// student's file reaches these values in many ways: by a variable (time.UTC), by a function
// (crc32.MakeTable), by a method (time.Time.Location) and by errors.As (kerr.Error).
var sharedTypes = strings.Fields(`
	encoding/base64.Encoding hash/crc32.Table time.Location
	unicode.CaseRange unicode.Range16 unicode.Range32 unicode.RangeTable
	github.com/twmb/franz-go/pkg/kerr.Error`)

// A typeGate finds changes of shared values. The syntax does not show them: an alias, a parameter
// or a local variable hides which value it is.
type typeGate struct {
	gatekeeper
	own    *types.Package
	info   *types.Info
	called map[*ast.Ident]bool // names of functions that the file calls
}

// typeGate returns the changes of shared values in the student's files of a lab, each with its
// place. complaint says why the types are unknown: the lab does not compile.
func (g *Grader) typeGate(ctx context.Context, s submission, lab string) (
	found []string, complaint, err error) {
	overlay := map[string][]byte{}
	for name, text := range s.files {
		if path.Dir(name) == "labs/"+lab {
			overlay[filepath.Join(g.o.Kit, filepath.FromSlash(name))] = text
		}
	}
	if len(overlay) == 0 {
		return nil, nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, g.o.Build)
	defer cancel()
	all, err := packages.Load(&packages.Config{
		Context: limited, Dir: g.o.Kit, Overlay: overlay,
		Env: append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local",
			"GOPACKAGESDRIVER=off"),
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles |
			packages.NeedImports | packages.NeedExportFile | packages.NeedTypes |
			packages.NeedSyntax | packages.NeedTypesInfo,
	}, "./labs/"+lab)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if err != nil || len(all) != 1 {
		return nil, errors.Join(err, errors.New("the types of the lab are unknown")), nil
	}
	for _, e := range all[0].Errors {
		complaint = errors.Join(complaint, e)
	}
	k := &typeGate{gatekeeper{set: all[0].Fset}, all[0].Types, all[0].TypesInfo,
		map[*ast.Ident]bool{}}
	for _, f := range all[0].Syntax {
		name := k.set.File(f.FileStart).Name()
		if overlay[name] != nil {
			ast.Inspect(f, k.visit)
			delete(overlay, name)
		}
	}
	for name := range overlay { // such as a file of the package documentation
		if complaint == nil {
			k.found = append(k.found, name+": the compiler ignores this file")
		}
	}
	for i, place := range k.found {
		k.found[i] = strings.TrimPrefix(place, filepath.Join(g.o.Kit, "labs", lab)+"/")
	}
	return k.found, complaint, nil
}

// isShared reports whether t is one of sharedTypes.
func isShared(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() != nil &&
		slices.Contains(sharedTypes, named.Obj().Pkg().Path()+"."+named.Obj().Name())
}

// deep is the number of types that the gate follows from one type.
const deep = 100

// leadsToShared reports whether a value of type t is a shared value, or leads to one by pointers
// or elements. A recursive type, such as map[rune]trie, leads to itself alone. A type that is too
// deep to be followed counts as shared.
func leadsToShared(t types.Type) bool {
	var seen typeutil.Map
	for !isShared(t) && seen.Len() < deep {
		of, ok := t.Underlying().(interface{ Elem() types.Type }) // a pointer, slice, array or map
		if !ok || seen.Set(t, true) != nil {
			return false
		}
		t = of.Elem()
	}
	return true
}

func (k *typeGate) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			k.changed(n.Lhs...)
		}
	case *ast.IncDecStmt:
		k.changed(n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			k.changed(n.Key, n.Value)
		}
	case *ast.UnaryExpr:
		_, literal := ast.Unparen(n.X).(*ast.CompositeLit) // a new value, which nobody shares
		if n.Op == token.AND && !literal {
			k.changed(n.X)
		}
	case *ast.SliceExpr: // it shares the memory of an array
		t := k.info.TypeOf(n.X)
		if to := pointee(t); isShared(to) && (to != t || !k.isOwn(n.X)) {
			k.forbid(n, sharedChange)
		}
	case *ast.CallExpr:
		k.calls(n)
	case *ast.Ident:
		k.instantiated(n)
		if f, ok := k.info.Uses[n].(*types.Func); ok && !k.called[n] && k.fills(f) {
			k.forbid(n, "%s as a value; call it, so that its target is known", f.Name())
		}
	}
	return true
}

// isOwn reports whether e is a variable of the lab, or a part of one to which no pointer leads.
func (k *typeGate) isOwn(e ast.Expr) bool {
	switch x := ast.Unparen(e).(type) {
	case *ast.Ident:
		return true
	case *ast.SelectorExpr:
		s := k.info.Selections[x]
		return s != nil && !s.Indirect() && k.isOwn(x.X)
	case *ast.IndexExpr:
		_, array := k.info.TypeOf(x.X).Underlying().(*types.Array)
		return array && k.isOwn(x.X)
	}
	return false
}

// changed forbids to write a shared value, or a part of it. A variable of the lab may change, also
// if it holds a pointer to a shared value or a copy of one.
func (k *typeGate) changed(targets ...ast.Expr) {
	for _, target := range targets {
		if target == nil || k.isOwn(target) {
			continue
		}
		shared := isShared(k.info.TypeOf(target))
		for e := target; e != nil && !shared; e = inside(e) {
			shared = k.isSharedField(e) || e != target && isShared(pointee(k.info.TypeOf(e)))
		}
		if shared {
			k.forbid(target, sharedChange)
		}
	}
}

const sharedChange = "a change of a value that the suite shares"

// pointee returns the type that a pointer leads to, and any other type as it is.
func pointee(t types.Type) types.Type {
	if t == nil {
		return types.Typ[types.Invalid]
	}
	if p, ok := t.Underlying().(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// elements returns the type of a slice's elements. It is no valid type if t is no slice.
func elements(t types.Type) types.Type {
	if s, ok := t.Underlying().(*types.Slice); ok {
		return s.Elem()
	}
	return types.Typ[types.Invalid]
}

// isSharedField reports whether e is a field of a shared value, also of an embedded one.
func (k *typeGate) isSharedField(e ast.Expr) bool {
	x, ok := e.(*ast.SelectorExpr)
	if !ok || k.info.Selections[x] == nil || k.info.Selections[x].Kind() != types.FieldVal {
		return false
	}
	from := k.info.Selections[x].Obj().Pkg()
	return from != nil && slices.ContainsFunc(sharedTypes, func(name string) bool {
		return strings.HasPrefix(name, from.Path()+".")
	})
}

// calls forbids calls that write a shared value, and conversions that hide its type.
func (k *typeGate) calls(call *ast.CallExpr) {
	into := k.info.Types[call.Fun]
	name := &ast.Ident{}
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		name = f
	case *ast.SelectorExpr:
		name = f.Sel
	}
	k.called[name] = true
	if f, ok := k.info.Uses[name].(*types.Func); ok && k.fills(f) {
		k.filled(call, f)
	}
	for i, arg := range call.Args {
		t := k.info.TypeOf(arg)
		switch {
		case t == nil || !leadsToShared(t):
		case into.IsType():
			if !types.IsInterface(into.Type) && !types.Identical(pointee(into.Type), pointee(t)) {
				k.forbid(arg, "a conversion of a value that the suite shares")
			}
		case i == 0 && slices.Contains(writers, name.Name),
			isShared(elements(t)): // which the function may replace
			k.forbid(arg, sharedChange)
		}
	}
}

// reads matches the functions with a parameter of type any which only read it, or keep it.
var reads = regexp.MustCompile(`^(fmt\.(Append|Errorf|Fprint|Print|Sprint)|errors\.As$|` +
	`encoding/json\.Marshal|\(\*encoding/json\.Encoder\)|` +
	`encoding/binary\.(Append|Encode|Size|Write)$|sort\.SliceIsSorted$|` +
	`github.com/hamba/avro/v2\.(Marshal$|With)|\(\*github.com/hamba/avro/v2\.(Enc|Wri)|` +
	`(\(\*)?container/|context\.|\(context\.Context\)|\(\*sync\b)`)

// fills reports whether f has a parameter of type any into which it may write. A function of the
// lab has a body, which the gate sees. A method of an interface may be any method of its name.
func (k *typeGate) fills(f *types.Func) bool {
	signature := f.Signature()
	recv := signature.Recv()
	own := f.Pkg() == k.own && (recv == nil || !types.IsInterface(recv.Type()))
	if own || reads.MatchString(f.FullName()) {
		return false
	}
	for p := range signature.Params().Variables() {
		if isAny(p.Type()) || isAny(elements(p.Type())) {
			return true
		}
	}
	return false
}

// isAny reports whether t is an interface without methods, and no type parameter.
func isAny(t types.Type) bool {
	i, ok := t.Underlying().(*types.Interface)
	_, parameter := types.Unalias(t).(*types.TypeParam)
	return ok && !parameter && i.Empty()
}

// filled forbids to call f, which fills a value of any type, unless the type of the value is known
// to exclude shared values. sort.Slice and its like exchange elements, and follow no pointer.
func (k *typeGate) filled(call *ast.CallExpr, f *types.Func) {
	signature, _ := k.info.TypeOf(call.Fun).(*types.Signature) // of a method expression: its own
	swaps := f.Pkg().Path() == "sort"
	for i, arg := range call.Args {
		last := signature.Params().Len() - 1
		to, t := signature.Params().At(min(i, last)).Type(), k.info.TypeOf(arg)
		_, several := t.(*types.Tuple)
		target := several || isAny(to) || i >= last && signature.Variadic() && isAny(elements(to))
		if target && (several || !isClosed(t, swaps, map[types.Type]bool{})) {
			k.forbid(arg, "a target of %s whose type may hold a value that the suite shares",
				f.Name())
		}
	}
}

// isClosed reports whether neither an interface nor a shared value can be reached from a value of
// type t by what reflection may write: pointers, elements and exported fields. A type that is too
// deep to be followed is not closed.
func isClosed(t types.Type, shallow bool, seen map[types.Type]bool) bool {
	if seen[t] {
		return true
	}
	seen[t] = true
	if isShared(t) || len(seen) > deep {
		return false
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return true
	case *types.Map:
		return isClosed(u.Key(), shallow, seen) && isClosed(u.Elem(), shallow, seen)
	case interface{ Elem() types.Type }:
		return shallow || isClosed(u.Elem(), shallow, seen)
	case *types.Struct:
		for f := range u.Fields() {
			if (f.Exported() || f.Embedded()) && !isClosed(f.Type(), shallow, seen) {
				return false
			}
		}
		return true
	}
	return false
}

// instantiated forbids generic functions of the lab for shared values: in such a function, their
// type has another name.
func (k *typeGate) instantiated(name *ast.Ident) {
	instance, ok := k.info.Instances[name]
	if !ok || k.info.ObjectOf(name).Pkg() != k.own {
		return
	}
	for t := range instance.TypeArgs.Types() {
		if leadsToShared(t) {
			k.forbid(name, "a generic function for a value that the suite shares")
		}
	}
}
