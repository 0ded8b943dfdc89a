package grade

import (
	"errors"
	"go/types"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

// sharedUses has the uses of shared values. The gate forbids those of the lines that end with a
// reason.
const sharedUses = `package audit

import (
	"base64"; "crc32"; "errors"; "fmt"; "json"; "kerr"; "slices"; "sort"; "time"; "unicode"
)

type (
	alias  = kerr.Error
	mine   kerr.Error
	within struct{ *kerr.Error }
	holder struct{ at *time.Location }
	trie   map[rune]trie
	deeper[T any] []deeper[*T]
	decoder       interface{ Decode(any) error }
	manifest      struct {
		First int
		At    time.Time
		Names map[string][]string
		Next  *manifest
	}
)

func generic[T ~[256]uint32](t *T) { (*t)[0] = 1 }

func two(v any) ([]byte, any) { return nil, v }

func uses(err error, now time.Time, digits *unicode.RangeTable) {
	h := holder{time.UTC}
	e := kerr.ProducerFenced
	e.Retriable = true // a change
	*e = *kerr.UnknownServerError // a change
	func(e *alias) { e.Code++ }(e) // a change
	if f := new(kerr.Error); errors.As(err, &f) {
		f.Message = "" // a change
		p := &f.Code // a change
		_ = p
	}
	w := within{e}
	w.Retriable = true // a change
	_ = (*mine)(e) // a conversion
	_ = json.Unmarshal(nil, e) // a target
	f := json.Unmarshal // a value
	_ = f(nil, e)
	d := json.NewDecoder(nil)
	_ = []any{d.Decode, (*json.Decoder).Decode} // a value
	_ = (*json.Decoder).Decode(d, e) // a target
	_ = func(x any) error { return json.Unmarshal(nil, x) } // a target
	_ = json.Unmarshal(nil, err) // a target
	_ = json.Unmarshal(nil, &err) // a target
	_ = json.Unmarshal(nil, new(deeper[int])) // a target
	_ = json.Unmarshal(nil, &struct{ Next *within }{}) // a target
	_ = decoder(d).Decode(e) // a target
	_ = json.Unmarshal(two(e)) // a target
	_, _ = fmt.Sscan("", []any{e}...) // a target
	func(x any) { sort.Slice(x, nil) }(digits.R16) // a target
	sort.Slice(digits.R16, nil) // a change
	*now.Location() = *time.FixedZone("x", 1) // a change
	at := time.UTC
	*at = *time.Local // a change
	code := base64.StdEncoding
	*code = *base64.NewEncoding("") // a change
	digits.R16 = nil // a change
	r := digits.R16
	r[0] = unicode.Range16{} // a change
	slices.Reverse(digits.R32) // a change
	for r[0].Lo = range 3 { // a change
	}
	table := crc32.MakeTable(crc32.IEEE)
	clear(table[:]) // a change
	table[0]++ // a change
	generic(table) // a generic function
	all := (*[256]uint32)(table) // a conversion
	_ = all

	_ = errors.Is(err, kerr.ProducerFenced) || e == kerr.UnknownServerError || e.Retriable
	_ = unicode.Is(unicode.Digit, 'x') || crc32.Checksum(nil, table) == 0
	_ = time.Date(1, 1, 1, 1, 1, 1, 1, time.UTC).In(at)
	h.at = now.Location()
	at = h.at
	byName := map[string]*time.Location{}
	byName["x"] = at
	_ = base64.StdEncoding.EncodeToString(nil)
	e = kerr.UnknownServerError
	_ = error(e)
	_ = append(make([]trie, 1), trie{'x': trie{}})
	_ = len(deeper[int]{})
	var m manifest
	_ = errors.Join(json.Unmarshal(nil, &m), d.Decode(&m.Names))
	_, _ = fmt.Sscanf("1", "%d", &m.First)
	sort.Slice([]error{err}, func(int, int) bool { return false })
	_ = fmt.Sprint(err, e, digits)
	var one unicode.Range16
	one.Lo, one.Hi = 'a', 'z'
	one.Stride++
	twice := [2]unicode.Range16{one}
	twice[1] = one
	letters := *unicode.Letter
	letters.R16 = []unicode.Range16{one, twice[1]}
	var own crc32.Table
	own[0] = 1
	clear(own[1:])
	_ = unicode.Is(&letters, 'x') || crc32.Checksum(nil, &own) == 0
	_ = unicode.Is(&unicode.RangeTable{R16: []unicode.Range16{{Lo: 'a', Hi: 'z', Stride: 1}}}, 'x')
}
`

// The gate sees a change of a shared value through an alias, a variable, a parameter, an error, a
// function, an embedded field and a value of type any. Other uses of these values are permitted,
// and so are new values, copies and recursive types.
func TestGateSeesTypes(t *testing.T) {
	t.Parallel()
	text := sharedUses
	for name, from := range map[string]string{"base64": "encoding/base64", "crc32": "hash/crc32",
		"json": "encoding/json", "kerr": "github.com/twmb/franz-go/pkg/kerr"} {
		text = strings.Replace(text, `"`+name+`"`, `"`+from+`"`, 1)
	}
	found, err := gate("trace.go", []byte(text), nil)
	require.NoError(t, err)
	require.Empty(t, found, "the syntax shows none of them")
	g, err := shared()
	require.NoError(t, err)
	s := submission{files: map[string][]byte{"labs/5-audit/trace.go": []byte(text)}}
	found, _, err = g.typeGate(t.Context(), s, "5-audit")
	require.NoError(t, err)
	forbidden := map[string]string{}
	for _, line := range found {
		place, reason, _ := strings.Cut(line, ": ")
		forbidden[place] += reason
	}
	marked := regexp.MustCompile(`// (a [a-z ]+)$`)
	n := 0
	for i, line := range strings.Split(text, "\n") {
		place := "trace.go:" + strconv.Itoa(i+1)
		if reason := marked.FindStringSubmatch(line); reason != nil {
			n++
			require.Contains(t, forbidden[place], reason[1], line)
		} else {
			require.Empty(t, forbidden[place], line)
		}
	}
	require.Greater(t, n, 15)
}

// A file that the compiler ignores does not pass the gate unseen.
func TestGateSeesEveryFile(t *testing.T) {
	t.Parallel()
	g, err := shared()
	require.NoError(t, err)
	text := []byte("package documentation\n")
	s := submission{files: map[string][]byte{"labs/5-audit/trace.go": text}}
	found, complaint, err := g.typeGate(t.Context(), s, "5-audit")
	require.NoError(t, errors.Join(complaint, err))
	require.Equal(t, []string{"trace.go: the compiler ignores this file"}, found)
}

// sharedTypes has each type to which an exported variable of a permitted package leads, unless the
// gate forbids the variable. A pointer to a variable is forbidden, so its own type does not count.
func TestSharedTypesAreComplete(t *testing.T) {
	t.Parallel()
	all, err := packages.Load(&packages.Config{Dir: kitRoot(t), Mode: packages.NeedName |
		packages.NeedImports | packages.NeedTypes | packages.NeedExportFile}, mayImport...)
	require.NoError(t, err)
	require.Len(t, all, len(mayImport))
	variables := 0
	for _, p := range all {
		require.Empty(t, p.Errors)
		for _, name := range p.Types.Scope().Names() {
			v, ok := p.Types.Scope().Lookup(name).(*types.Var)
			if !ok || !v.Exported() || slices.Contains(mayNotUse, p.PkgPath+"."+name) {
				continue
			}
			variables++
			requireShared(t, p.PkgPath+"."+name, v.Type())
		}
	}
	require.Greater(t, variables, 400)
}

// requireShared requires that each type to which t leads by pointers, elements and fields is one of
// sharedTypes.
func requireShared(t *testing.T, name string, of types.Type) {
	if isShared(of) {
		return
	}
	switch u := of.Underlying().(type) {
	case *types.Pointer, *types.Slice, *types.Map, *types.Chan, *types.Signature:
		require.True(t, leadsToShared(of), "%s leads to a value of %s", name, of)
	case *types.Array:
		requireShared(t, name, u.Elem())
	case *types.Struct:
		for i := range u.NumFields() {
			requireShared(t, name+"."+u.Field(i).Name(), u.Field(i).Type())
		}
	}
}
