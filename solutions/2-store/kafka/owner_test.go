package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// all is the whole log, by reading the feed.
func all(t *testing.T, s *kafka.Store) []contract.Recorded {
	t.Helper()
	end, err := s.End(t.Context())
	require.NoError(t, err)
	var events []contract.Recorded
	for e, err := range s.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		events = append(events, e)
	}
	return events
}

// An answer to EndTxn that never arrives, however often the client asks, until the id is fenced.
func TestACommitWithoutAnAnswerIsNeverGuessed(t *testing.T) {
	t.Parallel()
	for _, landed := range []bool{true, false} {
		t.Run(fmt.Sprintf("landed=%t", landed), func(t *testing.T) {
			t.Parallel()
			cluster := broker(t)
			opts := options(cluster, "log")
			opts.Timeout = time.Second
			s := open(t, opts)
			first, err := s.Append(t.Context(), stream, 0, event(stream, 1))
			require.NoError(t, err)

			lost := loseCommits(t, cluster, landed)
			second, err := s.Append(t.Context(), stream, 1, event(stream, 2))
			require.NoError(t, err, "the log was asked what became of it")
			require.EqualValues(t, 2, second[0].Version)
			require.Positive(t, lost.Load(), "commits without an answer")

			events := all(t, s)
			require.Len(t, events, 2)
			require.Equal(t, event(stream, 2), events[1].Event)
			again, err := s.Append(t.Context(), stream, 0, event(stream, 1))
			require.NoError(t, err)
			require.Equal(t, first, again)
			again, err = s.Append(t.Context(), stream, 1, event(stream, 2))
			require.NoError(t, err)
			require.Equal(t, second, again)
		})
	}
}

// loseCommits has the cluster answer no EndTxn, whether it does what was asked or not, until a producer id is asked for.
func loseCommits(t *testing.T, cluster *kfake.Cluster, landed bool) *atomic.Int32 {
	side, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	t.Cleanup(side.Close)
	var lost atomic.Int32
	var fenced, inside atomic.Bool
	cluster.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
		fenced.Store(true)
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if fenced.Load() || inside.Load() {
			return nil, nil, false
		}
		if lost.Add(1) == 1 && landed {
			inside.Store(true)
			cluster.SleepControl(func() { _, _ = req.(*kmsg.EndTxnRequest).RequestWith(t.Context(), side) })
			inside.Store(false)
		}
		return nil, errors.New("the answer is lost"), true
	})
	return &lost
}

func TestAFencedProduceIsErrFencedAndTheNextAppendIsServedAgain(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	s := open(t, opts)
	_, err := s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
	usurp(t, opts, 0)
	_, err = s.Append(t.Context(), stream, 1, event(stream, 2))
	require.ErrorIs(t, err, contract.ErrFenced)
	require.Len(t, all(t, s), 1)
	receipts, err := s.Append(t.Context(), stream, 1, event(stream, 2))
	require.NoError(t, err)
	require.EqualValues(t, 2, receipts[0].Version)
}

// The answer to the commit is lost, the commit lands, and the place is lost before it can be asked about.
func TestAFencedCommitThatLandedIsAnsweredFromTheLog(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	opts := options(cluster, "log")
	s := open(t, opts)
	side, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...))
	require.NoError(t, err)
	t.Cleanup(side.Close)
	var tries atomic.Int32
	cluster.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if tries.Add(1) > 1 {
			return nil, nil, false // the one below, and then the client's own second try
		}
		cluster.KeepControl()
		cluster.SleepControl(func() {
			_, _ = req.(*kmsg.EndTxnRequest).RequestWith(t.Context(), side)
			usurp(t, opts, 0)
		})
		return nil, errors.New("the answer is lost"), true
	})
	receipts, err := s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
	require.EqualValues(t, 1, receipts[0].Version)
	require.Len(t, all(t, s), 1)
}

