package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// A membership is one stay in the consumer group that shares out the partitions. The group consumes nothing: it only says who
// is to own what, and the transactional ids see to it that an owner who missed the news cannot write.
//
// A member that has an address is known by it (static membership, KIP-345). So a process that was killed and comes back has
// its place at once, where a stranger would have to wait for the dead one's session to end. Of two that live under one address the
// later one has the place; the one before is fenced for good (address.go).
type membership struct {
	once sync.Once
	lost chan struct{} // closed when what the group told us no longer holds: an owner was fenced, another has our place, or we are forgotten
	over chan struct{} // closed when its owners have ended
}

var _ kgo.HookGroupManageError = (*membership)(nil)

func newMembership() *membership {
	return &membership{lost: make(chan struct{}), over: make(chan struct{})}
}

func (m *membership) lose() { m.once.Do(func() { close(m.lost) }) }

func (m *membership) isLost() bool {
	select {
	case <-m.lost:
		return true
	default:
		return false
	}
}

// OnGroupManageError implements kgo.HookGroupManageError. The client would ask again without end to be let in as who it was.
func (m *membership) OnGroupManageError(err error) {
	if errors.Is(err, kerr.FencedInstanceID) {
		m.lose()
	}
}

// How soon a member that died is noticed, and how soon one that lives learns of another.
const (
	sessionTimeout    = 10 * time.Second
	heartbeatInterval = 500 * time.Millisecond
	retryAfter        = 250 * time.Millisecond
	leaveTimeout      = 2 * time.Second
)

// belong joins the group, and joins again whenever the place was lost, until the store is closed.
func (s *Store) belong() {
	defer close(s.left)
	for s.ctx.Err() == nil {
		m := newMembership()
		s.enter(m)
		client, err := s.join(m)
		if err != nil {
			s.opts.Log.Error("cannot join the owners", "log", s.opts.Prefix, "err", err)
			s.pause()
			continue
		}
		select {
		case <-s.ctx.Done():
		case <-m.lost:
			s.opts.Log.Warn("the place among the owners is lost", "log", s.opts.Prefix)
		}
		s.enter(nil) // BEFORE its owners end: what the group says to this client is no longer heard
		s.giveAll()
		replaced := m.isLost() && s.awaitWord()
		if replaced {
			s.retire() // BEFORE the client is closed: who waits for an owner here would wait with it
		}
		close(m.over)
		hangUp(client)
		if replaced {
			return
		}
	}
}

// enter makes m the membership that counts, nil for none, and has callers wait for its first assignment.
func (s *Store) enter(m *membership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.member, s.settled = m, false
	s.notify()
}

// hangUp closes a client, and does not wait long for that: one whose request to join was let wait by the group waits for the answer, which may
// never come. What it is told later, nobody hears, since its membership no longer counts.
func hangUp(client *kgo.Client) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		client.Close()
	}()
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
}

// retire owns nothing any more, and says so to who waits for an owner.
func (s *Store) retire() {
	s.opts.Log.Error("another process has our address; this one writes no more", "log", s.opts.Prefix, "address", s.opts.Address)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaced, s.settled = true, true
	s.notify()
}

// pause waits a little before something is tried again.
func (s *Store) pause() {
	timer := time.NewTimer(retryAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

func (s *Store) join(m *membership) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(s.group()),
		kgo.ConsumeTopics(s.heads),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), // a partition that stays is not interrupted
		kgo.DisableAutoCommit(),
		kgo.WithHooks(m),
		kgo.SessionTimeout(s.opts.session),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) { s.take(m, got[s.heads]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { s.give(m, gone[s.heads]) }),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) {
			m.lose() // and join again as somebody new, if we are not replaced; the client by itself would join as it is
			<-m.over
		}),
	}
	if s.opts.Address != "" {
		opts = append(opts, kgo.InstanceID(s.opts.Address))
	}
	client, err := s.dial(opts...)
	if err != nil {
		return nil, err
	}
	client.PauseFetchTopics(s.heads)
	return client, nil
}

