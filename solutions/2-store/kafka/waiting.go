package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// waiting tells the log what our clients wait for while they cannot reach a broker: they try again without a word. It says so once,
// and once when a broker answers again.
type waiting struct {
	log  *slog.Logger
	away atomic.Bool
}

var _ kgo.HookBrokerConnect = (*waiting)(nil)

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (w *waiting) OnBrokerConnect(broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	at := net.JoinHostPort(broker.Host, fmt.Sprint(broker.Port))
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed): // it was us who gave up
	case err != nil && w.away.CompareAndSwap(false, true):
		w.log.Warn("waiting for the broker", "at", at, "err", err)
	case err == nil && w.away.CompareAndSwap(true, false):
		w.log.Warn("the broker answers again", "at", at)
	}
}

// patience is how long a question waits for a broker that is away: long enough for a restart, and not for ever, since whoever asked may
// have something better to do. An append waits for as long as its caller does.
const patience = time.Minute

// backoff is how long a client waits before its next try: a second at most, so that a broker that is back is soon noticed.
func backoff(tries int) time.Duration {
	return retryAfter << max(0, min(tries-1, 2))
}

// patiently asks again while no broker can be reached.
func patiently[T any](ctx context.Context, s *Store, ask func() (T, error)) (T, error) {
	for began := time.Now(); ; {
		answer, err := ask()
		if err == nil || !unreachable(err) || ctx.Err() != nil || s.ctx.Err() != nil || time.Since(began) > patience {
			return answer, err
		}
		s.pause()
	}
}

// unreachable says that a broker was not there to be asked, or not yet ready to answer.
func unreachable(err error) bool {
	var network net.Error
	var closed *kgo.ErrFirstReadEOF
	return errors.As(err, &network) || errors.As(err, &closed) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || kerr.IsRetriable(err)
}
