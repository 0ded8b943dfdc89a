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

// Health is how a component answered.
type Health struct {
	Component string
	Address   string        // without secrets; empty if it is not known
	Took      time.Duration // to answer
	Err       error         // nil if it is well
}

// Check asks each component of s for an answer, starting what was not started yet. It takes a few seconds at most for each
// that does not answer.
func Check(ctx context.Context, s Stack) []Health {
	return []Health{
		check(ctx, "kafka", s.Kafka, func(b []string) string { return strings.Join(b, ",") }, pingKafka),
		check(ctx, "postgres", s.Postgres, PostgresAddress, pingPostgres),
		check(ctx, "s3", s.S3, func(at S3) string { return at.Endpoint }, pingS3),
		check(ctx, "registry", s.Registry, redacted, pingRegistry),
	}
}

func check[T any](ctx context.Context, name string, where func(context.Context) (T, error), show func(T) string,
	ping func(context.Context, T) error,
) Health {
	at, err := where(ctx)
	if err != nil {
		return Health{Component: name, Err: err}
	}
	began := time.Now()
	err = ping(ctx, at)
	return Health{name, show(at), time.Since(began), err}
}

// answerTimeout is how long a component may take to answer that it is there.
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

// pingS3 asks something that needs the right keys. Keys that may not list buckets are right too.
func pingS3(ctx context.Context, at S3) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	client, err := minio.New(at.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(at.AccessKey, at.SecretKey, ""), Region: at.Region, Secure: at.Secure, MaxRetries: 1,
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/subjects", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err // with the URL, whose password net/url leaves out
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /subjects: %s", resp.Status)
	}
	return nil
}

// PostgresAddress is host:port of a connection string.
func PostgresAddress(dsn string) string {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", config.Host, config.Port)
}

// redacted is a URL without its password.
func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Redacted()
}
