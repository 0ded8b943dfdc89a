package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// Two processes share the partitions. Each names the other one as the owner of its partitions, and
// both read the whole log.
func TestTwoOwnersShareThePartitions(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 4
	a := open(t, opts)
	opts.Address = "127.0.0.1:7001"
	b := open(t, opts)
	named := map[string]int{}
	for i := range 40 {
		e := event(name(i), 1)
		for !appended(t, a, e, named) && !appended(t, b, e, named) {
			// While partitions move, a client may be sent from one to the other several times.
		}
	}
	for _, s := range []*kafka.Store{b, a} {
		for i := range 40 {
			appended(t, s, event(name(i), 1), named)
		}
	}
	require.Positive(t, named["127.0.0.1:7000"])
	require.Positive(t, named["127.0.0.1:7001"])
	require.Len(t, all(t, b), 40)
	found, err := a.Find(t.Context(), event(name(7), 1).ID)
	require.NoError(t, err, "whichever process is the owner")
	events, err := streamOf(t, b, name(7))
	require.NoError(t, err)
	require.Equal(t, []contract.Recorded{found}, events)
}

// appended reports whether s took the event. If not, it counts the owner that s named.
func appended(t *testing.T, s *kafka.Store, e contract.Event, named map[string]int) bool {
	t.Helper()
	_, err := s.Append(t.Context(), e.Stream, contract.Any, e)
	notOwner := new(contract.NotOwnerError)
	switch {
	case errors.As(err, &notOwner):
		named[notOwner.Owner]++
	case !errors.Is(err, contract.ErrFenced):
		require.NoError(t, err)
	}
	return err == nil
}

// A broker that was away for long has forgotten its members. Until it has admitted this process
// again there is no owner, and an append waits.
func TestAppendWaitsForAssignment(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	s := open(t, options(cluster, "log"))
	joining := make(chan struct{})
	held, release := context.WithCancel(t.Context())
	defer release()
	control(cluster, kmsg.JoinGroup, func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(func() { close(joining); <-held.Done() })
		return nil, nil, false
	})
	forgetMember(cluster)
	<-joining
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Append(impatient, stream, 0, event(stream, 1))
	require.ErrorIs(t, err, context.Canceled, "the append waited for the group")
	release()
	_, err = s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
}

// forgetMember has the group answer the next heartbeat as if it did not know the member.
func forgetMember(cluster *kfake.Cluster) {
	control(cluster, kmsg.Heartbeat, func(req kmsg.Request) (kmsg.Response, error, bool) {
		answer := req.ResponseKind().(*kmsg.HeartbeatResponse)
		answer.ErrorCode = kerr.UnknownMemberID.Code
		return answer, nil, true
	})
}

// The group forgets this process while two of its owners commit. One owner is fenced. The other
// owner may still get its answer. Until then no new owner of its partition starts in this process,
// because the old and the new owner would write the same index.
func TestOwnerWaitsForItsPredecessor(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := options(cluster, "log")
	opts.Partitions, opts.Timeout = 2, time.Minute
	logged := make(lines, 100)
	opts.Log = slog.New(slog.NewTextHandler(logged, nil))
	gates := new(gates)
	s := open(t, gates.network().over(opts))
	names := onePerPartition(t, s)

	slow, fenced := gates.add("log.0"), gates.add("log.1")
	t.Cleanup(slow.open)
	t.Cleanup(fenced.open)
	appended := make(chan error, 1)
	go func() {
		_, err := s.Append(t.Context(), names[0], 1, event(names[0], 100))
		appended <- err
	}()
	go func() { _, _ = s.Append(t.Context(), names[1], 1, event(names[1], 100)) }()
	<-slow.reached
	<-fenced.reached
	forgetMember(cluster)
	isForgotten := func() bool { return !kafka.IsAssigned(s) }
	require.Eventually(t, isForgotten, time.Minute, time.Millisecond)
	usurp(t, opts, 1)
	fenceCommit(cluster, "log.1")
	fenced.open()
	logged.await(t, "level=WARN msg=fenced")
	const longerThanLeaving = 4 * time.Second
	isBack := func() bool { return kafka.IsAssigned(s) }
	require.Never(t, isBack, longerThanLeaving, 20*time.Millisecond)

	slow.open()
	require.NoError(t, <-appended)
	_, err := s.Append(t.Context(), names[0], 2, event(names[0], 101))
	require.NoError(t, err)
	requireConsistent(t, s)
}

