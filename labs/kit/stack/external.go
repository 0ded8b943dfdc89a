package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// External returns a stack that somebody else runs. The variables in README.md hold its addresses
// and keys; env reads them, such as os.Getenv. The first request for a component reads its
// variables and asks it for an answer. A missing or malformed variable, or a component that does
// not answer within seconds, is an error. No error contains a secret.
func External(env func(name string) string) Stack { return &external{env: env} }

type external struct {
	env      func(string) string
	kafka    verified[Kafka]
	postgres verified[Postgres]
	s3       verified[S3]
	registry verified[Registry]
}

// Kafka implements Stack.
func (e *external) Kafka(ctx context.Context) (Kafka, error) {
	show := func(at Kafka) string { return strings.Join(at.Brokers, ",") }
	return e.kafka.get(ctx, "kafka", e.readKafka, show, pingKafka)
}

// Postgres implements Stack.
func (e *external) Postgres(ctx context.Context) (Postgres, error) {
	return e.postgres.get(ctx, "postgres", e.readPostgres, Postgres.Address, addRole)
}

// S3 implements Stack.
func (e *external) S3(ctx context.Context) (S3, error) {
	show := func(s3 S3) string { return s3.Endpoint }
	return e.s3.get(ctx, "s3", e.readS3, show, pingS3)
}

// Registry implements Stack.
func (e *external) Registry(ctx context.Context) (Registry, error) {
	show := func(at Registry) string { return at.URL }
	return e.registry.get(ctx, "registry", e.readRegistry, show, pingRegistry)
}

// Close leaves all components running.
func (e *external) Close() error { return nil }

// verified holds the address of a component that has answered there.
type verified[T any] struct {
	mu      sync.Mutex
	ok      bool
	address T
}

func (v *verified[T]) get(ctx context.Context, name string, read func() (T, error),
	show func(T) string, ping func(context.Context, T) error,
) (T, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ok {
		return v.address, nil
	}
	address, err := read()
	if err != nil {
		return v.address, fmt.Errorf("%s of the external stack: %w", name, err)
	}
	if err := ping(ctx, address); err != nil {
		err = fmt.Errorf("%s of the external stack at %s does not answer as it should: %w",
			name, show(address), err)
		return v.address, withHint(err, "check that it runs there, and the variables BLOTTER_%s_*",
			strings.ToUpper(name))
	}
	v.address, v.ok = address, true
	return address, nil
}

func (e *external) readKafka() (at Kafka, err error) {
	r := reader{env: e.env}
	brokers := r.require("BLOTTER_KAFKA_BROKERS",
		"the addresses host:port of the brokers, with commas between them")
	at.Brokers = strings.Split(brokers, ",")
	at.Mechanism = strings.ToUpper(r.get("BLOTTER_KAFKA_SASL"))
	at.User, at.Password = r.get("BLOTTER_KAFKA_USER"), r.get("BLOTTER_KAFKA_PASSWORD")
	files := TLS{CA: r.get("BLOTTER_KAFKA_CA"), Certificate: r.get("BLOTTER_KAFKA_CERTIFICATE"),
		Key: r.get("BLOTTER_KAFKA_KEY")}
	if r.flag("BLOTTER_KAFKA_TLS", "TLS", "plain text", files != TLS{}) {
		at.TLS = &files
	}
	switch known := slices.Sorted(maps.Keys(mechanisms)); {
	case at.Mechanism == "" && at.User+at.Password != "":
		r.fail("BLOTTER_KAFKA_SASL is not set, but a user or password is",
			"set BLOTTER_KAFKA_SASL to one of %s", strings.Join(known, ", "))
	case at.Mechanism != "" && mechanisms[at.Mechanism] == nil:
		r.fail(fmt.Sprintf("BLOTTER_KAFKA_SASL is %q", at.Mechanism),
			"set BLOTTER_KAFKA_SASL to one of %s", strings.Join(known, ", "))
	case at.Mechanism != "":
		r.require("BLOTTER_KAFKA_USER", "the user who signs in")
		r.require("BLOTTER_KAFKA_PASSWORD", "the user's password")
	}
	if at.TLS == nil && files != (TLS{}) {
		r.fail("BLOTTER_KAFKA_TLS is false, but a CA or certificate is set",
			"leave BLOTTER_KAFKA_TLS out, or the variables BLOTTER_KAFKA_CA, _CERTIFICATE and _KEY")
	}
	return at, r.err
}

