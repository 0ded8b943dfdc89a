package stack

import (
	"context"
	"strconv"
	"strings"
)

// Environment starts all parts of s, and gives the variables, each NAME=value, by which External finds them: so that other processes
// share it for as long as it is open. They hold secrets.
func Environment(ctx context.Context, s Stack) ([]string, error) {
	at, err := startAll(ctx, s)
	if err != nil {
		return nil, err
	}
	return []string{
		"BLOTTER_KAFKA_BROKERS=" + strings.Join(at.Kafka, ","),
		"BLOTTER_POSTGRES_DSN=" + at.Postgres,
		"BLOTTER_S3_ENDPOINT=" + at.S3.Endpoint,
		"BLOTTER_S3_REGION=" + at.S3.Region,
		"BLOTTER_S3_ACCESS_KEY=" + at.S3.AccessKey,
		"BLOTTER_S3_SECRET_KEY=" + at.S3.SecretKey,
		"BLOTTER_S3_SECURE=" + strconv.FormatBool(at.S3.Secure),
		"BLOTTER_REGISTRY_URL=" + at.Registry,
	}, nil
}