// leave gives our place up for good: for a static member that only closes its connections, others would wait.
func (s *Store) leave() {
	if s.opts.ReadOnly || s.index == nil || s.opts.Address == "" || s.isRetired() {
		return // never joined, or has left already, or it is another's place by now
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	replaced, err := s.isReplaced(ctx)
	if err == nil && !replaced {
		_, err = s.admin.LeaveGroup(ctx, kadm.LeaveGroup(s.group()).InstanceIDs(s.opts.Address))
	}
	if err != nil {
		s.opts.Log.Warn("left without a word; others wait for the session to end", "log", s.opts.Prefix, "err", err)
	}
}

func (s *Store) group() string { return s.opts.Prefix + ".owners" }

// take begins to own partitions. Nobody here owns one of them any more: give and giveAll wait for that.
func (s *Store) take(m *membership, partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m != s.member || m.isLost() {
		return
	}
	for _, p := range partitions {
		o := newOwner(s, m, p)
		s.owners[p], s.latest[p] = o, o
		go o.run()
	}
	s.settled = true
	s.notify()
}

// give stops owning partitions, and returns once nothing is under way in them.
func (s *Store) give(m *membership, partitions []int32) {
	s.mu.Lock()
	if m != s.member {
		s.mu.Unlock()
		return
	}
	stopped := s.stop(partitions)
	s.mu.Unlock()
	ended(stopped)
}

// giveAll is give of whatever is left, and of what another is about to give.
func (s *Store) giveAll() {
	all := make([]int32, s.partitions)
	for p := range all {
		all[p] = int32(p)
	}
	s.mu.Lock()
	stopped := s.stop(all)
	s.mu.Unlock()
	ended(stopped)
}

// stop tells the owners of partitions to end, and gives those that may not have ended yet. The lock is held.
func (s *Store) stop(partitions []int32) (stopped []*owner) {
	for _, p := range partitions {
		if o := s.latest[p]; o != nil {
			o.cancel()
			stopped = append(stopped, o)
			s.owners[p] = nil
		}
	}
	s.notify()
	return stopped
}

func ended(owners []*owner) {
	for _, o := range owners {
		<-o.done
	}
}

// unsettle has callers wait for the next assignment.
func (s *Store) unsettle(m *membership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m == s.member {
		s.settled = false
		s.notify()
	}
}

// notify wakes who waits for a change. The lock is held.
func (s *Store) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// assigned is the owners by partition, once the group has spoken.
func (s *Store) assigned(ctx context.Context) ([]*owner, error) {
	for {
		s.mu.Lock()
		owners, settled, changed := append([]*owner(nil), s.owners...), s.settled, s.changed
		s.mu.Unlock()
		if settled {
			return owners, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// served waits until every partition that is ours is served, and fails with the first that cannot be taken over.
func (s *Store) served(ctx context.Context) error {
	owners, err := s.assigned(ctx)
	if err == nil && s.isRetired() {
		err = ErrReplaced
	}
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

func (s *Store) isRetired() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replaced
}

// owner is ours of a partition, or *contract.NotOwnerError, or ErrReplaced.
func (s *Store) owner(ctx context.Context, partition int32) (*owner, error) {
	owners, err := s.assigned(ctx)
	if err == nil && s.isRetired() {
		err = ErrReplaced
	}
	if err == nil && !slices.Contains(owners, nil) {
		_, _, err = s.settledOwners(ctx) // an id is to be told to be new by all partitions, where all are ours
	}
	if err != nil {
		return nil, err
	}
	if o := owners[partition]; o != nil {
		return o, nil
	}
	return nil, &contract.NotOwnerError{Partition: partition, Owner: s.ownerAddress(ctx, partition)}
}

// foreign is the partitions that the index does not answer for. It waits for those being taken over.
func (s *Store) foreign(ctx context.Context) (map[int32]bool, error) {
	_, foreign, err := s.settledOwners(ctx)
	return foreign, err
}

// settledOwners is the owners by partition, once each of ours serves or has ended, and the partitions that are not ours.
func (s *Store) settledOwners(ctx context.Context) ([]*owner, map[int32]bool, error) {
	owners, err := s.assigned(ctx)
	if err != nil {
		return nil, nil, err
	}
	foreign := map[int32]bool{}
	for p, o := range owners {
		if o == nil {
			foreign[int32(p)] = true
			continue
		}
		select {
		case <-o.serving:
		case <-o.done:
			foreign[int32(p)] = true
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	return owners, foreign, nil
}