// onePerPartition appends to two streams in different partitions. It returns the name of the stream
// in each partition.
func onePerPartition(t *testing.T, s *kafka.Store) (names [2]string) {
	for n := 0; names[0] == "" || names[1] == ""; n++ {
		e := event(name(n), n)
		_, err := s.Append(t.Context(), e.Stream, 0, e)
		require.NoError(t, err)
		found, err := s.Find(t.Context(), e.ID)
		require.NoError(t, err)
		names[found.Position.Partition] = e.Stream
	}
	return names
}

// The gates of a network hold back commits, by transactional id.
type gates struct{ byID sync.Map }

type gate struct {
	arrive  func() // closes reached
	open    func() // closes opened
	reached chan struct{}
	opened  chan struct{}
}

// add has the next commit under a transactional id wait until the gate is opened.
func (g *gates) add(id string) *gate {
	added := &gate{reached: make(chan struct{}), opened: make(chan struct{})}
	added.arrive = sync.OnceFunc(func() { close(added.reached) })
	added.open = sync.OnceFunc(func() { close(added.opened) })
	g.byID.Store(id, added)
	return added
}

func (g *gates) network() *network {
	return &network{request: func(_ *conn, key kmsg.Key, request []byte) error {
		if key != kmsg.EndTxn {
			return nil
		}
		g.byID.Range(func(id, held any) bool {
			if bytes.Contains(request, []byte(id.(string))) {
				held.(*gate).arrive()
				<-held.(*gate).opened
			}
			return true
		})
		return nil
	}}
}

// fenceCommit answers the next commit under a transactional id as a real broker answers when
// another producer has the id.
func fenceCommit(cluster *kfake.Cluster, id string) {
	control(cluster, kmsg.EndTxn, func(req kmsg.Request) (kmsg.Response, error, bool) {
		ask := req.(*kmsg.EndTxnRequest)
		if ask.TransactionalID != id {
			cluster.KeepControl()
			return nil, nil, false
		}
		answer := ask.ResponseKind().(*kmsg.EndTxnResponse)
		answer.ErrorCode = kerr.ProducerFenced.Code
		return answer, nil, true
	})
}

// A living process was replaced under its address, as if it were dead. Every later append of it is
// fenced. When it closes, it takes nothing back from its successor.
func TestReplacedProcessIsFencedForGood(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]bool{
		"it appends at once":             false,
		"the group tells it of it first": true,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(broker(t), "log")
			logged := make(lines, 100)
			opts.Log = slog.New(slog.NewTextHandler(logged, nil))
			first, err := kafka.Open(t.Context(), opts)
			require.NoError(t, err)
			_, err = first.Append(t.Context(), stream, 0, event(stream, 1))
			require.NoError(t, err)
			second := open(t, opts)
			if waits {
				logged.await(t, "another process has our address")
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for range 3 {
				_, err = first.Append(ctx, stream, 1, event(stream, 2))
				require.ErrorIs(t, err, contract.ErrFenced)
			}
			_, err = second.Append(ctx, stream, 1, event(stream, 3))
			require.NoError(t, err)
			found, err := first.Find(ctx, event(stream, 3).ID)
			require.NoError(t, err, "a replaced process still reads")
			require.EqualValues(t, 2, found.Version)

			member, _ := memberAt(t, opts)
			require.NoError(t, first.Close())
			_, err = second.Append(ctx, stream, 2, event(stream, 4))
			require.NoError(t, err)
			now, known := memberAt(t, opts)
			require.True(t, known)
			require.Equal(t, member, now)
			require.Len(t, all(t, second), 3)
		})
	}
}

