package containers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/twmb/franz-go/pkg/kadm"
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

// broker is the nth of some Kafka nodes, each of them a broker and a controller. It has three
// listeners:
//
//   - CLIENTS, with the address that reaches it from this machine;
//   - BROKER, for the nodes, itself included: a transaction coordinator writes the ends of
//     transactions through the network, and inside the container the address of CLIENTS leads
//     nowhere;
//   - CONTROLLER, which rejects a second broker of the same number until the session has ended.
//
// Clients use TLS and sign in with SCRAM-SHA-512. Such a user is a record in the cluster:
// pingBroker creates it after the first start, as the same user with PLAIN, whom the configuration
// has.
func broker(session time.Duration, nodes []Component, n int, secret string, id identity) spec {
	voters := make([]string, len(nodes))
	hosts := make([]string, len(nodes))
	for i, node := range nodes {
		hosts[i] = string(node)
		if len(nodes) == 1 {
			hosts[i] = "localhost"
		}
		voters[i] = fmt.Sprintf("%d@%s:9093", i+1, hosts[i])
	}
	host := hosts[n]
	copies, enough := strconv.Itoa(len(nodes)), strconv.Itoa(max(1, len(nodes)-1))
	return spec{
		image: kafkaImage, port: "9092", data: "/var/lib/kafka/data", ping: pingBroker,
		secret: secret, identity: id,
		env: func(hostPort string) map[string]string {
			env := map[string]string{
				"CLUSTER_ID":                       "YmxvdHRlci1rYWZrYS0wMQ", // 16 bytes, base64url
				"KAFKA_NODE_ID":                    strconv.Itoa(n + 1),
				"KAFKA_PROCESS_ROLES":              "broker,controller",
				"KAFKA_CONTROLLER_QUORUM_VOTERS":   strings.Join(voters, ","),
				"KAFKA_CONTROLLER_LISTENER_NAMES":  "CONTROLLER",
				"KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
				"KAFKA_LISTENERS": "CLIENTS://:9092,BROKER://" + host + ":19092," +
					"CONTROLLER://" + host + ":9093",
				"KAFKA_ADVERTISED_LISTENERS": "CLIENTS://127.0.0.1:" + hostPort + "," +
					"BROKER://" + host + ":19092",
				"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:SASL_SSL,BROKER:PLAINTEXT," +
					"CONTROLLER:PLAINTEXT",
				"KAFKA_LOG_DIRS": "/var/lib/kafka/data",

				// Each node keeps a copy of everything, its internal topics included.
				"KAFKA_DEFAULT_REPLICATION_FACTOR":               copies,
				"KAFKA_MIN_INSYNC_REPLICAS":                      enough,
				"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         copies,
				"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": copies,
				"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            enough,
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
			maps.Copy(env, signingIn(secret, id))
			return env
		},
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// signingIn returns the variables of the listener CLIENTS.
func signingIn(secret string, id identity) map[string]string {
	const (
		prefix = "KAFKA_LISTENER_NAME_CLIENTS_"
		module = "org.apache.kafka.common.security."
	)
	return map[string]string{
		prefix + "SASL_ENABLED_MECHANISMS": "PLAIN,SCRAM-SHA-512",
		prefix + "PLAIN_SASL_JAAS_CONFIG": fmt.Sprintf(
			"%splain.PlainLoginModule required user_%s=%q;", module, account, secret),
		prefix + "SCRAM___SHA___512_SASL_JAAS_CONFIG": module +
			"scram.ScramLoginModule required;",
		prefix + "SSL_KEYSTORE_TYPE":              "PEM",
		prefix + "SSL_KEYSTORE_CERTIFICATE_CHAIN": oneLine(id.certificate),
		prefix + "SSL_KEYSTORE_KEY":               oneLine(id.key),
	}
}

// oneLine returns PEM in the form of a property: Kafka takes a blank for a line end.
func oneLine(pem string) string { return strings.ReplaceAll(strings.TrimSpace(pem), "\n", " ") }

func (i *instance) kafka() stack.Kafka {
	return stack.Kafka{
		Brokers: []string{i.address()}, TLS: &stack.TLS{CA: i.identity.ca},
		Mechanism: "SCRAM-SHA-512", User: account, Password: i.secret,
	}
}

// pingBroker signs in. If it cannot, it creates the user, for the next ping.
func pingBroker(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	at := i.kafka()
	err := askBroker(ctx, at, func(client *kgo.Client) error { return client.Ping(ctx) })
	if err == nil {
		return nil
	}
	at.Mechanism = "PLAIN"
	return errors.Join(err, askBroker(ctx, at, func(client *kgo.Client) error {
		user := kadm.UpsertSCRAM{User: account, Mechanism: kadm.ScramSha512, Password: i.secret}
		altered, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{user})
		return errors.Join(err, altered.Error())
	}))
}

func askBroker(ctx context.Context, at stack.Kafka, ask func(*kgo.Client) error) error {
	options, err := at.Options()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(options, kgo.RequestRetries(0))...)
	if err != nil {
		return err
	}
	defer client.Close()
	return ask(client)
}

const account = "blotter" // the name of the superuser, and of its database

func database(secret string, id identity) spec {
	return spec{
		image: postgresImage, port: "5432", data: "/var/lib/postgresql/data",
		ping: pingDatabase, secret: secret, identity: id,
		files: map[string]string{"/tls/server.crt": id.certificate, "/tls/server.key": id.key},
		// All suites of a test run share the server.
		cmd: []string{"-c", "max_connections=300", "-c", "timezone=UTC", "-c", "log_timezone=UTC",
			"-c", "ssl=on", "-c", "ssl_cert_file=/tls/server.crt",
			"-c", "ssl_key_file=/tls/server.key"},
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
	const format = "postgres://%s:%s@%s/%s?sslmode=verify-full&sslrootcert=%s" +
		"&sslcertmode=disable"
	return fmt.Sprintf(format, account, i.secret, i.address(), account, url.QueryEscape(i.caFile))
}

func pingDatabase(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, i.dsn())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func objectStore(secret string, id identity) spec {
	return spec{
		image: minioImage, port: "9000", data: "/data", ping: pingObjectStore, secret: secret,
		identity: id,
		files:    map[string]string{"/tls/public.crt": id.certificate, "/tls/private.key": id.key},
		cmd:      []string{"server", "/data", "--certs-dir", "/tls"},
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
		Secure: true, CA: i.identity.ca,
	}
}

func pingObjectStore(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
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
