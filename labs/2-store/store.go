// Code generated from solutions/2-store/plain/store.go by make generate; DO NOT EDIT.

package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// Options say which log is opened, and how.
type Options struct {
	Brokers    []string           // host:port of some
	Prefix     string             // of topics and transactional ids: the name of the log
	Partitions int32              // of a log that is created now; ignored for one that exists; 0 means 1
	Clock      contract.Clock     // gives recorded_at
	Heads      contract.HeadCodec // of the compacted topic
	Address    string             // where others reach this process; written into the log at take-over
	Place      Placement          // which streams share a partition
	ReadOnly   bool               // take over nothing, create nothing; Append is ErrReadOnly
	Alone      bool               // with ReadOnly: the caller sees to it that nobody writes while this store is open
	Timeout    time.Duration      // for the broker to answer a transaction; 0 means 15 s
}

// A Placement says which streams share a partition: those that have one key. The zero Placement gives each stream a key of its own, its
// name.
type Placement struct {
	Name string // is written into a log that is created, which never takes another
	Key  func(stream string) string
}

// ErrReadOnly is the answer to an append through a store that only reads.
var ErrReadOnly = errors.New("the log is open for reading only")

// Store is a log on Kafka. It is safe for concurrent use.
type Store struct {
	opts          Options
	events, heads string      // topics
	client        *kgo.Client // for questions; writes go through each owner's own
	admin         *kadm.Client

	mu     sync.Mutex // held from a decision until its outcome is known, and by whoever looks into the index
	owners []*owner   // by partition
	index  *index
}

var _ contract.Store = (*Store)(nil)

// Open opens a log, creating its topics where they are missing, and takes over its partitions.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s, err := connect(opts)
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open log %s: %w", opts.Prefix, err)
	}
	return s, nil
}

func connect(opts Options) (*Store, error) {
	if opts.Timeout == 0 {
		opts.Timeout = 15 * time.Second
	}
	s := &Store{opts: opts, events: opts.Prefix + ".events", heads: opts.Prefix + ".heads", index: newIndex()}
	client, err := s.dial()
	if err != nil {
		return nil, err
	}
	s.client, s.admin = client, kadm.NewClient(client)
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	partitions, err := s.prepareTopics(ctx)
	if err != nil {
		return err
	}
	for p := range partitions {
		s.owners = append(s.owners, &owner{s: s, partition: p})
	}
	if s.opts.ReadOnly {
		return nil
	}
	for _, o := range s.owners {
		if err := o.takeOver(ctx); err != nil {
			return fmt.Errorf("take over partition %d: %w", o.partition, err)
		}
	}
	return nil
}

// dial is a client of the brokers with what all our clients have in common.
func (s *Store) dial(more ...kgo.Opt) (*kgo.Client, error) {
	common := []kgo.Opt{
		kgo.SeedBrokers(s.opts.Brokers...),
		kgo.MetadataMinAge(10 * time.Millisecond), // a topic that was just created must be found at once
	}
	client, err := kgo.NewClient(append(common, more...)...)
	if err != nil {
		return nil, fmt.Errorf("client for %v: %w", s.opts.Brokers, err)
	}
	return client, nil
}

// Close waits for the append under way and drops the connections. Nothing is lost by not calling it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.owners {
		o.leave()
	}
	s.client.Close()
	return nil
}

// partitionOf is where a stream lives: murmur2 of its key modulo the partitions, as Kafka's own default partitioner has it. It must never
// change for a log that exists.
func (s *Store) partitionOf(stream string) int32 {
	key := stream
	if s.opts.Place.Key != nil {
		key = s.opts.Place.Key(stream)
	}
	return int32(kgo.StickyKeyPartitioner(nil).ForTopic(s.events).Partition(&kgo.Record{Key: []byte(key)}, len(s.owners)))
}

// Append puts events at the end of stream. contract.ErrFenced, and any error of the context, are mended by appending the same
// events again.
func (s *Store) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if s.opts.ReadOnly {
		return nil, ErrReadOnly
	}
	if err := validate(stream, events); err != nil {
		return nil, err
	}
	own := make([]contract.Event, len(events))
	for i, e := range events {
		e.Data = slices.Clone(e.Data) // the caller's bytes are the caller's
		own[i] = e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	receipts, err := s.owners[s.partitionOf(stream)].append(ctx, stream, expected, own)
	if err != nil {
		return nil, fmt.Errorf("append to %s: %w", stream, err)
	}
	return receipts, nil
}

// validate says what makes a batch one that no store takes. The error wraps contract.ErrInvalid.
func validate(stream string, events []contract.Event) error {
	if len(events) == 0 {
		return fmt.Errorf("%w: a batch of nothing for stream %q", contract.ErrInvalid, stream)
	}
	seen := map[uuid.UUID]bool{}
	for i, e := range events {
		if err := e.Validate(); err != nil {
			return err
		}
		if e.Stream != stream {
			return fmt.Errorf("%w %s: its stream is %q, and it is appended to %q", contract.ErrInvalid, e.ID, e.Stream, stream)
		}
		if seen[e.ID] {
			return fmt.Errorf("%w %s: its id is twice in one batch", contract.ErrInvalid, e.ID)
		}
		if e.Ends && i < len(events)-1 {
			return fmt.Errorf("%w %s: it ends stream %s, and another event follows", contract.ErrInvalid, e.ID, stream)
		}
		seen[e.ID] = true
	}
	return nil
}

// Find is the event with this id.
func (s *Store) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(ctx); err != nil {
		return contract.Recorded{}, fmt.Errorf("find %s: %w", id, err)
	}
	e, ok := s.index.find(id)
	if !ok {
		return e, fmt.Errorf("%w: %s", contract.ErrNotFound, id)
	}
	return cloned(e), nil
}

// Stream is the events of one stream as it stands when the iteration begins.
func (s *Store) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		s.mu.Lock()
		err := s.refresh(ctx)
		events := s.index.streams[stream] // what is in it never changes, so it may be read without the lock
		s.mu.Unlock()
		if err != nil {
			yield(contract.Recorded{}, fmt.Errorf("stream %s: %w", stream, err))
			return
		}
		for _, e := range events {
			if !yield(cloned(e), nil) {
				return
			}
		}
	}
}

// refresh reads what others have written, where it is not we who write.
func (s *Store) refresh(ctx context.Context) error {
	if !s.opts.ReadOnly {
		return nil
	}
	end, err := s.End(ctx)
	if err != nil {
		return err
	}
	for _, o := range s.owners {
		if err := o.catchUp(ctx, end.At(o.partition)); err != nil {
			return err
		}
	}
	return nil
}

// copied shares no bytes with e: what is recorded never changes, whatever callers do to theirs.
func cloned(e contract.Recorded) contract.Recorded {
	e.Data = slices.Clone(e.Data)
	return e
}
