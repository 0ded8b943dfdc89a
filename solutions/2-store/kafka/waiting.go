package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

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
	case errors.Is(err, context.Canceled): // it was us who gave up
	case err != nil && w.away.CompareAndSwap(false, true):
		w.log.Warn("waiting for the broker", "at", at, "err", err)
	case err == nil && w.away.CompareAndSwap(true, false):
		w.log.Warn("the broker answers again", "at", at)
	}
}
