// Package stacktest gives tests a stack. Each test process has one, which starts when a test first
// asks for it. It is the embedded stack, or with STACK=external the stack that the environment
// names (see stack.External). STACK=containers make test starts containers once, and hands them to
// the tests as an external stack. A test of the embedded stack itself starts its own stack in Dir.
//
// A test package that uses the stack has one line beside its tests:
//
//	func TestMain(m *testing.M) { stacktest.Main(m) }
//
// A package that registers schemas passes a compatibility check to MainWith.
//
// Tests share the components, but no data: each test takes its own topic prefix, Postgres schema or
// bucket.
package stacktest

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/stack"
)

// A T is a test, or a check of a lab (check.T). The goroutine of a check must fail its own T: it
// cannot end the test that runs it.
type T interface {
	Name() string
	Errorf(format string, args ...any)
	FailNow()
	Cleanup(f func())
}

// shared is the one stack of this process.
var shared struct {
	sync.Mutex
	options stack.EmbeddedOptions
	stack   stack.Stack
	dir     string
}

// Main runs the tests, then stops the stack and removes its files. KEEP_STACK=1 keeps them, and
// prints where they are. The run fails if the stack fails to stop.
func Main(m *testing.M) { MainWith(m, stack.EmbeddedOptions{}) }

// MainWith is Main for tests that need options of the embedded stack, such as the compatibility
// check of its registry. This package always chooses the directory.
// A benchmark measures a stack as users have it, which syncs its files.
func MainWith(m *testing.M, options stack.EmbeddedOptions) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		UseTemplates()
	}
	shared.options = options
	MainAsShipped(m)
}

