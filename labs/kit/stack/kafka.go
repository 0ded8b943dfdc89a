package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// broker is one Kafka broker in this process. Topics are not made by asking for them, nothing expires unless a topic
// says so, and everything is on disk before it is acknowledged: records, topics and their configuration, producer ids and
// epochs, the end of each transaction, group offsets.
type broker struct {
	cluster *kfake.Cluster
	addrs   []string
	log     *brokerLog
}

func startBroker(_ context.Context, root string, opt EmbeddedOptions) (*broker, error) {
	dir, err := privateDir(root, "kafka")
	if err != nil {
		return nil, err
	}
	// BEFORE the broker opens its files: it would cut a damaged log where the damage begins, and say nothing.
	if err := checkSegments(dir); err != nil {
		return nil, err
	}
	log := &brokerLog{progress: opt.Log}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DataDir(dir),
		kfake.WithLogger(log),
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1", "log.retention.bytes": "-1"}),
	}
	if opt.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(dir), err)
	}
	b := &broker{cluster: cluster, addrs: cluster.ListenAddrs(), log: log}
	opt.Log("kafka answers at " + strings.Join(b.addrs, ","))
	return b, nil
}

func (b *broker) failed() error { return b.log.failure() }

// stop writes a snapshot of every partition, the last chance to fail.
func (b *broker) stop() error {
	if b.failed() != nil {
		b.cluster.Close()
		return nil // said already
	}
	b.cluster.Close()
	return b.failed()
}

// brokerLog listens to the broker for the one thing it only ever logs: that it could not write to its directory. It goes
// on serving from memory then, which is worse than to stop.
type brokerLog struct {
	progress func(string)
	mu       sync.Mutex
	first    string
}

// Logf implements kfake.Logger.
func (l *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	line := fmt.Sprintf(format, args...)
	l.progress("kafka: " + line)
	if level != kfake.LogLevelError && !strings.HasPrefix(line, "persist") {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = line
	}
}

func (l *brokerLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		return nil
	}
	return errors.New("the broker could not write its files: " + l.first)
}
