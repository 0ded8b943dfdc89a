package containers

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// broker is one Kafka node that is its own controller. It listens three times: for us, under the address that reaches it from
// here; for itself, since a coordinator writes the ends of transactions through the network, where our address would lead
// back into its own container; and as the controller, which takes no broker of the same number until session is over.
func broker(session time.Duration) plan {
	return plan{
		image: kafkaImage, port: "9092", data: "/var/lib/kafka/data", ping: pingBroker,
		env: func(hostPort string) map[string]string {
			return map[string]string{
				"CLUSTER_ID":                           "YmxvdHRlci1rYWZrYS0wMQ", // any 16 bytes in base64url
				"KAFKA_NODE_ID":                        "1",
				"KAFKA_PROCESS_ROLES":                  "broker,controller",
				"KAFKA_CONTROLLER_QUORUM_VOTERS":       "1@localhost:9093",
				"KAFKA_CONTROLLER_LISTENER_NAMES":      "CONTROLLER",
				"KAFKA_INTER_BROKER_LISTENER_NAME":     "BROKER",
				"KAFKA_LISTENERS":                      "CLIENTS://:9092,BROKER://localhost:19092,CONTROLLER://localhost:9093",
				"KAFKA_ADVERTISED_LISTENERS":           "CLIENTS://127.0.0.1:" + hostPort + ",BROKER://localhost:19092",
				"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
				"KAFKA_LOG_DIRS":                       "/var/lib/kafka/data",

				// One node keeps one copy of everything, its own bookkeeping included.
				"KAFKA_DEFAULT_REPLICATION_FACTOR":               "1",
				"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
				"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
				"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
				"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":             "8",
				"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":     "8",

				// As on the embedded stack: no topic is made by asking for it, and nothing expires unless its topic says so.
				"KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
				"KAFKA_LOG_RETENTION_MS":          "-1",

				// Nothing waits for others that will not come: members of a group, or the session of a broker that was killed.
				"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
				"KAFKA_BROKER_SESSION_TIMEOUT_MS":        strconv.FormatInt(session.Milliseconds(), 10),
				"KAFKA_BROKER_HEARTBEAT_INTERVAL_MS":     strconv.FormatInt(session.Milliseconds()/5, 10),
				// The cleaner looks every second for what a topic's own settings let it compact.
				"KAFKA_LOG_CLEANER_BACKOFF_MS": "1000",
				"KAFKA_HEAP_OPTS":              "-Xms256m -Xmx512m",
			}
		},
	}
}

func pingBroker(ctx context.Context, p *part) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.address()), kgo.DialTimeout(time.Second), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.Ping(ctx)
}
