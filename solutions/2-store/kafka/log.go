package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/solutions/2-store/kafka/membership"
)

// A log is the two topics on the brokers, and the connection to the brokers. The store, the owners
// and the readers use a log. A log uses none of them.
type log struct {
	opts          Options
	logger        *slog.Logger
	outage        *outage
	events, heads string // topics
	eventsID      kadm.TopicID
	partitions    int32
	simulated     bool        // according to the first marks of the log
	client        *kgo.Client // for questions; each owner has its own for its writes
	admin         *kadm.Client
	ctx           context.Context // ends with Close
	cancel        context.CancelFunc
}

func connect(opts Options) (*log, error) {
	opts.setDefaults()
	l := &log{
		opts: opts, logger: opts.Log.With("log", opts.Prefix), outage: &outage{logger: opts.Log},
		events: opts.Prefix + ".events", heads: opts.Prefix + ".heads",
	}
	client, err := l.dial()
	if err != nil {
		return nil, err
	}
	l.client, l.admin = client, kadm.NewClient(client)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// dial returns a client of the brokers with the options that all our clients share, and more.
func (l *log) dial(more ...kgo.Opt) (*kgo.Client, error) {
	common := []kgo.Opt{
		kgo.ClientID(membership.ClientID(l.opts.Address)),
		kgo.WithHooks(l.outage),
		kgo.RetryBackoffFn(backoff),
		kgo.MetadataMinAge(10 * time.Millisecond), // to find a topic that was just created
	}
	if l.opts.dial != nil {
		common = append(common, kgo.Dialer(l.opts.dial))
	}
	client, err := kgo.NewClient(slices.Concat(l.opts.Brokers, common, more)...)
	if err != nil {
		return nil, fmt.Errorf("client of the brokers: %w", err)
	}
	return client, nil
}

// An outage logs that our clients cannot reach a broker. They try again silently. It logs once when
// the outage begins, and once when a broker answers again.
type outage struct {
	logger *slog.Logger
	away   atomic.Bool
}

var _ kgo.HookBrokerConnect = (*outage)(nil)

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (o *outage) OnBrokerConnect(
	broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error,
) {
	at := net.JoinHostPort(broker.Host, fmt.Sprint(broker.Port))
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed): // by ourselves
	case err != nil && o.away.CompareAndSwap(false, true):
		o.logger.Warn("waiting for the broker", "at", at, "err", err)
	case err == nil && o.away.CompareAndSwap(true, false):
		o.logger.Warn("the broker answers again", "at", at)
	}
}

// patience is the time that a question waits for a broker that is away. It is enough for a restart.
// It is bounded, because the caller of a read may have other work. An append waits as long as its
// caller does.
const patience = time.Minute

const retryAfter = 250 * time.Millisecond

// backoff returns the pause before a client's next try: a second at most, so that a broker that is
// back is soon noticed.
func backoff(tries int) time.Duration {
	return retryAfter << max(0, min(tries-1, 2))
}

// pause waits a short time before the next try, or until the store is closed.
func (l *log) pause() {
	select {
	case <-time.After(retryAfter):
	case <-l.ctx.Done():
	}
}

// patiently asks again while no broker can be reached.
func patiently[T any](ctx context.Context, l *log, ask func() (T, error)) (T, error) {
	for began := time.Now(); ; {
		answer, err := ask()
		over := ctx.Err() != nil || l.ctx.Err() != nil || time.Since(began) > patience
		if err == nil || over || !unreachable(err) {
			return answer, err
		}
		l.pause()
	}
}

// unreachable reports whether err means that a broker was not there, or not yet ready to answer.
// Nobody repairs a certificate within the time that a call waits.
func unreachable(err error) bool {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return false
	}
	var network net.Error
	var closed *kgo.ErrFirstReadEOF
	return errors.As(err, &network) || errors.As(err, &closed) || errors.Is(err, io.EOF) ||
		errors.Is(err, net.ErrClosed) || kerr.IsRetriable(err)
}