func (e *external) readPostgres() (at Postgres, err error) {
	const name = "BLOTTER_POSTGRES_DSN"
	r := reader{env: e.env}
	at.DSN = r.checkDSN(name, r.require(name, dsnExample))
	const migration = "BLOTTER_POSTGRES_MIGRATION_DSN"
	if at.MigrationDSN = r.get(migration); at.MigrationDSN != "" {
		r.checkDSN(migration, at.MigrationDSN)
	}
	return at, r.err
}

// addRole signs in as each role. If the application cannot, and its role is missing, the owner
// creates it: a new database needs no other set-up.
func addRole(ctx context.Context, at Postgres) error {
	err := pingRoles(ctx, at)
	if !isPermanent(err) || at.MigrationDSN == "" {
		return err
	}
	app, malformed := pgx.ParseConfig(at.DSN)
	if malformed != nil || app.Password == "" {
		return err
	}
	if _, failed := AddLogin(ctx, at.MigrationDSN, app.User, app.Password); failed != nil {
		return err
	}
	return pingRoles(ctx, at)
}

const dsnExample = "a connection string such as postgres://user:password@host:5432/database"

func (r *reader) checkDSN(name, text string) string {
	if _, malformed := pgx.ParseConfig(text); malformed != nil && r.err == nil {
		// The parser's own error may contain the password. It reads the variables of libpq, too.
		if service := os.Getenv("PGSERVICE"); service != "" {
			r.fail(fmt.Sprintf("the Postgres service %q of PGSERVICE cannot be read", service),
				"unset PGSERVICE, or name the file that has it in PGSERVICEFILE")
		}
		r.fail(name+" is not a connection string", "set %s to %s", name, dsnExample)
	}
	return text
}

func (e *external) readS3() (S3, error) {
	r := reader{env: e.env}
	s3 := S3{
		Endpoint:     r.require("BLOTTER_S3_ENDPOINT", "host:port of the object store"),
		Region:       cmp.Or(r.get("BLOTTER_S3_REGION"), "us-east-1"),
		AccessKey:    r.get("BLOTTER_S3_ACCESS_KEY"),
		SecretKey:    r.get("BLOTTER_S3_SECRET_KEY"),
		SessionToken: r.get("BLOTTER_S3_SESSION_TOKEN"),
		Secure:       r.flag("BLOTTER_S3_SECURE", "HTTPS", "HTTP", true),
		CA:           r.get("BLOTTER_S3_CA"),
	}
	if s3.AccessKey != "" || s3.SecretKey != "" {
		r.require("BLOTTER_S3_ACCESS_KEY", "the object store's access key")
		r.require("BLOTTER_S3_SECRET_KEY", "the object store's secret key")
	}
	return s3, r.err
}

func (e *external) readRegistry() (at Registry, err error) {
	const name = "BLOTTER_REGISTRY_URL"
	const example = "the schema registry's URL, such as http://host:8081"
	r := reader{env: e.env}
	text := r.require(name, example)
	at.User, at.Password = r.get("BLOTTER_REGISTRY_USER"), r.get("BLOTTER_REGISTRY_PASSWORD")
	at.Token, at.CA = r.get("BLOTTER_REGISTRY_TOKEN"), r.get("BLOTTER_REGISTRY_CA")
	u, malformed := url.Parse(text)
	switch {
	case r.err != nil:
		return at, r.err
	case malformed != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		r.fail(name+" is not a URL", "set %s to %s", name, example)
		return at, r.err
	case u.User != nil && at.User == "":
		at.User = u.User.Username()
		at.Password, _ = u.User.Password()
	}
	if at.User != "" && at.Token != "" {
		r.fail("the schema registry has a user and a BLOTTER_REGISTRY_TOKEN",
			"give the user and password, or the token")
	}
	u.User = nil // no message may show it
	at.URL = u.String()
	return at, r.err
}

