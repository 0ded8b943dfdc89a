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
	} {
		found := gate("answer.go", []byte("package p\n"+tc.text), []byte(kit))
		require.NotEmpty(t, found, tc.text)
		require.Regexp(t, `^answer.go:\d: `, found[0])
		require.Contains(t, strings.Join(found, "\n"), tc.want, tc.text)
	}
	for _, text := range []string{
		"var given = register(1)", "type C struct{}\nvar _ error = (*C)(nil)",
		"import \"errors\"\nvar e = errors.New(\"no\")", "var f = func() { g() }",
		"import \"io\"\ntype t struct{ EOF int }\nfunc f(io t) { io.EOF = 1 }",
		"import \"example.com/blotter/labs/kit/check\"\nfunc f() { check.TODO(\"x\") }",
		"var names = map[string]int{}", "no syntax",
	} {
		require.Empty(t, gate("answer.go", []byte("package p\n"+text), []byte(kit)), text)
	}
}

// The files of the kit and of the reference solutions pass the gate.
func TestGateOpensForReference(t *testing.T) {
	t.Parallel()
	for _, s := range suites() {
		for _, file := range s.Files {
			stub, err := os.ReadFile(filepath.Join(kitRoot(t), "labs", s.Name, file))
			require.NoError(t, err)
			require.Empty(t, gate(file, solved(t, s.Name, file), stub))
			if os.Getenv("BLOTTER_CI") != "" { // a student has changed it
				require.Empty(t, gate(file, stub, stub))
			}
		}
	}
}
