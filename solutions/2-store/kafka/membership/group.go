// Package membership shares the partitions of a log out among the processes that write it.
//
// The processes are members of a consumer group. The group consumes nothing: it only assigns
// partitions. The transactional ids of the partitions ensure that an owner that missed a change of
// assignment cannot write.
//
// A member that has an address is known by it (static membership, KIP-345). A process that was
// killed and started again has its place at once. Without an address it would have to wait until
// the session of the dead member ends. If two processes run under one address, the later one has
// the place, and the earlier one is fenced for good (ErrReplaced). The broker knows which one is
// the later, from Apache Kafka 3.0 on (DescribeTransactions, KIP-664); Join fails if the broker
// does not permit the question.
package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

var (
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrReplaced means that another process has opened the log under the address of this process.
	// A supervisor starts such a process when it believes that this process is dead. ErrReplaced
	// is a contract.ErrFenced that no retry cures: open the log again, under another address.
	ErrReplaced = fmt.Errorf("%w: another process has our address", contract.ErrFenced)
)

// An Owner does the work on one partition, from its assignment until it ends.
type Owner interface {
	comparable
	Stop()                 // tells the owner to end
	Done() <-chan struct{} // is closed when it has ended
}

// A Config describes the group and this member.
type Config[O Owner] struct {
	Log        string // the name of the log
	Topic      string // the topic with the partitions
	Partitions int32
	Address    string        // of this process
	Timeout    time.Duration // of one question to the broker
	Session    time.Duration // the group drops a member after this silence; 0 means 10 s
	Logger     *slog.Logger
	Client     *kgo.Client // for questions
	Dial       func(...kgo.Opt) (*kgo.Client, error)
	Pause      func() // waits before the next try
	// Own starts an owner of a partition that was assigned to this process. The owner calls fenced
	// when it learns that another process owns the partition. Own must not call the Group.
	Own func(partition int32, fenced func()) O
}

// A Group is this process's membership of the group.
type Group[O Owner] struct {
	Config[O]
	ctx     context.Context // ends the membership
	address address
	left    chan struct{} // closed when the last stay has ended

	mu       sync.Mutex
	stay     *stay         // the current one; nil between two
	owners   []O           // by partition; zero where this process is not the owner
	latest   []O           // by partition: the last owner of this process; it may be ending
	assigned bool          // the group has told this stay its partitions
	replaced bool          // another process has our address, for good
	changed  chan struct{} // closed at the next change of assigned, owners or replaced
}

// New returns the membership that Join begins and that ends with ctx.
func New[O Owner](ctx context.Context, c Config[O]) *Group[O] {
	if c.Session == 0 {
		c.Session = sessionTimeout
	}
	return &Group[O]{
		Config: c, ctx: ctx, left: make(chan struct{}), changed: make(chan struct{}),
		address: address{name: c.Address, id: c.Log + "@" + c.Address, client: c.Client},
		owners:  make([]O, c.Partitions), latest: make([]O, c.Partitions),
	}
}

// sessionTimeout is the time after which the group drops a member that died, heartbeatInterval the
// time after which a live member learns of a change.
const (
	sessionTimeout    = 10 * time.Second
	heartbeatInterval = 500 * time.Millisecond
	leaveTimeout      = 2 * time.Second
)

// The group waits rejoinTimeout for the members that have not joined again, and then drops them. A
// broker may wait for a member that does not exist: the embedded broker does so after a member was
// killed while it waited for its partitions, and was restarted. Each join starts the wait again. A
// member repeats its join after rejoinTimeout + answerTimeout, so joins that come at the wrong
// times could restart the wait for ever. That takes more members than
// (rejoinTimeout + answerTimeout) / rejoinTimeout.
const (
	rejoinTimeout = 10 * time.Second
	answerTimeout = 20 * time.Second
)

