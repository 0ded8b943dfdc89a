package kafka

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// Options say which log is opened, and how.
type Options struct {
	Brokers    []string           // host:port of some
	Prefix     string             // of topics, group and transactional ids: the name of the log
	Partitions int32              // of a log that is created now; ignored for one that exists; 0 means 1
	Place      Placement          // of streams into partitions; a log that exists has its own, and ErrUnfit is for another
	Clock      contract.Clock     // gives recorded_at
	Heads      contract.HeadCodec // of the compacted topic
	Address    string             // where others reach this process, and nobody else; written into the log at take-over
	ReadOnly   bool               // take over nothing, create nothing; Append is ErrReadOnly
	Alone      bool               // with ReadOnly: the caller sees to it that nobody owns a partition while this store is open
	Timeout    time.Duration      // for the broker to answer a transaction; 0 means 15 s
	Dir        string             // of the index files; empty keeps the index in memory, which a start fills from the whole log
	Unwritten  int                // events per partition that may be missing in its index file; 0 means 2048
	Log        *slog.Logger       // nil discards

	// For tests: how long the group waits for a member that is silent, if not sessionTimeout; and how brokers are reached.
	session time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Errors of this store beside those of the contract.
var (
	ErrReadOnly = errors.New("the log is open for reading only")
	ErrClosed   = errors.New("the store is closed")
	// ErrReplaced says that another process has opened the log under our address, as a supervisor has it do that takes us for dead. It is a kind
	// of contract.ErrFenced that does not mend: open the log anew, under another address.
	ErrReplaced = fmt.Errorf("%w: another process has our address", contract.ErrFenced)
	// ErrUnknownOutcome says that an append may or may not be recorded: the place was lost before the log could be asked. It is
	// a kind of contract.ErrFenced, and mended as that is: append the same events again.
	ErrUnknownOutcome = fmt.Errorf("%w, and it is not known whether the append is recorded", contract.ErrFenced)
)

// Store is a log on Kafka. It is safe for concurrent use.
type Store struct {
	opts          Options
	events, heads string // topics
	partitions    int32
	client        *kgo.Client // for questions; writes go through each owner's own
	admin         *kadm.Client
	waiting       *waiting
	topicID       kadm.TopicID // of the events
	index         *index
	loans         []loan          // of index files of partitions that are not ours
	ctx           context.Context // ends with Close
	cancel        context.CancelFunc
	tenure        tenure        // of our address
	left          chan struct{} // closed once the group is left for good

	mu       sync.Mutex
	member   *membership   // the one that counts; nil between two
	owners   []*owner      // by partition; nil where we are not the owner
	latest   []*owner      // by partition: who was the owner here last, and may still be ending
	settled  bool          // the group has told us what is ours
	replaced bool          // another process has our address, for good
	changed  chan struct{} // closed at the next change of the two above
}

var _ contract.Store = (*Store)(nil)

// Open opens a log, creating its topics where they are missing, and takes over the partitions that the group gives us. It
// returns once all of them are served. ErrUnfit is for topics that cannot hold a log.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s, err := connect(opts)
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open log %s: %w", opts.Prefix, err)
	}
	return s, nil
}

func connect(opts Options) (*Store, error) {
	if opts.Timeout == 0 {
		opts.Timeout = 15 * time.Second
	}
	if opts.session == 0 {
		opts.session = sessionTimeout
	}
	if opts.Unwritten == 0 {
		opts.Unwritten = 2048
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		opts: opts, events: opts.Prefix + ".events", heads: opts.Prefix + ".heads",
		waiting: &waiting{log: opts.Log}, changed: make(chan struct{}), left: make(chan struct{}),
	}
	client, err := s.dial()
	if err != nil {
		return nil, err
	}
	s.client, s.admin = client, kadm.NewClient(client)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// clientPrefix is before the address in our client ids, where the group shows it to others.
const clientPrefix = "blotter@"

// dial is a client of the brokers with what all our clients have in common.
func (s *Store) dial(more ...kgo.Opt) (*kgo.Client, error) {
	common := []kgo.Opt{
		kgo.SeedBrokers(s.opts.Brokers...),
		kgo.ClientID(clientPrefix + s.opts.Address),
		kgo.WithHooks(s.waiting),
		kgo.RetryBackoffFn(backoff),
		kgo.MetadataMinAge(10 * time.Millisecond), // a topic that was just created must be found at once
	}
	if s.opts.dial != nil {
		common = append(common, kgo.Dialer(s.opts.dial))
	}
	client, err := kgo.NewClient(append(common, more...)...)
	if err != nil {
		return nil, fmt.Errorf("client for %v: %w", s.opts.Brokers, err)
	}
	return client, nil
}

func (s *Store) start(ctx context.Context) error {
	partitions, err := s.prepare(ctx)
	if err != nil {
		close(s.left)
		return err
	}
	s.partitions, s.loans = partitions, make([]loan, partitions)
	s.owners, s.latest = make([]*owner, partitions), make([]*owner, partitions)
	s.index = newIndex(partitions, s.part)
	if s.opts.ReadOnly {
		s.settled = true
		close(s.left)
		return nil
	}
	if err := s.occupy(ctx); err != nil {
		close(s.left)
		return fmt.Errorf("occupy the address %s: %w", s.opts.Address, err)
	}
	go s.belong()
	return s.served(ctx)
}

// Close finishes the transactions under way, leaves the group so that others need not wait, and drops the connections.
func (s *Store) Close() error {
	s.cancel()
	<-s.left
	s.leave()
	for p := range s.loans {
		s.loans[p].giveBack()
	}
	s.client.Close()
	return nil
}

// Append puts events at the end of stream through the owner of its partition. *contract.NotOwnerError names the owner where
// that is another process; contract.ErrFenced says that it was us until now. Both, and any error of the context, are mended by appending
// the same events again.
func (s *Store) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if s.opts.ReadOnly {
		return nil, ErrReadOnly
	}
	if err := store.Validate(stream, events); err != nil {
		return nil, err
	}
	r := &request{ctx: ctx, stream: stream, expected: expected, answer: make(chan answer, 1)}
	for _, e := range events {
		r.events = append(r.events, copied(contract.Recorded{Event: e}).Event)
		r.size += len(e.Data) + headersSize
	}
	o, err := s.owner(ctx, s.partition(stream))
	if err != nil {
		return nil, fmt.Errorf("append to %s: %w", stream, err)
	}
	return o.submit(r)
}

