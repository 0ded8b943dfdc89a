package containers

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/stack"
)

// An image has a public name, and a variable that names a replacement.
type image struct{ public, variable string }

var (
	kafkaImage    = image{"apache/kafka:4.1.1", "BLOTTER_KAFKA_IMAGE"}
	postgresImage = image{"postgres:17.6", "BLOTTER_POSTGRES_IMAGE"}
	minioImage    = image{"quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z", "BLOTTER_MINIO_IMAGE"}
)

func (i image) name() string {
	if replacement := os.Getenv(i.variable); replacement != "" {
		return replacement
	}
	return i.public
}

// broker is one Kafka node that is its own controller. It has three listeners:
//
//   - CLIENTS, with the address that reaches it from this machine;
//   - BROKER, for itself: a transaction coordinator writes the ends of transactions through the
//     network, and inside the container the address of CLIENTS leads nowhere;
//   - CONTROLLER, which rejects a second broker of the same number until the session has ended.
func broker(session time.Duration) spec {
	return spec{
		image: kafkaImage, port: "9092", data: "/var/lib/kafka/data", ping: pingBroker,
		env: func(hostPort string) map[string]string {
			return map[string]string{
				"CLUSTER_ID":                       "YmxvdHRlci1rYWZrYS0wMQ", // 16 bytes, base64url
				"KAFKA_NODE_ID":                    "1",
				"KAFKA_PROCESS_ROLES":              "broker,controller",
				"KAFKA_CONTROLLER_QUORUM_VOTERS":   "1@localhost:9093",
				"KAFKA_CONTROLLER_LISTENER_NAMES":  "CONTROLLER",
				"KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
				"KAFKA_LISTENERS": "CLIENTS://:9092,BROKER://localhost:19092," +
					"CONTROLLER://localhost:9093",
				"KAFKA_ADVERTISED_LISTENERS": "CLIENTS://127.0.0.1:" + hostPort + "," +
					"BROKER://localhost:19092",
				"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:PLAINTEXT,BROKER:PLAINTEXT," +
					"CONTROLLER:PLAINTEXT",
				"KAFKA_LOG_DIRS": "/var/lib/kafka/data",

				// One node keeps one copy of everything, its internal topics included.
				"KAFKA_DEFAULT_REPLICATION_FACTOR":               "1",
				"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
				"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
				"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
				"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":             "8",
				"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":     "8",

				// As on the embedded stack: topics are created explicitly, and records expire only
				// if their topic says so.
				"KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
				"KAFKA_LOG_RETENTION_MS":          "-1",

				// Do not wait for further members of a group, nor long for the session of a killed
				// broker.
				"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
				"KAFKA_BROKER_SESSION_TIMEOUT_MS":        milliseconds(session),
				"KAFKA_BROKER_HEARTBEAT_INTERVAL_MS":     milliseconds(session / 5),
				// The cleaner checks every second whether a topic can be compacted.
				"KAFKA_LOG_CLEANER_BACKOFF_MS": "1000",
				"KAFKA_HEAP_OPTS":              "-Xms256m -Xmx512m",
			}
		},
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (i *instance) kafka() stack.Kafka { return stack.Kafka{Brokers: []string{i.address()}} }

func pingBroker(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	options, err := i.kafka().Options()
	if err != nil {
		return err
	}
	options = append(options, kgo.DialTimeout(time.Second), kgo.RequestRetries(0))
	cl, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.Ping(ctx)
}

const account = "blotter" // the name of the superuser, and of its database

func database(secret string) spec {
	return spec{
		image: postgresImage, port: "5432", data: "/var/lib/postgresql/data",
		ping: pingDatabase, secret: secret,
		// All suites of a test run share the server.
		cmd: []string{"-c", "max_connections=300", "-c", "timezone=UTC", "-c", "log_timezone=UTC"},
		env: func(string) map[string]string {
			return map[string]string{
				"POSTGRES_USER": account, "POSTGRES_PASSWORD": secret, "POSTGRES_DB": account,
				// A subdirectory, since file systems put files of their own into a mount's root.
				"PGDATA": "/var/lib/postgresql/data/pgdata",
			}
		},
	}
}

func (i *instance) dsn() string {
	const format = "postgres://%s:%s@%s/%s?sslmode=disable"
	return fmt.Sprintf(format, account, i.secret, i.address(), account)
}

func pingDatabase(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, i.dsn())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func objectStore(secret string) spec {
	return spec{
		image: minioImage, port: "9000", data: "/data", ping: pingObjectStore, secret: secret,
		cmd: []string{"server", "/data"},
		env: func(string) map[string]string {
			return map[string]string{
				"MINIO_ROOT_USER": account, "MINIO_ROOT_PASSWORD": secret,
				"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", // no requests to the network
			}
		},
	}
}

func (i *instance) s3() stack.S3 {
	return stack.S3{
		Endpoint: i.address(), Region: "us-east-1", AccessKey: account, SecretKey: i.secret,
	}
}

func pingObjectStore(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	options, err := i.s3().Options()
	if err != nil {
		return err
	}
	options.MaxRetries = 1
	c, err := minio.New(i.address(), options)
	if err != nil {
		return err
	}
	_, err = c.ListBuckets(ctx)
	return err
}
