package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// Health is the answer of one component.
type Health struct {
	Component string
	Address   string        // without secrets; empty if it is unknown
	Took      time.Duration // until the answer
	Err       error         // nil if the component works
}

// Check asks each component of s for an answer, and starts those that have not been started. It
// waits a few seconds at most for each component that does not answer.
func Check(ctx context.Context, s Stack) []Health {
	joined := func(at Kafka) string { return strings.Join(at.Brokers, ",") }
	endpoint := func(s3 S3) string { return s3.Endpoint }
	base := func(at Registry) string { return at.URL }
	return []Health{
		check(ctx, "kafka", s.Kafka, joined, pingKafka),
		check(ctx, "postgres", s.Postgres, Postgres.Address, pingRoles),
		check(ctx, "s3", s.S3, endpoint, pingS3),
		check(ctx, "registry", s.Registry, base, pingRegistry),
	}
}

func check[T any](ctx context.Context, name string, find func(context.Context) (T, error),
	show func(T) string, ping func(context.Context, T) error,
) Health {
	address, err := find(ctx)
	if err != nil {
		return Health{Component: name, Err: err}
	}
	began := time.Now()
	err = ping(ctx, address)
	return Health{name, show(address), time.Since(began), err}
}

// answerTimeout bounds one question to a component.
const answerTimeout = 4 * time.Second

func pingKafka(ctx context.Context, at Kafka) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	options, err := at.Options()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(options, kgo.DialTimeout(answerTimeout/2),
		kgo.RequestRetries(1))...)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(ctx)
}

// pingRoles signs in as each role.
func pingRoles(ctx context.Context, at Postgres) error {
	if err := pingPostgres(ctx, at.DSN); err != nil || at.MigrationDSN == "" {
		return err
	}
	return pingPostgres(ctx, at.MigrationDSN)
}

func pingPostgres(ctx context.Context, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

// pingS3 sends a request that needs the right keys. The answer that these keys may not list buckets
// also proves that they are right.
func pingS3(ctx context.Context, s3 S3) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	options, err := s3.Options()
	if err != nil {
		return err
	}
	options.MaxRetries = 1
	defer options.Transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
	client, err := minio.New(s3.Endpoint, options)
	if err != nil {
		return err
	}
	keys, err := client.GetCreds()
	if err != nil {
		return err
	}
	if keys.AccessKeyID == "" { // a request without keys could be denied as well
		return errors.New("no keys: neither BLOTTER_S3_ACCESS_KEY, nor AWS_ACCESS_KEY_ID, " +
			"nor a profile in AWS's credentials file")
	}
	_, err = client.ListBuckets(ctx)
	if minio.ToErrorResponse(err).Code == minio.AccessDenied {
		return nil
	}
	return err
}

func pingRegistry(ctx context.Context, at Registry) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	options, err := at.Options()
	if err != nil {
		return err
	}
	client, err := sr.NewClient(options...)
	if err != nil {
		return err
	}
	_, err = client.Subjects(ctx)
	return err
}

// PostgresAddress returns host:port of a connection string.
func PostgresAddress(dsn string) string {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", config.Host, config.Port)
}
