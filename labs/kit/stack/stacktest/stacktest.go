// Package stacktest gives tests a stack: one per test process, started when a test first asks for it. It is the embedded one, or,
// where STACK says external, the one that the environment names (see stack.External). STACK=containers make test starts containers
// once and hands them to the tests as such. A test of what only the embedded stack does makes its own: see Dir.
//
// A test package that uses it has one line beside its tests:
//
//	func TestMain(m *testing.M) { stacktest.Main(m) }
//
// A package that registers schemas hands in the check that judges them, see MainWith.
//
// Tests share the components and nothing in them: each takes a topic prefix, a Postgres schema or a bucket of its own.
package stacktest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.com/blotter/labs/kit/stack"
	"github.com/jackc/pgx/v5"
)

// shared is the one stack of this process.
var shared struct {
	sync.Mutex
	options stack.EmbeddedOptions
	stack   stack.Stack
	dir     string
}

// Main runs the tests, then stops the stack and removes its files. A stack that fails to stop fails the run.
func Main(m *testing.M) { MainWith(m, stack.EmbeddedOptions{}) }

// MainWith is Main for tests that need options of the embedded stack, such as the compatibility
// check of its registry. The directory is always chosen by this package.
func MainWith(m *testing.M, options stack.EmbeddedOptions) {
	shared.options = options
	code := m.Run()
	if err := closeShared(); err != nil {
		fmt.Fprintln(os.Stderr, "stacktest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func closeShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.stack == nil {
		return nil
	}
	return errors.Join(shared.stack.Close(), os.RemoveAll(shared.dir))
}

// Shared is the stack of this test process. Do not close it. Without Main its processes still end with this one, but its
// files stay behind in the directory for temporary files.
func Shared(t testing.TB) stack.Stack {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.stack == nil {
		shared.dir = mkdirTemp(t)
		shared.stack = choose(t)
	}
	return shared.stack
}

func choose(t testing.TB) stack.Stack {
	t.Helper()
	switch kind := os.Getenv("STACK"); kind {
	case "", "embedded":
		options := shared.options
		options.Dir = shared.dir
		return stack.Embedded(options)
	case "external":
		return stack.External(os.Getenv)
	default:
		t.Fatalf("STACK is %q: leave it empty, or let the tests be started by: STACK=%s make test", kind, kind)
		return nil
	}
}

// Capabilities are what some stacks can and others cannot. A test that needs one asks for it, and never for a stack by its name.
type Capabilities struct {
	Compact        bool // the broker compacts a topic by itself, when the topic's settings say so
	RefuseNullKeys bool // the broker refuses a record without a key in a compacted topic
	StampRetention bool // the object store gives an object the default retention of its bucket
}

// Can is what the stack of this test process can.
func Can() Capabilities {
	return map[string]Capabilities{
		"external": {Compact: true, RefuseNullKeys: true, StampRetention: true},
	}[os.Getenv("STACK")]
}

// Engine says that a container engine is there for tests that stop and kill a stack of their own.
func Engine() bool { return os.Getenv("BLOTTER_CONTAINERS") != "" }

// Dir is an empty directory for a stack of the test's own, removed after the test. Unlike t.TempDir it may be passed
// through by the user that Postgres runs as when the tests run as root.
func Dir(t testing.TB) string {
	t.Helper()
	dir := mkdirTemp(t)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	return dir
}

func mkdirTemp(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "blotter-test-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Clean(dir)
}

// Kafka is the seed brokers of the shared stack.
func Kafka(t testing.TB) []string {
	t.Helper()
	seeds, err := Shared(t).Kafka(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return seeds
}

// S3 is the object store of the shared stack.
func S3(t testing.TB) stack.S3 {
	t.Helper()
	s3, err := Shared(t).S3(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s3
}

// Registry is the URL of the shared stack's schema registry. Its subjects are shared: prefix them with Prefix.
func Registry(t testing.TB) string {
	t.Helper()
	url, err := Shared(t).Registry(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// Prefix begins the names of whatever the test makes in a shared component: topics, groups, subjects, transactional ids.
// It is made of lower-case letters, digits and hyphens, ends in a hyphen, and is different at each call.
func Prefix(t testing.TB) string {
	t.Helper()
	return name(t, 32, '-') + "-"
}

// Bucket is the name of a bucket that does not exist yet, different at each call.
func Bucket(t testing.TB) string {
	t.Helper()
	return name(t, 40, '-')
}

// Schema makes an empty Postgres schema, dropped after the test, and returns a connection string whose search path is that
// schema alone, with its name.
func Schema(t testing.TB) (dsn, schema string) {
	t.Helper()
	ctx := context.Background()
	dsn, err := Shared(t).Postgres(ctx)
	if err != nil {
		t.Fatal(err)
	}
	schema = name(t, 40, '_')
	execute(t, dsn, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { execute(t, dsn, "DROP SCHEMA "+schema+" CASCADE") })
	return within(dsn, schema), schema
}

// within is a connection string whose search path is the schema alone.
func within(dsn, schema string) string {
	sep := "&"
	if !strings.Contains(dsn, "?") {
		sep = "?"
	}
	return dsn + sep + "search_path=" + schema
}

func execute(t testing.TB, dsn, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}

// name is readable and unique: the test's own name, cut to size, and a random end. It starts with a letter.
func name(t testing.TB, most int, sep rune) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		default:
			return sep
		}
	}, strings.ToLower(t.Name()))
	if len(plain) > most {
		plain = plain[:most]
	}
	return strings.Trim(plain, string(sep)) + string(sep) + strings.ToLower(rand.Text()[:10])
}
