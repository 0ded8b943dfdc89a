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

// Options name a log and how it is opened.
type Options struct {
	Brokers    []kgo.Opt          // reach and sign in to the brokers: kgo.SeedBrokers and more
	Prefix     string             // the name of the log: prefix of its topics and transactional ids
	Partitions int32              // of a new log; ignored for an existing log; 0 means 1
	Clock      contract.Clock     // gives recorded_at
	Simulated  bool               // of a new log: its times are simulated (contract.Timeline)
	Heads      contract.HeadCodec // encodes the heads
	Address    string             // of this process, for others; written into the marks
	Place      Placement          // decides which streams share a partition
	ReadOnly   bool               // take over nothing, create nothing; Append returns ErrReadOnly
	Alone      bool               // with ReadOnly: the caller guarantees that no process writes
	Shared     bool               // others may take over without notice: read before each answer
	Timeout    time.Duration      // of a transaction; 0 means 15 s
}

// A Placement gives each stream a key. Streams with the same key share a partition. Under the zero
// Placement the key of a stream is its name.
type Placement struct {
	Name string // recorded in a new log, which then cannot be opened with another placement
	Key  func(stream string) string
}

// ErrReadOnly is the error of Append on a read-only store.
var ErrReadOnly = errors.New("the log is open read-only")

// Store is a log on Kafka. It is safe for concurrent use.
type Store struct {
	opts          Options
	events, heads string      // topics
	client        *kgo.Client // for queries; each owner writes with a client of its own
	admin         *kadm.Client

	mu     sync.Mutex // held from a decision until its outcome is known, and to read the index
	owners []*owner   // by partition
	index  *index

	created *layout // according to the log; nil before a mark was read
}

var _ contract.Store = (*Store)(nil)

// Open opens a log. It creates missing topics and takes over the partitions.
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
	s := &Store{
		opts: opts, index: newIndex(),
		events: opts.Prefix + ".events", heads: opts.Prefix + ".heads",
	}
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
		// Another owner may take the partition over during this. The next append takes it back.
		if err := o.takeOver(ctx); err != nil && !isUsurped(err) {
			return fmt.Errorf("take over partition %d: %w", o.partition, err)
		}
	}
	return nil
}

// dial returns a client with the options that all our clients share, and more.
func (s *Store) dial(more ...kgo.Opt) (*kgo.Client, error) {
	common := []kgo.Opt{kgo.MetadataMinAge(10 * time.Millisecond)} // find a new topic at once
	client, err := kgo.NewClient(slices.Concat(s.opts.Brokers, common, more)...)
	if err != nil {
		return nil, fmt.Errorf("client of the brokers: %w", err)
	}
	return client, nil
}

// Close waits for the append in flight and closes the connections. A process that ends without
// Close loses nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.owners {
		o.leave()
	}
	s.client.Close()
	return nil
}

// partitionOf returns the partition of a stream: murmur2 of its key modulo the number of
// partitions, like Kafka's default partitioner. It must never change for an existing log.
func (s *Store) partitionOf(stream string) int32 {
	key := stream
	if s.opts.Place.Key != nil {
		key = s.opts.Place.Key(stream)
	}
	hash := kgo.StickyKeyPartitioner(nil).ForTopic(s.events)
	return int32(hash.Partition(&kgo.Record{Key: []byte(key)}, len(s.owners)))
}

// Append adds events at the end of a stream. After contract.ErrFenced, or an error of the context,
// append the same events again.
func (s *Store) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if s.opts.ReadOnly {
		return nil, ErrReadOnly
	}
	if err := validate(stream, events); err != nil {
		return nil, err
	}
	own := make([]contract.Event, len(events))
	for i, e := range events {
		e.Data = slices.Clone(e.Data) // the caller may change its bytes
		own[i] = e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	receipts, err := s.append(ctx, stream, expected, own)
	if err != nil {
		return nil, fmt.Errorf("append to %s: %w", stream, err)
	}
	return receipts, nil
}

// append has the owner of the stream's partition append the events. A conflict may come from an old
// index: another process may have taken over, and this one has no notice of it. So the owner reads
// the newer events, and decides again. It then either writes, and is fenced, or the answer is true.
func (s *Store) append(
	ctx context.Context, stream string, expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	o := s.owners[s.partitionOf(stream)]
	receipts, err := o.append(ctx, stream, expected, events)
	var conflict *contract.ConflictError
	if !s.opts.Shared || !errors.As(err, &conflict) {
		return receipts, err
	}
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	return o.append(ctx, stream, expected, events)
}

// validate returns an error for a batch that every store refuses. It wraps contract.ErrInvalid.
func validate(stream string, events []contract.Event) error {
	if len(events) == 0 {
		return fmt.Errorf("%w: empty batch for stream %q", contract.ErrInvalid, stream)
	}
	seen := map[uuid.UUID]bool{}
	for i, e := range events {
		if err := e.Validate(); err != nil {
			return err
		}
		if e.Stream != stream {
			return fmt.Errorf("%w %s: its stream is %q, but it is appended to %q",
				contract.ErrInvalid, e.ID, e.Stream, stream)
		}
		if seen[e.ID] {
			return fmt.Errorf("%w %s: its id occurs twice in the batch", contract.ErrInvalid, e.ID)
		}
		if e.Ends && i < len(events)-1 {
			return fmt.Errorf("%w %s: it ends stream %s, but another event follows",
				contract.ErrInvalid, e.ID, stream)
		}
		seen[e.ID] = true
	}
	return nil
}

// Find returns the event with this id.
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

// Stream yields the events that a stream has when the iteration begins.
func (s *Store) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		s.mu.Lock()
		err := s.refresh(ctx)
		events := s.index.streams[stream] // its elements never change: no lock needed
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

// Timeline returns the rules of recorded_at, as the first marks of the log state them.
func (s *Store) Timeline(ctx context.Context) (contract.Timeline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(ctx); err != nil {
		return contract.Timeline{}, fmt.Errorf("timeline: %w", err)
	}
	return contract.Timeline{Simulated: s.layout().Simulated}, nil
}

// refresh reads new events of other processes into the index of a read-only store. The owner of a
// shared log needs that, too: it may have lost its partition without notice. An append answers
// after its events are visible, so the index then has every event that was acknowledged before.
func (s *Store) refresh(ctx context.Context) error {
	if !s.opts.ReadOnly && !s.opts.Shared {
		return nil
	}
	end, err := s.End(ctx)
	if err != nil {
		return err
	}
	for _, o := range s.owners {
		if err := o.follow(ctx, end.At(o.partition)); err != nil {
			return err
		}
	}
	return nil
}

// cloned returns e with its own copy of the data: a caller may change the copy, but recorded events
// never change.
func cloned(e contract.Recorded) contract.Recorded {
	e.Data = slices.Clone(e.Data)
	return e
}