// part is the index of a partition, before anything is in it.
func (s *Store) part(partition int32) *part {
	p := &part{limit: s.opts.Unwritten, wake: make(chan struct{}, 1)}
	if s.opts.Dir != "" {
		base, log := s.indexOf(partition)
		p.open = func() (*indexFile, error) { return openIndexFile(base, log, partition) }
		p.begin = func() (*indexFile, error) { return createIndexFile(base, log, partition) }
	}
	return p
}

// indexOf says where the index of a partition is, and of which log it must be.
func (s *Store) indexOf(partition int32) (base, log string) {
	return indexBase(s.opts.Dir, s.opts.Prefix, partition), fmt.Sprintf("%s/%d", s.topicID, partition)
}

// Find is the event with this id. Partitions that we own are asked of the index; the others' are read through, from where
// their index files end.
func (s *Store) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, ok, err := s.find(ctx, id)
	if err == nil && !ok {
		err = contract.ErrNotFound
	}
	if err != nil {
		return contract.Recorded{}, fmt.Errorf("find %s: %w", id, err)
	}
	return e, nil
}

func (s *Store) find(ctx context.Context, id uuid.UUID) (e contract.Recorded, ok bool, err error) {
	foreign, err := s.foreign(ctx)
	if err != nil {
		return e, false, err
	}
	for n, p := range s.index.parts {
		if foreign[int32(n)] {
			continue
		}
		if err := p.await(ctx, func(d *draft) bool { _, in := d.ids[id]; return in }); err != nil {
			return e, false, err
		}
		if e, ok, err = p.find(id); ok {
			return e, true, nil
		}
		foreign[int32(n)] = err != nil // its owner makes it anew, or is no more
	}
	maps.DeleteFunc(foreign, func(_ int32, is bool) bool { return !is })
	return s.findForeign(ctx, foreign, id)
}

func (s *Store) findForeign(ctx context.Context, partitions map[int32]bool, id uuid.UUID) (e contract.Recorded, ok bool, err error) {
	if len(partitions) == 0 {
		return e, false, nil
	}
	end, err := s.End(ctx)
	if err != nil {
		return e, false, err
	}
	for p := range partitions {
		if e, ok, err = s.findThrough(ctx, p, end.At(p), id); ok || err != nil {
			return e, ok, err
		}
	}
	return e, false, nil
}

// Stream is the events of one stream: from the index if we own its partition, otherwise by reading the partition through, from where
// its index file ends.
func (s *Store) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		events, err := s.stream(ctx, stream)
		if err != nil {
			yield(contract.Recorded{}, fmt.Errorf("stream %s: %w", stream, err))
			return
		}
		for _, e := range events {
			if !yield(e, ctx.Err()) {
				return
			}
		}
	}
}

func (s *Store) stream(ctx context.Context, stream string) ([]contract.Recorded, error) {
	partition := s.partition(stream)
	foreign, err := s.foreign(ctx)
	if err != nil {
		return nil, err
	}
	if p := s.index.parts[partition]; !foreign[partition] {
		if err := p.await(ctx, func(d *draft) bool { _, in := d.ends[stream]; return in }); err != nil {
			return nil, err
		}
		events, err := p.stream(stream)
		if err == nil {
			return events, nil
		} // else its owner makes it anew, or is no more
	}
	end, err := s.End(ctx)
	if err != nil {
		return nil, err
	}
	return s.streamThrough(ctx, partition, end.At(partition), stream)
}
