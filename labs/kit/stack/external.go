package stack

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// External is a stack that somebody else runs. Where it is, and how to sign in, is what env says for the names in README.md;
// pass os.Getenv. Nothing is looked at before a component is first asked for; then what is missing, malformed
// or does not answer within seconds is an error that says so. None of the errors holds a secret.
func External(env func(name string) string) Stack { return &external{env: env} }

type external struct {
	env      func(string) string
	kafka    answered[[]string]
	postgres answered[string]
	s3       answered[S3]
	registry answered[string]
}

func (e *external) Kafka(ctx context.Context) ([]string, error) {
	return e.kafka.get(ctx, "kafka", e.brokers, func(b []string) string { return strings.Join(b, ",") }, pingKafka)
}

func (e *external) Postgres(ctx context.Context) (string, error) {
	return e.postgres.get(ctx, "postgres", e.dsn, PostgresAddress, pingPostgres)
}

func (e *external) S3(ctx context.Context) (S3, error) {
	return e.s3.get(ctx, "s3", e.bucketStore, func(at S3) string { return at.Endpoint }, pingS3)
}

func (e *external) Registry(ctx context.Context) (string, error) {
	return e.registry.get(ctx, "registry", e.registryURL, redacted, pingRegistry)
}

// Close leaves everything as it is.
func (e *external) Close() error { return nil }

// answered holds where a component is, once it has answered there.
type answered[T any] struct {
	mu sync.Mutex
	ok bool
	at T
}

func (a *answered[T]) get(ctx context.Context, name string, read func() (T, error), show func(T) string,
	ping func(context.Context, T) error,
) (T, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ok {
		return a.at, nil
	}
	at, err := read()
	if err != nil {
		return a.at, fmt.Errorf("%s of the external stack: %w", name, err)
	}
	if err := ping(ctx, at); err != nil {
		return a.at, withHint(fmt.Errorf("%s of the external stack at %s does not answer as it should: %w", name, show(at), err),
			"is it running there, and are the BLOTTER_%s_* variables right?", strings.ToUpper(name))
	}
	a.at, a.ok = at, true
	return at, nil
}

func (e *external) brokers() ([]string, error) {
	text, err := e.must("BLOTTER_KAFKA_BROKERS", "the brokers' addresses, host:port with commas between")
	return strings.Split(text, ","), err
}

func (e *external) dsn() (string, error) {
	const name = "BLOTTER_POSTGRES_DSN"
	const what = "a connection string such as postgres://user:password@host:5432/database"
	text, err := e.must(name, what)
	if err == nil {
		if _, parsing := pgx.ParseConfig(text); parsing != nil { // whose words may hold the password
			err = withHint(fmt.Errorf("%s is not a connection string", name), "set %s to %s", name, what)
		}
	}
	return text, err
}

func (e *external) bucketStore() (at S3, err error) {
	if at.Endpoint, err = e.must("BLOTTER_S3_ENDPOINT", "host:port of the object store"); err != nil {
		return at, err
	}
	if at.AccessKey, err = e.must("BLOTTER_S3_ACCESS_KEY", "the object store's access key"); err != nil {
		return at, err
	}
	if at.SecretKey, err = e.must("BLOTTER_S3_SECRET_KEY", "the object store's secret key"); err != nil {
		return at, err
	}
	at.Region, at.Secure = "us-east-1", true
	if region := e.env("BLOTTER_S3_REGION"); region != "" {
		at.Region = region
	}
	if secure := e.env("BLOTTER_S3_SECURE"); secure != "" {
		if at.Secure, err = strconv.ParseBool(secure); err != nil {
			err = withHint(fmt.Errorf("BLOTTER_S3_SECURE is %q", secure), "set BLOTTER_S3_SECURE to true for HTTPS, or to false for HTTP")
		}
	}
	return at, err
}

func (e *external) registryURL() (string, error) {
	const name = "BLOTTER_REGISTRY_URL"
	const what = "the schema registry's URL, such as http://host:8081"
	text, err := e.must(name, what)
	if err == nil {
		if u, parsing := url.Parse(text); parsing != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			err = withHint(fmt.Errorf("%s is not a URL", name), "set %s to %s", name, what)
		}
	}
	return text, err
}

func (e *external) must(name, what string) (string, error) {
	text := e.env(name)
	if text == "" {
		return "", withHint(fmt.Errorf("%s is not set", name), "set %s to %s", name, what)
	}
	return text, nil
}