func TestTakeOverReadsAllThatWasCommittedWhateverTheRegistryCallsIt(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 3
	first := open(t, opts)
	receipts := map[string][]contract.Receipt{}
	for i := range 50 {
		name := fmt.Sprintf("trade/UTI-%d", i)
		var err error
		receipts[name], err = first.Append(t.Context(), name, 0, event(name, 1), event(name, 2))
		require.NoError(t, err)
	}
	require.NoError(t, first.Close())

	opts.Partitions = 7 // it is a log already: this says nothing
	second := open(t, opts)
	require.Len(t, all(t, second), 100)
	for name, want := range receipts {
		again := []contract.Event{event(name, 1), event(name, 2)}
		again[1].Data = slices.Clone(again[1].Data)
		again[1].Data[4] = 99
		got, err := second.Append(t.Context(), name, 0, again...)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Len(t, all(t, second), 100)
}

func TestHeadsFollowTheLogAndAreMendedWhereTheyDiffer(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	s := open(t, opts)
	for i, name := range []string{stream, "trade/UTI-2", "trade/UTI-3"} {
		for n := range i + 1 {
			_, err := s.Append(t.Context(), name, contract.Any, event(name, n))
			require.NoError(t, err)
		}
	}
	want := heads(t, opts)
	require.Len(t, want, 3)
	require.EqualValues(t, 3, want["trade/UTI-3"].Version)
	require.Equal(t, event("trade/UTI-3", 2).ContentDigest(), want["trade/UTI-3"].Digest)
	require.NoError(t, s.Close())

	wrong := want["trade/UTI-2"]
	wrong.Version = 9
	data, err := opts.Heads.EncodeHead(t.Context(), wrong)
	require.NoError(t, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	for key, value := range map[string][]byte{"trade/UTI-1": nil, "trade/UTI-2": data, "trade/UTI-3": []byte("?"), "trade/NONE": data} {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "log.heads", Key: []byte(key), Value: value}).FirstErr())
	}
	open(t, opts)
	require.Equal(t, want, heads(t, opts))
}

// heads is what the compacted topic says, markers aside.
func heads(t *testing.T, opts kafka.Options) map[string]contract.Head {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...), kgo.ConsumeTopics(opts.Prefix+".heads"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.NoError(t, err)
	defer client.Close()
	found := map[string]contract.Head{}
	end := mark(t, opts)
	for {
		for _, r := range client.PollFetches(t.Context()).Records() {
			switch {
			case string(r.Key) == end:
				return found
			case string(r.Key) == "blotter.owner":
			case r.Value == nil:
				delete(found, string(r.Key))
			default:
				head, err := opts.Heads.DecodeHead(t.Context(), r.Value)
				if err != nil {
					head = contract.Head{}
				}
				found[string(r.Key)] = head
			}
		}
	}
}

// mark writes a tombstone behind all heads, so that a reader knows where to stop. It gives its key.
func mark(t *testing.T, opts kafka.Options) string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	key := fmt.Sprintf("mark/%d", marks.Add(1))
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: opts.Prefix + ".heads", Key: []byte(key)}).FirstErr())
	return key
}

var marks atomic.Int32

func TestTwoProcessesShareThePartitionsAndNameEachOther(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 4
	a := open(t, opts)
	opts.Address = "127.0.0.1:7001"
	b := open(t, opts)
	named := map[string]int{}
	for i := range 40 {
		name := fmt.Sprintf("trade/UTI-%d", i)
		for took := false; !took; { // as a client does that is sent from one to the other while partitions move
			took = appended(t, a, event(name, 1), named) || appended(t, b, event(name, 1), named)
		}
	}
	for _, s := range []*kafka.Store{b, a} {
		for i := range 40 {
			appended(t, s, event(fmt.Sprintf("trade/UTI-%d", i), 1), named)
		}
	}
	require.Positive(t, named["127.0.0.1:7000"])
	require.Positive(t, named["127.0.0.1:7001"])
	require.Len(t, all(t, b), 40)
	found, err := a.Find(t.Context(), event("trade/UTI-7", 1).ID)
	require.NoError(t, err, "whoever owns it")
	for e, err := range b.Stream(t.Context(), "trade/UTI-7") {
		require.NoError(t, err)
		require.Equal(t, found, e)
	}
}

