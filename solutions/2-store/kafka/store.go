package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
	"example.com/blotter/solutions/2-store/kafka/index"
	"example.com/blotter/solutions/2-store/kafka/membership"
)

// Store is a log on Kafka. It is safe for concurrent use.
type Store struct {
	*log
	index  *index.Index
	copies []indexCopy               // of the partitions of other owners
	group  *membership.Group[*owner] // nil for a reader
	warned sync.Once                 // of an index that a reader cannot use

	retired sync.Once
}

var (
	_ contract.Atomic  = (*Store)(nil)
	_ contract.Resumer = (*Store)(nil)
)

// Open opens a log. It creates the topics if they are missing, and takes over the partitions that
// the group assigns to this process. It returns after all of them are served. ErrUnfit means that
// the topics cannot hold a log.
func Open(ctx context.Context, opts Options) (*Store, error) {
	l, err := connect(opts)
	if err != nil {
		return nil, err
	}
	s := &Store{log: l}
	if err := s.start(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open log %s: %w", opts.Prefix, err)
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	s.index = index.New(s.partitions, s.indexOptions)
	for p := range s.partitions {
		s.copies = append(s.copies, indexCopy{Copy: index.NewCopy(s.indexOptions(p))})
	}
	if s.opts.ReadOnly {
		return nil
	}
	s.group = membership.New(s.ctx, membership.Config[*owner]{
		Log: s.opts.Prefix, Topic: s.heads, Partitions: s.partitions, Address: s.opts.Address,
		Timeout: s.opts.Timeout, Session: s.opts.session, Logger: s.logger,
		Client: s.client, Dial: s.dial, Pause: s.pause,
		Own: func(partition int32, fenced func()) *owner {
			o := newOwner(s.log, s.index, partition, fenced)
			go o.run()
			return o
		},
	})
	if err := s.group.Join(ctx); err != nil {
		return err
	}
	return s.awaitServing(ctx)
}

func (s *Store) indexOptions(partition int32) index.Options {
	return index.Options{
		Dir: s.opts.Dir, Prefix: s.opts.Prefix, Partition: partition, Unwritten: s.opts.Unwritten,
		Log: fmt.Sprintf("%s/%d", s.eventsID, partition), Codec: indexCodec{},
	}
}

// Retire finishes the transactions in flight, also those of callers that gave up, closes the index
// files, and leaves the group so that others need not wait. After that End and Read go on, and
// Append returns ErrClosed.
func (s *Store) Retire() {
	s.cancel()
	if s.group != nil {
		s.retired.Do(s.group.Leave)
	}
}

// Reached returns the cursor after the last event that this process has written or read into its
// index, without asking a broker. It is the same after Retire.
func (s *Store) Reached() contract.Cursor {
	reached := make(contract.Cursor, len(s.index.Partitions))
	for n, p := range s.index.Partitions {
		reached[n] = p.Reached()
	}
	return reached
}

// Close retires, and closes the connections.
func (s *Store) Close() error {
	s.Retire()
	for p := range s.copies {
		s.copies[p].close()
	}
	s.client.Close()
	return nil
}

// Append adds events to the end of stream, through the owner of its partition. If that is another
// process, the error is *contract.NotOwnerError and names it. contract.ErrFenced means that this
// process was the owner until now. The cure for both, and for any error of the context, is to
// append the same events again.
func (s *Store) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if s.opts.ReadOnly {
		return nil, ErrReadOnly
	}
	if err := store.Validate(stream, events); err != nil {
		return nil, err
	}
	o, err := s.owner(ctx, s.PartitionOf(stream))
	if err != nil {
		return nil, fmt.Errorf("append to %s: %w", stream, err)
	}
	return o.submit(newRequest(ctx, stream, expected, events))
}

// AppendAll adds events to the ends of several streams, through the owner of their partition. Its
// transaction has all events and the heads of all streams. The errors are those of Append.
func (s *Store) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	if s.opts.ReadOnly {
		return nil, ErrReadOnly
	}
	if err := store.ValidateAll(appends, guards); err != nil {
		return nil, err
	}
	if err := s.apart(store.StreamsOf(appends, guards)); err != nil {
		return nil, err
	}
	o, err := s.owner(ctx, s.PartitionOf(appends[0].Stream))
	if err != nil {
		return nil, fmt.Errorf("append to %s: %w", store.Named(appends), err)
	}
	receipts, err := o.submit(newAtomicRequest(ctx, store.Grouped(appends), slices.Clone(guards)))
	if err != nil {
		return nil, err
	}
	all := make([][]contract.Receipt, len(appends))
	for i, a := range appends {
		all[i], receipts = receipts[:len(a.Events):len(a.Events)], receipts[len(a.Events):]
	}
	return all, nil
}

// Together implements contract.Atomic.
func (s *Store) Together(streams ...string) bool {
	return contract.Apart(streams...) == nil && s.apart(streams) == nil
}

// apart returns an *contract.ApartError if the Placement of the log puts streams into different
// partitions. Under ByPlace it never does so with the streams of one group.
func (s *Store) apart(streams []string) error {
	for _, other := range streams[min(1, len(streams)):] {
		if s.PartitionOf(other) != s.PartitionOf(streams[0]) {
			return &contract.ApartError{Stream: streams[0], Other: other}
		}
	}
	return nil
}

// PartitionOf returns the partition of a stream. recorded_at rises within it, in the order in which
// its appends are queued (contract.OnQueued).
func (s *Store) PartitionOf(stream string) int32 {
	return s.opts.Place.partition(stream, s.partitions)
}

// owner returns our owner of a partition. The error is *contract.NotOwnerError if the partition is
// not ours, and ErrReplaced if no partition will ever be again.
func (s *Store) owner(ctx context.Context, partition int32) (*owner, error) {
	owners, err := s.writers(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(owners, nil) {
		// If all partitions are ours, an id is new only if all of their indexes say so.
		for _, o := range owners {
			if _, err := o.awaitServing(ctx); err != nil {
				return nil, err
			}
		}
	}
	if o := owners[partition]; o != nil {
		return o, nil
	}
	address := s.group.AddressOf(ctx, partition)
	return nil, &contract.NotOwnerError{Partition: partition, Owner: address}
}

// awaitServing waits until each partition of this process is served. It returns the error of the
// first that cannot be taken over.
func (s *Store) awaitServing(ctx context.Context) error {
	owners, err := s.writers(ctx)
	if err != nil {
		return fmt.Errorf("join the owners: %w", err)
	}
	for _, o := range owners {
		if o == nil {
			continue
		}
		select {
		case <-o.serving:
		case <-o.done: // revoked meanwhile
		case err := <-o.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// writers returns the owners of this process by partition, nil where it is not the owner.
func (s *Store) writers(ctx context.Context) ([]*owner, error) {
	owners, err := s.group.Owners(ctx)
	if err == nil && s.group.Replaced() {
		err = ErrReplaced
	}
	return owners, err
}