// MainAsShipped is Main for the tests of the stack itself: every stack starts as it does for users.
func MainAsShipped(m *testing.M) {
	code := m.Run()
	if err := closeShared(); err != nil {
		fmt.Fprintln(os.Stderr, "stacktest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// UseTemplates makes the stacks of this process fast: see stack.UseTemplates. It returns the
// directory, which all tests of a user share. The variable BLOTTER_TEMPLATES hands it to child
// processes, which may have another home.
func UseTemplates() string {
	dir := os.Getenv("BLOTTER_TEMPLATES")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "" // every stack creates its own cluster
		}
		dir = filepath.Join(cache, "blotter-test")
		os.Setenv("BLOTTER_TEMPLATES", dir)
	}
	stack.UseTemplates(dir)
	return dir
}

// BuildFlags are arguments of go build, for a program whose stacks use the templates.
func BuildFlags() []string {
	const variable = "example.com/blotter/labs/kit/stack.templates"
	return []string{"-ldflags", "-X '" + variable + "=" + UseTemplates() + "'"}
}

func closeShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.stack == nil {
		return nil
	}
	err := shared.stack.Close()
	if os.Getenv("KEEP_STACK") != "" {
		fmt.Fprintln(os.Stderr, "the files of the stack are in", shared.dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(shared.dir))
}

// Shared returns the stack of this test process, which tests must not close. In a package without
// Main its processes still end with this one, but its files stay in the directory for temporary
// files.
func Shared(t T) stack.Stack {
	shared.Lock()
	defer shared.Unlock()
	if shared.stack == nil {
		shared.dir = mkdirTemp(t)
		shared.stack = choose(t)
	}
	return shared.stack
}

func choose(t T) stack.Stack {
	switch kind := os.Getenv("STACK"); kind {
	case "", "embedded":
		options := shared.options
		options.Dir = shared.dir
		return stack.Embedded(options)
	case "external":
		return stack.External(os.Getenv)
	default:
		t.Errorf("STACK is %q: leave it empty, or run: STACK=%s make test", kind, kind)
		t.FailNow()
		return nil
	}
}

// Capabilities are the abilities that only some stacks have. A test that needs one asks for it, and
// never for a stack by name.
type Capabilities struct {
	// Compact: the broker compacts a topic by itself, if the topic's settings allow it.
	Compact bool
	// RefuseNullKeys: the broker refuses a record without a key in a compacted topic.
	RefuseNullKeys bool
	// StampRetention: the object store gives each object the default retention of its bucket.
	StampRetention bool
	// SignInLocally: Postgres trusts clients on its own machine, such as in its container.
	SignInLocally bool
}

// Can returns the capabilities of this test process's stack.
func Can() Capabilities {
	return map[string]Capabilities{
		"external": {Compact: true, RefuseNullKeys: true, StampRetention: true,
			SignInLocally: true},
	}[os.Getenv("STACK")]
}

// HasEngine reports whether tests may use a container engine, to stop and kill a stack of their
// own.
func HasEngine() bool { return os.Getenv("BLOTTER_CONTAINERS") != "" }

// Dir creates an empty directory for a stack of the test's own, and removes it after the test.
// Other users may pass through it, unlike t.TempDir: Postgres runs as another user if the tests run
// as root.
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

func mkdirTemp(t T) string {
	dir, err := os.MkdirTemp("", "blotter-test-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	require.NoError(t, err)
	return filepath.Clean(dir)
}

// Kafka returns the options that reach the brokers of the shared stack.
func Kafka(t testing.TB) []kgo.Opt {
	t.Helper()
	at, err := Shared(t).Kafka(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	options, err := at.Options()
	if err != nil {
		t.Fatal(err)
	}
	return options
}

// S3 returns the endpoint of the shared stack's object store, and the options of a client.
func S3(t testing.TB) (endpoint string, options *minio.Options) {
	t.Helper()
	at, err := Shared(t).S3(context.Background())
	if err == nil {
		options, err = at.Options()
	}
	if err != nil {
		t.Fatal(err)
	}
	return at.Endpoint, options
}

// Registry returns the options that reach the shared stack's schema registry. All tests share its
// subjects: begin their names with Prefix.
func Registry(t testing.TB) []sr.ClientOpt {
	t.Helper()
	at, err := Shared(t).Registry(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	options, err := at.Options()
	if err != nil {
		t.Fatal(err)
	}
	return options
}

// Prefix returns the beginning of all names that the test makes in a shared component: topics,
// groups, subjects, transactional ids. It consists of lower-case letters, digits and hyphens, ends
// in a hyphen, and differs at each call.
func Prefix(t testing.TB) string {
	t.Helper()
	return name(t, 32, '-') + "-"
}

// Bucket returns the name of a bucket that does not exist yet. It differs at each call.
func Bucket(t testing.TB) string {
	t.Helper()
	return name(t, 40, '-')
}

// Schema creates an empty Postgres schema and drops it after the test. It returns the schema's
// name, and a connection string whose search path holds only that schema.
func Schema(t T) (dsn, schema string) {
	ctx := context.Background()
	at, err := Shared(t).Postgres(ctx)
	require.NoError(t, err, "start Postgres")
	dsn = at.MigrationDSN
	schema = name(t, 40, '_')
	execute(t, dsn, "CREATE SCHEMA "+schema)
	t.Cleanup(func() {
		execute(t, dsn, "DROP SCHEMA "+schema+" CASCADE")
		// Roles are of the whole cluster, and would stay. A model names its own after its schema.
		execute(t, dsn, `DO $$ DECLARE r text; BEGIN
FOR r IN SELECT rolname FROM pg_roles WHERE starts_with(rolname, '`+schema+`_') LOOP
    EXECUTE format('DROP ROLE %I', r);
END LOOP; END $$`)
	})
	separator := "&"
	if !strings.Contains(dsn, "?") {
		separator = "?"
	}
	return dsn + separator + "search_path=" + schema, schema
}

// RequireReader checks that a SQL reader of a model may read the views of its role, and may read
// nothing else in the schema and write nothing. It returns the number of views.
func RequireReader(t T, dsn, schema, role string) (views int) {
	ctx := context.Background()
	login := schema + "_" + role + "_login"
	execute(t, dsn, "CREATE ROLE "+login+" LOGIN PASSWORD 'secret' IN ROLE "+schema+"_"+role)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	owner, err := pgx.ConnectConfig(ctx, config.Copy())
	require.NoError(t, err)
	defer owner.Close(ctx)
	config.User, config.Password = login, "secret"
	reader, err := pgx.ConnectConfig(ctx, config)
	require.NoError(t, err)
	defer reader.Close(ctx)
	rows, err := owner.Query(ctx, "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'v') "+
		"AND relnamespace = $1::regnamespace", schema)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, relation := range all {
		for _, statement := range []string{"SELECT * FROM ", "DELETE FROM "} {
			_, err := reader.Exec(ctx, statement+schema+"."+relation)
			if statement[0] == 'S' && strings.HasPrefix(relation, role+"_") {
				require.NoError(t, err, "%s reads %s", role, relation)
				views++
				continue
			}
			require.ErrorContains(t, err, "42501", "%s: %s%s", role, statement, relation)
		}
	}
	return views
}

func execute(t T, dsn, sql string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err, "connect to Postgres")
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	require.NoError(t, err, "%s", sql)
}

// name returns a readable and unique name: the test's own name, cut to size, and a random end.
func name(t T, maxLength int, separator rune) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		default:
			return separator
		}
	}, strings.ToLower(t.Name()))
	if len(plain) > maxLength {
		plain = plain[:maxLength]
	}
	plain = strings.Trim(plain, string(separator))
	return plain + string(separator) + strings.ToLower(rand.Text()[:10])
}