// A reader reads the variables of a component, and keeps the first error. The file that the
// variable NAME_FILE names can hold the value of NAME: a secret need not be in the environment.
type reader struct {
	env func(string) string
	err error
}

func (r *reader) fail(what, hint string, args ...any) {
	if r.err == nil {
		r.err = withHint(errors.New(what), hint, args...)
	}
}

// get returns the value of a variable, or "".
func (r *reader) get(name string) string {
	text, path := r.env(name), r.env(name+"_FILE")
	switch {
	case path == "":
		return text
	case text != "":
		r.fail(name+" and "+name+"_FILE are both set", "set one of them")
		return ""
	}
	content, err := os.ReadFile(path)
	if err != nil {
		r.fail(fmt.Sprintf("%s_FILE: %v", name, err), "set %s_FILE to a file that this user may "+
			"read, or set %s", name, name)
	}
	return strings.TrimSpace(string(content))
}

func (r *reader) require(name, example string) string {
	text := r.get(name)
	if text == "" {
		r.fail(name+" is not set",
			"set %s to %s, or %s_FILE to a file with it", name, example, name)
	}
	return text
}

// flag returns the value of a variable that is true or false.
func (r *reader) flag(name, whenTrue, whenFalse string, otherwise bool) bool {
	text := r.get(name)
	if text == "" {
		return otherwise
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		r.fail(fmt.Sprintf("%s is %q", name, text),
			"set %s to true for %s, or to false for %s", name, whenTrue, whenFalse)
	}
	return value
}

// Environment starts all components of s. It returns the variables, each NAME=value, with which
// External finds them: other processes can share the stack until it is closed. They contain
// secrets.
func Environment(ctx context.Context, s Stack) ([]string, error) {
	kept, err := startAll(ctx, s)
	if err != nil {
		return nil, err
	}
	return kept.Environment(), nil
}

// Environment returns the variables with which External finds the stack. They contain secrets.
func (k Kept) Environment() []string {
	values := []string{
		"BLOTTER_KAFKA_BROKERS=" + strings.Join(k.Kafka.Brokers, ","),
		"BLOTTER_KAFKA_SASL=" + k.Kafka.Mechanism,
		"BLOTTER_KAFKA_USER=" + k.Kafka.User,
		"BLOTTER_KAFKA_PASSWORD=" + k.Kafka.Password,
		"BLOTTER_KAFKA_TLS=" + strconv.FormatBool(k.Kafka.TLS != nil),
		"BLOTTER_POSTGRES_DSN=" + k.Postgres.DSN,
		"BLOTTER_POSTGRES_MIGRATION_DSN=" + k.Postgres.MigrationDSN,
		"BLOTTER_S3_ENDPOINT=" + k.S3.Endpoint,
		"BLOTTER_S3_REGION=" + k.S3.Region,
		"BLOTTER_S3_ACCESS_KEY=" + k.S3.AccessKey,
		"BLOTTER_S3_SECRET_KEY=" + k.S3.SecretKey,
		"BLOTTER_S3_SESSION_TOKEN=" + k.S3.SessionToken,
		"BLOTTER_S3_SECURE=" + strconv.FormatBool(k.S3.Secure),
		"BLOTTER_S3_CA=" + k.S3.CA,
		"BLOTTER_REGISTRY_URL=" + k.Registry.URL,
		"BLOTTER_REGISTRY_USER=" + k.Registry.User,
		"BLOTTER_REGISTRY_PASSWORD=" + k.Registry.Password,
		"BLOTTER_REGISTRY_TOKEN=" + k.Registry.Token,
		"BLOTTER_REGISTRY_CA=" + k.Registry.CA,
	}
	if k.Kafka.TLS != nil {
		values = append(values, "BLOTTER_KAFKA_CA="+k.Kafka.TLS.CA,
			"BLOTTER_KAFKA_CERTIFICATE="+k.Kafka.TLS.Certificate,
			"BLOTTER_KAFKA_KEY="+k.Kafka.TLS.Key)
	}
	return values
}