// Join takes the address of this process, and joins the group until the context of New ends.
func (g *Group[O]) Join(ctx context.Context) error {
	if err := g.address.occupy(ctx, g.Pause); err != nil {
		close(g.left)
		return fmt.Errorf("occupy the address %s: %w", g.Address, err)
	}
	go g.run()
	return nil
}

// run joins the group again each time that the place was lost.
func (g *Group[O]) run() {
	defer close(g.left)
	for g.ctx.Err() == nil {
		st := newStay()
		g.begin(st)
		client, err := g.join(st)
		if err != nil {
			g.Logger.Error("cannot join the owners", "err", err)
			g.Pause()
			continue
		}
		select {
		case <-g.ctx.Done():
		case <-st.ctx.Done():
			g.Logger.Warn("the place among the owners is lost")
		}
		g.begin(nil) // BEFORE its owners end: the answers to this client no longer count
		g.revoke(nil, g.all())
		replaced := st.ctx.Err() != nil && g.awaitReplaced()
		if replaced {
			g.retire() // BEFORE the client is closed, which waiting callers need not await
		}
		close(st.over)
		st.lose()
		closeClient(client)
		if replaced {
			return
		}
	}
}

// A stay is one stay in the group, from joining until the place is lost.
type stay struct {
	ctx  context.Context // ends when the assignment of the group does not hold any longer
	lose context.CancelFunc
	over chan struct{} // closed when its owners have ended
}

var _ kgo.HookGroupManageError = (*stay)(nil)

func newStay() *stay {
	ctx, lose := context.WithCancel(context.Background())
	return &stay{ctx, lose, make(chan struct{})}
}

// OnGroupManageError implements kgo.HookGroupManageError. By itself the client would ask for its
// place again and again, under the same identity.
func (st *stay) OnGroupManageError(err error) {
	if errors.Is(err, kerr.FencedInstanceID) {
		st.lose()
	}
}

func (g *Group[O]) join(st *stay) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(g.name()),
		kgo.ConsumeTopics(g.Topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), // partitions that stay are not interrupted
		kgo.DisableAutoCommit(),
		kgo.WithHooks(st),
		kgo.SessionTimeout(g.Session),
		kgo.RebalanceTimeout(rejoinTimeout),
		kgo.RequestTimeoutOverhead(answerTimeout),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			g.assign(st, got[g.Topic])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
			g.revoke(st, gone[g.Topic])
		}),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) {
			// run joins again as a new member, unless this process was replaced. By itself the
			// client would join under the same identity.
			st.lose()
			<-st.over
		}),
	}
	if g.Address != "" {
		opts = append(opts, kgo.InstanceID(g.Address))
	}
	client, err := g.Dial(opts...)
	if err != nil {
		return nil, err
	}
	client.PauseFetchTopics(g.Topic)
	return client, nil
}

func (g *Group[O]) name() string { return g.Log + ".owners" }

// closeClient closes a client, and waits a short time for it. If the group lets the client wait
// for its admission, Close waits for that answer, which may never come. A later answer has no
// effect, because the client's stay no longer counts.
func closeClient(client *kgo.Client) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		client.Close()
	}()
	select {
	case <-closed:
	case <-time.After(leaveTimeout):
	}
}

// begin makes st the current stay; nil means that there is no stay. Callers wait for its first
// assignment.
func (g *Group[O]) begin(st *stay) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stay, g.assigned = st, false
	g.notify()
}

// awaitReplaced asks the broker whether this process is replaced, until it has an answer or the
// store is closed. If the broker has forgotten the address, the first process that asks has it.
func (g *Group[O]) awaitReplaced() bool {
	for warned := false; ; warned = true {
		ctx, cancel := context.WithTimeout(g.ctx, g.Timeout)
		replaced, err := g.address.isReplaced(ctx)
		if errors.Is(err, kerr.TransactionalIDNotFound) {
			err = g.address.raise(ctx)
		}
		cancel()
		if err == nil || g.ctx.Err() != nil {
			return replaced
		}
		if !warned {
			g.Logger.Warn("cannot ask which process has our address; asking again",
				"address", g.Address, "err", err)
		}
		g.Pause()
	}
}

