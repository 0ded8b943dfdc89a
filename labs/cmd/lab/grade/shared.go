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
	own  *types.Package
	info *types.Info
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
	k := &typeGate{gatekeeper{set: all[0].Fset}, all[0].Types, all[0].TypesInfo}
	for _, f := range all[0].Syntax {
		if overlay[k.set.File(f.FileStart).Name()] != nil {
			ast.Inspect(f, k.visit)
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

// leadsToShared reports whether a value of type t is a shared value, or leads to one by pointers
// or elements. A recursive type, such as map[rune]trie, leads to itself alone. A type that is too
// deep to be followed counts as shared.
func leadsToShared(t types.Type) bool {
	const deep = 100
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
		if isShared(pointee(k.info.TypeOf(n.X))) {
			k.forbid(n, sharedChange)
		}
	case *ast.CallExpr:
		k.called(n)
	case *ast.Ident:
		k.instantiated(n)
	}
	return true
}

// changed forbids to write a shared value, or a part of it. A variable that holds a pointer to one
// may get another pointer.
func (k *typeGate) changed(targets ...ast.Expr) {
	for _, target := range targets {
		_, variable := target.(*ast.Ident)
		shared := target != nil && !variable && isShared(k.info.TypeOf(target))
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

// reads matches the functions that write into their arguments.
var reads = regexp.MustCompile(`^(Unmarshal|Decode|Read|S?F?[Ss]can)`)

// called forbids calls that write a shared value, and conversions that hide its type.
func (k *typeGate) called(call *ast.CallExpr) {
	into := k.info.Types[call.Fun]
	var name string
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	for i, arg := range call.Args {
		t := k.info.TypeOf(arg)
		switch {
		case t == nil || !leadsToShared(t):
		case into.IsType():
			if !types.IsInterface(into.Type) && !types.Identical(pointee(into.Type), pointee(t)) {
				k.forbid(arg, "a conversion of a value that the suite shares")
			}
		case reads.MatchString(name), i == 0 && slices.Contains(writers, name),
			isShared(elements(t)): // which the function may replace
			k.forbid(arg, sharedChange)
		}
	}
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
