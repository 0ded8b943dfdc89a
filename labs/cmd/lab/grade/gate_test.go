package grade

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The gate names each construct that could reach the suite, the results or the machine.
func TestGate(t *testing.T) {
	t.Parallel()
	const kit = "package p\n\nvar given = register(1)\n"
	const uuids = "import \"github.com/google/uuid\"\n"
	const avros = "import \"github.com/hamba/avro/v2\"\n"
	for _, tc := range []struct{ text, want string }{
		{`import "os"`, "import of os"},
		{`import "syscall"`, "import of syscall"},
		{`import "unsafe"`, "import of unsafe"},
		{`import "reflect"`, "import of reflect"},
		{`import "runtime"`, "import of runtime"},
		{`import "testing"`, "import of testing"},
		{`import "plugin"`, "import of plugin"},
		{`import "C"`, "import of C"},
		{`import "embed"`, "import of embed"},
		{`import "os/exec"`, "import of os/exec"},
		{`import "example.com/blotter/solutions/5-audit/plain"`, "import of example.com/"},
		{`import "example.com/blotter/labs/5-audit/audittest"`, "import of example.com/"},
		{`import . "example.com/blotter/labs/kit/contract"`, "import of all names of example.com"},
		{"//go:linkname f testing.f\nfunc f() {}", "the directive //go:linkname"},
		{"//go:embed x\nvar x string", "the directive //go:embed"},
		{"//go:generate sh", "the directive //go:generate"},
		{"/*line /etc/passwd:1*/", "the directive /*line"},
		{"//export f\nfunc f() {}", "the directive //export"},
		{`func f()`, "the function f has no body"},
		{`func init() {}`, "the function init"},
		{`func TestMain() {}`, "the function TestMain"},
		{"type e struct{}\nfunc (e) Is(error) bool { return true }", "the method Is"},
		{"type e struct{}\nfunc (e) As(any) bool { return true }", "the method As"},
		{`var x = f()`, "a call before the suite begins"},
		{`var x = func() int { return 1 }()`, "a call before the suite begins"},
		{"import \"fmt\"\nvar x = fmt.Sprint(1)", "a call before the suite begins"},
		{"import \"example.com/blotter/labs/kit/check\"\nvar x = check.Judge", "check.Judge; only"},
		{"import \"io\"\nfunc f() { io.EOF = nil }", "a change of io.EOF"},
		{"import \"io\"\nvar x = &io.EOF", "a change of io.EOF"},
		{"import m \"example.com/blotter/labs/kit/trade\"\nfunc f() { m.Kinds[0].Name = \"\" }",
			"a change of trade.Kinds"},
		{uuids + "func f() { uuid.Nil[:][0] = 1 }", "a change of uuid.Nil"},
		{uuids + "func f(b []byte) { copy(uuid.Nil[:], b) }", "a change of uuid.Nil"},
		{uuids + "func f(b []byte) { s := (uuid.Nil)[:]; s[0] = 1 }", "a change of uuid.Nil"},
		{uuids + "func f(b []byte) { uuid.Nil.UnmarshalBinary(b) }", "a change of uuid.Nil"},
		{uuids + "var f = uuid.Nil.Scan", "a change of uuid.Nil"},
		{uuids + "func f() { uuid.SetRand(nil) }", "a use of github.com/google/uuid.SetRand"},
		{"import \"unicode\"\nfunc f() { clear(unicode.Digit.R16) }", "a change of unicode.Digit"},
		{"import \"math/rand\"\nfunc f() { rand.Seed(1) }", "a use of math/rand.Seed"},
		{avros + "func f() { c := avro.DefaultSchemaCache; c.Add(\"a\", nil) }",
			"v2.DefaultSchemaCache"},
		{avros + "func f() { avro.Register(\"a\", 1) }", "a use of github.com/hamba/avro/v2.Reg"},
		{avros + "func f() { avro.ParseFiles(\"a\") }", "v2.ParseFiles"},
		{"func rune(int) int { return 1 }", "a declaration of rune"},
		{"var len = func() {}", "a declaration of len"},
		{"type (\n\tstring int\n)", "a declaration of string"},
		{"const a, byte = 1, 2", "a declaration of byte"},
		{"var f = func() {}\nvar p = &f\nvar _ = (*p)()", "a call before the suite begins"},
	} {
		found, err := gate("answer.go", []byte("package p\n"+tc.text), []byte(kit))
		require.NoError(t, err, tc.text)
		require.NotEmpty(t, found, tc.text)
		require.Regexp(t, `^answer.go:\d+: `, found[0])
		require.Contains(t, strings.Join(found, "\n"), tc.want, tc.text)
	}
	for _, text := range []string{
		"var given = register(1)", "type C struct{}\nvar _ error = (*C)(nil)",
		"import \"errors\"\nvar e = errors.New(\"no\")", "var f = func() { g() }",
		"import \"io\"\ntype t struct{ EOF int }\nfunc f(io t) { io.EOF = 1 }",
		"import \"example.com/blotter/labs/kit/check\"\nfunc f() { check.TODO(\"x\") }",
		"var names = map[string]int{}", "func f() { len := 1; _ = len }",
		"type t int\nfunc (t) len() {}",
		uuids + "func f(id uuid.UUID) bool { return id[:][0] == 0 || id == uuid.Nil }",
		uuids + "func f(id uuid.UUID) error { return id.UnmarshalText(nil) }",
	} {
		found, err := gate("answer.go", []byte("package p\n"+text), []byte(kit))
		require.NoError(t, err, text)
		require.Empty(t, found, text)
	}
}

// A file that the parser refuses does not pass: the compiler has other limits, such as that of
// nested parentheses.
func TestGateNeedsSyntax(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000)
	for _, text := range []string{"no syntax", "import \"os\"\nvar x = " + deep} {
		_, err := gate("answer.go", []byte("package p\n"+text), nil)
		require.ErrorContains(t, err, "answer.go:")
		g, err := shared()
		require.NoError(t, err)
		files := map[string]string{"labs/5-audit/tree.go": "package audit\n" + text}
		r, err := g.Grade(t.Context(), submit(t, files))
		require.NoError(t, err)
		result, report := resultOf(t, r, "L5.1")
		require.Equal(t, NotBuilt, result.State)
		require.Contains(t, report, "tree.go:")
	}
}

// The files of the kit and of the reference solutions pass the gate.
func TestGateOpensForReference(t *testing.T) {
	t.Parallel()
	for _, s := range suites() {
		for _, file := range s.Files {
			stub, err := os.ReadFile(filepath.Join(kitRoot(t), "labs", s.Name, file))
			require.NoError(t, err)
			found, err := gate(file, solved(t, s.Name, file), stub)
			require.NoError(t, err)
			require.Empty(t, found)
			if os.Getenv("BLOTTER_CI") != "" { // a student has changed it
				found, err = gate(file, stub, stub)
				require.NoError(t, err)
				require.Empty(t, found)
			}
		}
	}
}