// The group admits the process that joined last. When a replaced process wakes and joins, it may
// push its successor out of the group. The address still belongs to the successor (package
// membership), so the successor joins again and continues.
func TestLaterProcessTakesItsPlaceBack(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	later := open(t, opts)
	_, err := later.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)

	first, _ := memberAt(t, opts)
	old := client(t, opts.Brokers, kgo.ConsumerGroup(opts.Prefix+".owners"),
		kgo.InstanceID(opts.Address), kgo.ConsumeTopics(opts.Prefix+".heads"),
		kgo.Balancers(kgo.CooperativeStickyBalancer()))
	require.Eventually(t, func() bool {
		admitted, _ := old.GroupMetadata()
		now, known := memberAt(t, opts)
		return known && admitted != "" && now != admitted && now != first
	}, time.Minute, 10*time.Millisecond, "the old process is admitted, and then replaced")
	_, err = later.Append(t.Context(), stream, 1, event(stream, 2))
	require.NoError(t, err)
}

// A member is killed while it waits for its partitions, and restarted under its address. The
// embedded broker then waits for a member that does not exist, until its time for joins is over.
// The other member soon writes again.
func TestKillDuringSync(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := kafka.WithSession(options(cluster, "log"), 5*time.Minute)
	s := open(t, opts)
	held, release := context.WithCancel(t.Context())
	defer release()
	waiting := make(chan struct{}, 1)
	control(cluster, kmsg.SyncGroup, func(req kmsg.Request) (kmsg.Response, error, bool) {
		if *req.(*kmsg.SyncGroupRequest).InstanceID == opts.Address {
			cluster.SleepControl(func() { <-held.Done() })
		} else {
			waiting <- struct{}{}
		}
		return nil, nil, false
	})
	joins := make(chan struct{}, 2)
	control(cluster, kmsg.JoinGroup, func(req kmsg.Request) (kmsg.Response, error, bool) {
		if *req.(*kmsg.JoinGroupRequest).InstanceID == "killed" {
			joins <- struct{}{}
		}
		return nil, nil, false
	})
	joined, err := joinAs(t, opts, "killed")
	<-joins
	require.NoError(t, err)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.InstanceID = opts.Prefix+".owners", new("killed")
	sync.Generation, sync.MemberID = joined.Generation, joined.MemberID
	killed := client(t, opts.Brokers)
	go func() { _, _ = sync.RequestWith(t.Context(), killed) }()
	<-waiting

	restarted := make(chan error, 1)
	go func() { _, err := joinAs(t, opts, "killed"); restarted <- err }()
	<-joins
	release()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	require.Eventually(t, func() bool {
		_, err := s.Append(soon, stream, contract.Any, event(stream, 1))
		return err == nil
	}, 50*time.Second, 10*time.Millisecond)
	require.NoError(t, <-restarted)
}

// joinAs joins the owners of a log as the process at an address would.
func joinAs(t *testing.T, opts kafka.Options, address string) (*kmsg.JoinGroupResponse, error) {
	about := kmsg.NewConsumerMemberMetadata()
	about.Version, about.Topics = 3, []string{opts.Prefix + ".heads"}
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = kgo.CooperativeStickyBalancer().ProtocolName()
	protocol.Metadata = about.AppendTo(nil)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.InstanceID, join.ProtocolType = opts.Prefix+".owners", &address, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 300_000, 1000
	join.Protocols = append(join.Protocols, protocol)
	return join.RequestWith(t.Context(), client(t, opts.Brokers))
}

// lines receives the lines that a store logs. It drops lines that it has no room for.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	select {
	case l <- string(text):
	default:
	}
	return len(text), nil
}

// await waits for a line with a text.
func (l lines) await(t *testing.T, text string) {
	t.Helper()
	for line := ""; !strings.Contains(line, text); {
		select {
		case line = <-l:
		case <-t.Context().Done():
			t.Fatalf("not logged: %s", text)
		}
	}
}

// memberAt returns the member id that the group gave to the process at the address. It reports
// false unless the group has exactly one member, at that address.
func memberAt(t *testing.T, opts kafka.Options) (string, bool) {
	t.Helper()
	admin := dial(t, opts.Brokers)
	defer admin.Close()
	group := opts.Prefix + ".owners"
	groups, err := kadm.NewClient(admin).DescribeGroups(t.Context(), group)
	members := groups[group].Members
	if err != nil || len(members) != 1 || members[0].InstanceID == nil ||
		*members[0].InstanceID != opts.Address {
		return "", false
	}
	return members[0].MemberID, true
}