// appended says whether s took the event. If not it counts whom s named as owner.
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

// A broker that was away for long has forgotten its members. Until it has heard of us again, nobody is the owner, and an append waits.
func TestAnAppendWaitsWhileTheGroupHasForgottenUs(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	s := open(t, options(cluster, "log"))
	joining := make(chan struct{})
	held, release := context.WithCancel(t.Context())
	defer release()
	cluster.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(func() { close(joining); <-held.Done() })
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		answer := req.ResponseKind().(*kmsg.HeartbeatResponse)
		answer.ErrorCode = kerr.UnknownMemberID.Code
		return answer, nil, true
	})
	<-joining
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Append(impatient, stream, 0, event(stream, 1))
	require.ErrorIs(t, err, context.Canceled, "it was waiting")
	release()
	_, err = s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
}

func TestAReaderWritesNothing(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.ReadOnly = true
	_, err := kafka.Open(t.Context(), opts)
	require.Error(t, err, "there is no log to read")
	opts.ReadOnly = false
	s := open(t, opts)
	_, err = s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
	end, err := s.End(t.Context())
	require.NoError(t, err)

	opts.ReadOnly = true
	r := open(t, opts)
	_, err = r.Append(t.Context(), stream, 1, event(stream, 2))
	require.ErrorIs(t, err, kafka.ErrReadOnly)
	require.Equal(t, all(t, s), all(t, r))
	frontier, err := r.Frontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, noon, frontier)
	after, err := r.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, after)
}

func BenchmarkAppendOneByOne(b *testing.B) {
	for _, partitions := range []int32{1, 12} {
		b.Run(fmt.Sprintf("%d partitions", partitions), func(b *testing.B) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(b.TempDir()))
			require.NoError(b, err)
			defer cluster.Close()
			opts := options(cluster, "log")
			opts.Partitions, opts.Dir = partitions, b.TempDir()
			begun := time.Now()
			s, err := kafka.Open(context.Background(), opts)
			require.NoError(b, err)
			defer s.Close()
			opened := time.Since(begun)
			for i := 0; b.Loop(); i++ {
				name := fmt.Sprintf("trade/UTI-%d", i%500)
				_, err := s.Append(b.Context(), name, contract.Any, event(name, i))
				require.NoError(b, err)
			}
			b.ReportMetric(float64(opened.Milliseconds()), "open-ms")
		})
	}
}

// The owner dies without leaving the group, and the broker restarts from its files: the next owner must not have to wait for
// the dead one's session to end.
func TestALogOutlivesItsOwnerAndItsBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
	require.NoError(t, err)
	opts := kafka.Patient(options(cluster, "log"), 5*time.Minute)
	opts.Partitions = 12
	dead := open(t, opts)
	for i := range 30 {
		name := fmt.Sprintf("trade/UTI-%d", i)
		_, err := dead.Append(t.Context(), name, 0, event(name, 1))
		require.NoError(t, err)
	}
	want := all(t, dead)
	cluster.Close()

	opts.Brokers = broker(t, kfake.DataDir(dir)).ListenAddrs()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	next, err := kafka.Open(ctx, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, next.Close()) })
	require.ElementsMatch(t, want, all(t, next))
}

// A reader that keeps owners away can tell up to when nothing more is recorded, but not while a transaction is undecided.
func TestAReaderThatIsAloneKnowsTheFrontier(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 3 // two of them empty
	fill(t, opts, 1, 1)
	opts.ReadOnly, opts.Alone = true, true
	s := open(t, opts)
	frontier, err := s.Frontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, noon.Add(-time.Microsecond), frontier)

	dead, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...), kgo.TransactionalID("dead"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer dead.Close()
	require.NoError(t, dead.BeginTransaction())
	require.NoError(t, dead.ProduceSync(t.Context(), &kgo.Record{Topic: "log.events", Partition: 1}).FirstErr())
	frontier, err = s.Frontier(t.Context())
	require.NoError(t, err)
	require.Zero(t, frontier)
}