// retire ends the membership for good, and wakes the callers that wait for an owner.
func (g *Group[O]) retire() {
	g.Logger.Error("another process has our address; this one writes no more", "address", g.Address)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replaced, g.assigned = true, true
	g.notify()
}

// Leave gives up the place in the group, after the context of New has ended. A static member that
// only closed its connections would keep its partitions until its session ends.
func (g *Group[O]) Leave() {
	<-g.left
	if g.Address == "" || g.Replaced() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	replaced, err := g.address.isReplaced(ctx)
	if err == nil && !replaced {
		_, err = g.admin().LeaveGroup(ctx, kadm.LeaveGroup(g.name()).InstanceIDs(g.Address))
	}
	if err != nil {
		g.Logger.Warn("could not leave the group; others wait for the session to end", "err", err)
	}
}

// assign starts owners of partitions. In this process there is no other owner of them: revoke
// waits for that.
func (g *Group[O]) assign(st *stay, partitions []int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st != g.stay || st.ctx.Err() != nil {
		return
	}
	g.owners = slices.Clone(g.owners) // callers of Owners read the old ones
	for _, p := range partitions {
		o := g.Own(p, func() { g.fenced(st) })
		g.owners[p], g.latest[p] = o, o
	}
	g.assigned = true
	g.notify()
}

// fenced ends a stay of which an owner was fenced. Callers wait for the next assignment.
func (g *Group[O]) fenced(st *stay) {
	st.lose()
	g.mu.Lock()
	defer g.mu.Unlock()
	if st == g.stay {
		g.assigned = false
		g.notify()
	}
}

// revoke ends the owners of partitions, and returns when they have no append in flight. That
// includes owners that another call of revoke is ending.
func (g *Group[O]) revoke(st *stay, partitions []int32) {
	for _, o := range g.stop(st, partitions) {
		<-o.Done()
	}
}

// stop tells the owners of partitions to end. It returns those that may not have ended yet.
func (g *Group[O]) stop(st *stay, partitions []int32) (ending []O) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st != g.stay {
		return nil
	}
	var none O
	g.owners = slices.Clone(g.owners)
	for _, p := range partitions {
		if o := g.latest[p]; o != none {
			o.Stop()
			ending = append(ending, o)
			g.owners[p] = none
		}
	}
	g.notify()
	return ending
}

func (g *Group[O]) all() (partitions []int32) {
	for p := range g.Partitions {
		partitions = append(partitions, p)
	}
	return partitions
}

// notify wakes the callers that wait for a change. The lock is held.
func (g *Group[O]) notify() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// Owners returns the owners by partition, zero where this process is not the owner. It waits until
// the group has assigned the partitions. The slice is shared and never changes.
func (g *Group[O]) Owners(ctx context.Context) ([]O, error) {
	for {
		g.mu.Lock()
		owners, assigned, changed := g.owners, g.assigned, g.changed
		g.mu.Unlock()
		if assigned {
			return owners, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-g.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// Replaced reports whether another process has taken the address for good.
func (g *Group[O]) Replaced() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.replaced
}

// clientPrefix precedes the address in the client ids, which the group shows to others.
const clientPrefix = "blotter@"

// ClientID returns the client id of a process with an address.
func ClientID(address string) string { return clientPrefix + address }

// AddressOf returns the address of the process that the group assigned a partition to. It is
// empty if the group does not tell.
func (g *Group[O]) AddressOf(ctx context.Context, partition int32) string {
	groups, err := g.admin().DescribeGroups(ctx, g.name())
	if err != nil {
		return ""
	}
	for _, member := range groups[g.name()].Members {
		assigned, ok := member.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			if slices.Contains(t.Partitions, partition) {
				return strings.TrimPrefix(member.ClientID, clientPrefix)
			}
		}
	}
	return ""
}

func (g *Group[O]) admin() *kadm.Client { return kadm.NewClient(g.Client) }
