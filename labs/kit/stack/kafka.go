package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// segmentBytes is the size at which a partition begins its next file. At a start the check and the
// broker read one file of every partition into memory, therefore this size bounds the memory.
const segmentBytes = "4194304"

// broker is one Kafka broker in this process. A request for a missing topic does not create it, and
// records expire only if their topic says so. Before the broker acknowledges anything it is on
// disk: records, topics and their configuration, producer ids and epochs, ends of transactions,
// group offsets.
type broker struct {
	cluster *kfake.Cluster
	at      Kafka
	log     *brokerLog
}

func startBroker(ctx context.Context, root string, opt EmbeddedOptions) (*broker, error) {
	dir, err := privateDir(root, "kafka")
	if err != nil {
		return nil, err
	}
	// BEFORE the broker opens its files: it would truncate a damaged log silently.
	repairs, err := checkFiles(dir)
	if err == nil {
		err = repairs.truncate()
	}
	if err != nil {
		return nil, err
	}
	at, err := signIn(dir)
	if err != nil {
		return nil, err
	}
	log := &brokerLog{progress: opt.Log, broken: make(chan struct{})}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DataDir(dir),
		kfake.WithLogger(log),
		kfake.ListenFn(log.listen),
		kfake.EnableSASL(), kfake.Superuser(at.Mechanism, at.User, at.Password),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.ms": "-1", "log.retention.bytes": "-1",
			"log.segment.bytes": segmentBytes,
		}),
	}
	if opt.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(dir), err)
	}
	boundByPartition(cluster)
	at.Brokers = cluster.ListenAddrs()
	b := &broker{cluster: cluster, at: at, log: log}
	// BEFORE any client learns the address.
	err = log.setServing(true)
	if err == nil {
		err = repairs.abort(ctx, at)
	}
	if err != nil {
		b.stop()
		return nil, err
	}
	opt.Log("kafka answers at " + strings.Join(at.Brokers, ","))
	return b, nil
}

// signIn returns the credentials of the only user. The broker keeps its users in sasl.json, and at
// a start believes that file instead of its options. Therefore signIn removes the file: the secret
// decides.
func signIn(dir string) (Kafka, error) {
	password, err := secret(filepath.Join(dir, "secret"))
	if err != nil {
		return Kafka{}, err
	}
	err = os.Remove(filepath.Join(dir, "sasl.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Kafka{}, err
	}
	return Kafka{Mechanism: "SCRAM-SHA-256", User: "blotter", Password: password}, nil
}

func (b *broker) failed() error          { return b.log.failure() }
func (b *broker) ended() <-chan struct{} { return b.log.broken }

// stop writes a snapshot of every partition, and reports a failure to do so. A broker that failed
// before is blocked for good, and only the end of the process ends it.
func (b *broker) stop() error {
	if b.log.setServing(false) != nil {
		b.log.clients.cut()
		return nil // failed reports it
	}
	b.cluster.Close()
	err := b.failed()
	b.log.once.Do(func() { close(b.log.broken) })
	return err
}

// boundByPartition limits a fetch only by its limit for each partition. When this broker reaches a
// fetch's limit over all partitions, it answers with the batches that it has read, without the list
// of the aborted transactions among them: a read_committed client would get aborted records. A real
// broker sends this list in every answer.
func boundByPartition(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		r.(*kmsg.FetchRequest).MaxBytes = math.MaxInt32
		return nil, nil, false // the broker handles the request
	})
}

// brokerLog watches the broker's log for a failed write to its directory, which the broker reports
// nowhere else. After one the broker would serve from memory and acknowledge commits that are not
// on disk. Therefore the first such log line cuts all connections and never returns. This blocks
// the broker's only working thread: it answers no further request, not even the current one, and
// writes nothing after a torn entry. Clients see an unknown outcome, as after any crash.
type brokerLog struct {
	progress func(string)
	clients  *listener
	broken   chan struct{} // closed at the first failure, and when the broker has stopped
	once     sync.Once

	mu      sync.Mutex
	serving bool
	first   string
}

func (l *brokerLog) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	l.clients = &listener{Listener: inner, conns: map[net.Conn]bool{}}
	return l.clients, nil
}

// Logf implements kfake.Logger.
func (l *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	line := fmt.Sprintf(format, args...)
	l.progress("kafka: " + line)
	if level != kfake.LogLevelError && !strings.HasPrefix(line, "persist") &&
		!strings.HasPrefix(line, "rebuildSegments") {
		return
	}
	if l.fail(line) {
		l.clients.cut()
		l.once.Do(func() { close(l.broken) })
		select {}
	}
}

// fail records the first failure, and reports whether the broker serves clients.
func (l *brokerLog) fail(line string) (serving bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = line
	}
	return l.serving
}

// setServing records whether the broker serves clients from now on. It returns the failure of a
// broker that has failed before.
func (l *brokerLog) setServing(serving bool) error {
	l.mu.Lock()
	l.serving = serving
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
		"make sure that the disk has room and can be written, then run the command again; "+
			"acknowledged data is kept")
}

// listener tracks the connections that it accepted, and can cut all of them at once.
type listener struct {
	net.Listener
	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		c.Close()
		return nil, net.ErrClosed
	}
	l.conns[c] = true
	return &conn{c, l}, nil
}

// cut closes every connection and accepts no more. Bytes that are written after cut has returned
// reach no client.
func (l *listener) cut() {
	l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.conns {
		c.Close()
	}
}

type conn struct {
	net.Conn
	l *listener
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.l.mu.Lock()
	delete(c.l.conns, c.Conn)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
