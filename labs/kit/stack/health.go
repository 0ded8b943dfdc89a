package stack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/twmb/franz-go/pkg/kgo"
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
	joined := func(seeds []string) string { return strings.Join(seeds, ",") }
	endpoint := func(s3 S3) string { return s3.Endpoint }
	return []Health{
		check(ctx, "kafka", s.Kafka, joined, pingKafka),
		check(ctx, "postgres", s.Postgres, PostgresAddress, pingPostgres),
		check(ctx, "s3", s.S3, endpoint, pingS3),
		check(ctx, "registry", s.Registry, redacted, pingRegistry),
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

func pingKafka(ctx context.Context, seeds []string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.DialTimeout(answerTimeout/2))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(ctx)
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
	client, err := minio.New(s3.Endpoint, &minio.Options{
		Creds:  credentials.NewStaticV4(s3.AccessKey, s3.SecretKey, ""),
		Region: s3.Region, Secure: s3.Secure, MaxRetries: 1,
	})
	if err != nil {
		return err
	}
	_, err = client.ListBuckets(ctx)
	if minio.ToErrorResponse(err).Code == minio.AccessDenied {
		return nil
	}
	return err
}

func pingRegistry(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	subjects := strings.TrimSuffix(base, "/") + "/subjects"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, subjects, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err // contains the URL, from which net/url removed the password
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /subjects: %s", resp.Status)
	}
	return nil
}

// PostgresAddress returns host:port of a connection string.
func PostgresAddress(dsn string) string {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", config.Host, config.Port)
}

// redacted returns a URL without its password.
func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Redacted()
}
