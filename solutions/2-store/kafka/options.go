package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka/membership"
)

// Options name the log to open and say how.
type Options struct {
	Brokers    []kgo.Opt // reach and sign in to the brokers: kgo.SeedBrokers and more
	Prefix     string    // the name of the log; begins its topics, group and transactional ids
	Partitions int32     // of a log that is created now; 0 means 1; ignored if the log exists
	Place      Placement
	Clock      contract.Clock     // gives recorded_at
	Simulated  bool               // of a log that is created now: see contract.Timeline
	Heads      contract.HeadCodec // of the compacted topic; with ReadOnly nil reads no heads
	Address    string             // of this process alone; written into the log at each take-over
	ReadOnly   bool               // take over nothing, create nothing; Append returns ErrReadOnly
	Alone      bool               // with ReadOnly: the caller ensures that there are no owners
	Timeout    time.Duration      // for the broker to answer a transaction; 0 means 15 s
	Dir        string             // of the index files; empty keeps the index in memory
	Unwritten  int                // see index.Options; 0 means 256
	Log        *slog.Logger       // nil discards
	Grouped    func(events int)   // is told the size of each committed group; nil: nobody is

	// For tests: the silence after which the group drops a member, and the way to reach brokers.
	session time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o *Options) setDefaults() {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Unwritten == 0 {
		o.Unwritten = 256
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Grouped == nil {
		o.Grouped = func(int) {}
	}
}

// Errors of this store beside those of the contract.
var (
	ErrReadOnly = errors.New("the log is open for reading only")
	ErrClosed   = membership.ErrClosed
	ErrReplaced = membership.ErrReplaced
	// ErrUnknownOutcome means that an append may or may not be recorded: the partition was lost
	// before the log could be asked. It is a contract.ErrFenced, and has the same cure: append the
	// same events again.
	ErrUnknownOutcome = fmt.Errorf(
		"%w, and it is not known whether the append is recorded", contract.ErrFenced)
	// ErrUnfit is wrapped by the error of Open for topics that cannot hold a log.
	ErrUnfit = errors.New("topic cannot hold a log")
)
