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

// External returns a stack that somebody else runs. The variables in README.md hold its addresses
// and keys; env reads them, such as os.Getenv. The first request for a component reads its
// variables and asks it for an answer. A missing or malformed variable, or a component that does
// not answer within seconds, is an error. No error contains a secret.
func External(env func(name string) string) Stack { return &external{env: env} }

type external struct {
	env      func(string) string
	kafka    verified[[]string]
	postgres verified[string]
	s3       verified[S3]
	registry verified[string]
}

// Kafka implements Stack.
func (e *external) Kafka(ctx context.Context) ([]string, error) {
	show := func(seeds []string) string { return strings.Join(seeds, ",") }
	return e.kafka.get(ctx, "kafka", e.readBrokers, show, pingKafka)
}

// Postgres implements Stack.
func (e *external) Postgres(ctx context.Context) (string, error) {
	return e.postgres.get(ctx, "postgres", e.readDSN, PostgresAddress, pingPostgres)
}

// S3 implements Stack.
func (e *external) S3(ctx context.Context) (S3, error) {
	show := func(s3 S3) string { return s3.Endpoint }
	return e.s3.get(ctx, "s3", e.readS3, show, pingS3)
}

// Registry implements Stack.
func (e *external) Registry(ctx context.Context) (string, error) {
	return e.registry.get(ctx, "registry", e.readRegistry, redacted, pingRegistry)
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

func (e *external) readBrokers() ([]string, error) {
	const example = "the addresses host:port of the brokers, with commas between them"
	text, err := e.require("BLOTTER_KAFKA_BROKERS", example)
	return strings.Split(text, ","), err
}

func (e *external) readDSN() (string, error) {
	const name = "BLOTTER_POSTGRES_DSN"
	const example = "a connection string such as postgres://user:password@host:5432/database"
	text, err := e.require(name, example)
	if err == nil {
		// The parser's own error may contain the password.
		if _, malformed := pgx.ParseConfig(text); malformed != nil {
			err = withHint(fmt.Errorf("%s is not a connection string", name),
				"set %s to %s", name, example)
		}
	}
	return text, err
}

func (e *external) readS3() (s3 S3, err error) {
	for _, required := range []struct {
		into          *string
		name, example string
	}{
		{&s3.Endpoint, "BLOTTER_S3_ENDPOINT", "host:port of the object store"},
		{&s3.AccessKey, "BLOTTER_S3_ACCESS_KEY", "the object store's access key"},
		{&s3.SecretKey, "BLOTTER_S3_SECRET_KEY", "the object store's secret key"},
	} {
		if *required.into, err = e.require(required.name, required.example); err != nil {
			return s3, err
		}
	}
	s3.Region, s3.Secure = "us-east-1", true
	if region := e.env("BLOTTER_S3_REGION"); region != "" {
		s3.Region = region
	}
	if secure := e.env("BLOTTER_S3_SECURE"); secure != "" {
		if s3.Secure, err = strconv.ParseBool(secure); err != nil {
			err = withHint(fmt.Errorf("BLOTTER_S3_SECURE is %q", secure),
				"set BLOTTER_S3_SECURE to true for HTTPS, or to false for HTTP")
		}
	}
	return s3, err
}

func (e *external) readRegistry() (string, error) {
	const name = "BLOTTER_REGISTRY_URL"
	const example = "the schema registry's URL, such as http://host:8081"
	text, err := e.require(name, example)
	if err == nil {
		u, malformed := url.Parse(text)
		if malformed != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			err = withHint(fmt.Errorf("%s is not a URL", name), "set %s to %s", name, example)
		}
	}
	return text, err
}

func (e *external) require(name, example string) (string, error) {
	text := e.env(name)
	if text == "" {
		return "", withHint(fmt.Errorf("%s is not set", name), "set %s to %s", name, example)
	}
	return text, nil
}

// Environment starts all components of s. It returns the variables, each NAME=value, with which
// External finds them: other processes can share the stack until it is closed. They contain
// secrets.
func Environment(ctx context.Context, s Stack) ([]string, error) {
	kept, err := startAll(ctx, s)
	if err != nil {
		return nil, err
	}
	return []string{
		"BLOTTER_KAFKA_BROKERS=" + strings.Join(kept.Kafka, ","),
		"BLOTTER_POSTGRES_DSN=" + kept.Postgres,
		"BLOTTER_S3_ENDPOINT=" + kept.S3.Endpoint,
		"BLOTTER_S3_REGION=" + kept.S3.Region,
		"BLOTTER_S3_ACCESS_KEY=" + kept.S3.AccessKey,
		"BLOTTER_S3_SECRET_KEY=" + kept.S3.SecretKey,
		"BLOTTER_S3_SECURE=" + strconv.FormatBool(kept.S3.Secure),
		"BLOTTER_REGISTRY_URL=" + kept.Registry,
	}, nil
}
