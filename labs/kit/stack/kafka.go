package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// segmentBytes is when a partition begins its next file. The check and the broker read a file of every partition at once into memory when they
// start, so this bounds what a start takes.
const segmentBytes = "4194304"

// broker is one Kafka broker in this process. Topics are not made by asking for them, nothing expires unless a topic
// says so, and everything is on disk before it is acknowledged: records, topics and their configuration, producer ids and
// epochs, the end of each transaction, group offsets.
type broker struct {
	cluster *kfake.Cluster
	addrs   []string
	log     *brokerLog
}

func startBroker(ctx context.Context, root string, opt EmbeddedOptions) (*broker, error) {
	dir, err := privateDir(root, "kafka")
	if err != nil {
		return nil, err
	}
	// BEFORE the broker opens its files: it would cut a damaged log where the damage begins, and say nothing.
	left, err := checkSegments(dir)
	if err == nil {
		err = left.cut()
	}
	if err != nil {
		return nil, err
	}
	log := &brokerLog{progress: opt.Log, broken: make(chan struct{})}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DataDir(dir),
		kfake.WithLogger(log),
		kfake.ListenFn(log.listen),
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1", "log.retention.bytes": "-1", "log.segment.bytes": segmentBytes}),
	}
	if opt.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(dir), err)
	}
	boundByPartition(cluster)
	b := &broker{cluster: cluster, addrs: cluster.ListenAddrs(), log: log}
	// BEFORE anybody is told the address.
	err = log.serve(true)
	if err == nil {
		err = left.abort(ctx, b.addrs)
	}
	if err != nil {
		b.stop()
		return nil, err
	}
	opt.Log("kafka answers at " + strings.Join(b.addrs, ","))
	return b, nil
}

func (b *broker) failed() error          { return b.log.failure() }
func (b *broker) ended() <-chan struct{} { return b.log.broken }

// stop writes a snapshot of every partition, the last chance to fail. A broker that failed before stands still for good,
// and is left to the end of the process.
func (b *broker) stop() error {
	if b.log.serve(false) != nil {
		b.log.lines.hangUp()
		return nil // said already
	}
	b.cluster.Close()
	err := b.failed()
	b.log.once.Do(func() { close(b.log.broken) })
	return err
}

// brokerLog listens to the broker for the one thing it only ever logs: that it could not write to its directory. It would
// go on serving from memory then, and say that what is not on disk was committed. So the first such line cuts all
// connections and never returns, which holds the broker's only working thread: it answers nothing more, not even the
// request at hand, and writes nothing behind a half-written entry. Nobody is told what is not true; clients see an
// unknown outcome, as after any crash.
type brokerLog struct {
	progress func(string)
	lines    *switchboard
	broken   chan struct{} // closed at the first failure, and when the broker has stopped
	once     sync.Once

	mu      sync.Mutex
	serving bool
	first   string
}

func (l *brokerLog) listen(network, address string) (net.Listener, error) {
	s, err := listenLoopback(network, address)
	if err != nil {
		return nil, err
	}
	l.lines = s
	return s, nil
}

// Logf implements kfake.Logger.
func (l *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	line := fmt.Sprintf(format, args...)
	l.progress("kafka: " + line)
	if level != kfake.LogLevelError && !strings.HasPrefix(line, "persist") && !strings.HasPrefix(line, "rebuildSegments") {
		return
	}
	if l.fail(line) {
		l.lines.hangUp()
		l.once.Do(func() { close(l.broken) })
		select {}
	}
}

// fail keeps the first failure, and says whether the broker is serving.
func (l *brokerLog) fail(line string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = line
	}
	return l.serving
}

// serve says that the broker serves from now on, or does no longer; it is too late when it has failed.
func (l *brokerLog) serve(yes bool) error {
	l.mu.Lock()
	l.serving = yes
	l.mu.Unlock()
	return l.failure()
}

func (l *brokerLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		return nil
	}
	return withHint(errors.New("the broker could not write its files: "+l.first),
		"see to it that the disk has room and can be written; what was acknowledged is kept, and the next start goes on from it")
}
