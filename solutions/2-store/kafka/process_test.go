package kafka_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

// ownerEnv has the test program run as an owner process: it opens the store that this JSON
// describes, and appends the events that standard input asks for.
const ownerEnv = "BLOTTER_TEST_OWNER"

type ownerConfig struct {
	Kafka                stack.Kafka
	Prefix, Address, Dir string
	Partitions           int32
	Timeout              time.Duration
	SuspendAt            int // the process stops itself at the commit of the event with this number
}

func newOwnerConfig(t *testing.T, partitions int32) ownerConfig {
	kafka, err := stacktest.Shared(t).Kafka(t.Context())
	require.NoError(t, err)
	return ownerConfig{
		Kafka: kafka, Prefix: stacktest.Prefix(t) + "log", Partitions: partitions,
		Address: "one:1", Dir: t.TempDir(),
	}
}

func (c ownerConfig) brokers() []kgo.Opt {
	options, err := c.Kafka.Options()
	if err != nil {
		panic(err)
	}
	return options
}

// reader opens the log of the owners for reading.
func (c ownerConfig) reader(t *testing.T) *kafka.Store {
	opts := optionsAt(c.brokers(), c.Prefix)
	opts.ReadOnly, opts.Place = true, kafka.ByPlace
	return open(t, opts)
}

// A question asks for the Nth event of a stream at an expected version.
type question struct {
	ID       int
	Stream   string
	N        int
	Expected int64
}

// A reply is the outcome. Owner is the address of the owner, if another process is the owner.
type reply struct {
	ID      int
	Version int64
	Owner   string
	Again   bool // ask again, any process
	Fenced  bool // the reason for Again
	Error   string
}

func runOwner() int {
	var c ownerConfig
	if err := json.Unmarshal([]byte(os.Getenv(ownerEnv)), &c); err != nil {
		panic(err)
	}
	opts, suspend := withSuspend(kafka.Options{
		Brokers: c.brokers(), Prefix: c.Prefix, Partitions: c.Partitions, Place: kafka.ByPlace,
		Heads:   jsonHeads{},
		Address: c.Address, Dir: c.Dir, Unwritten: 16, Timeout: c.Timeout,
		Clock: func(context.Context) time.Time { return time.Now() },
	})
	s, err := kafka.Open(context.Background(), opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.Close()
	out := json.NewEncoder(os.Stdout)
	var mu sync.Mutex
	var inFlight sync.WaitGroup
	for in := json.NewDecoder(bufio.NewReader(os.Stdin)); ; {
		var q question
		if err := in.Decode(&q); err != nil { // the input has ended
			inFlight.Wait()
			return 0
		}
		inFlight.Go(func() {
			if c.SuspendAt > 0 && q.N == c.SuspendAt {
				suspend()
			}
			r := q.append(s)
			mu.Lock()
			defer mu.Unlock()
			_ = out.Encode(r)
		})
	}
}

func (q question) append(s *kafka.Store) reply {
	receipts, err := q.record(s)
	notOwner := new(contract.NotOwnerError)
	switch {
	case errors.As(err, &notOwner):
		return reply{ID: q.ID, Owner: notOwner.Owner, Again: true}
	case errors.Is(err, contract.ErrFenced), errors.Is(err, kafka.ErrClosed):
		return reply{ID: q.ID, Again: true, Fenced: errors.Is(err, contract.ErrFenced)}
	case err != nil:
		return reply{ID: q.ID, Error: err.Error()}
	}
	return reply{ID: q.ID, Version: receipts[0].Version}
}

// record appends the event; for the stream of a journal together with those of two accounts.
func (q question) record(s *kafka.Store) ([]contract.Receipt, error) {
	ctx, place := context.Background(), contract.PlaceOf(q.Stream)
	if !contract.Grouped(q.Stream) {
		return s.Append(ctx, q.Stream, q.Expected, event(q.Stream, q.N))
	}
	var appends []contract.StreamAppend
	account := "account/" + place + "/"
	for _, stream := range []string{q.Stream, account + "a", account + "b"} {
		appends = append(appends, contract.StreamAppend{
			Stream: stream, Expected: q.Expected, Events: []contract.Event{event(stream, q.N)},
		})
	}
	receipts, err := s.AppendAll(ctx, appends, contract.Guard{Stream: "period/" + place + "/1"})
	return slices.Concat(receipts...), err
}

// A process is an owner process, as its clients see it.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply // nil after the process has ended
	ended   chan struct{}
}

func start(t *testing.T, c ownerConfig) *process {
	text, err := json.Marshal(c)
	require.NoError(t, err)
	p := &process{
		cmd: exec.Command(os.Args[0]), waiting: map[int]chan reply{}, ended: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), ownerEnv+"="+string(text))
	p.cmd.Stderr = os.Stderr
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go p.listen(out)
	t.Cleanup(p.kill)
	return p
}

func (p *process) listen(out io.Reader) {
	defer close(p.ended)
	for in := json.NewDecoder(out); ; {
		var r reply
		err := in.Decode(&r)
		p.mu.Lock()
		if err != nil {
			for _, c := range p.waiting {
				c <- reply{Again: true} // the outcome is unknown
			}
			p.waiting = nil
			p.mu.Unlock()
			_ = p.cmd.Wait()
			return
		}
		p.waiting[r.ID] <- r
		delete(p.waiting, r.ID)
		p.mu.Unlock()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop lets the process finish and leave the group.
func (p *process) stop() {
	_ = p.in.Close()
	<-p.ended
}

// ask asks for the nth event of a stream as its version n.
func (p *process) ask(stream string, n int) reply { return <-p.send(stream, n, int64(n-1)) }

func (p *process) send(stream string, n int, expected int64) <-chan reply {
	r := make(chan reply, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		r <- reply{Again: true}
		return r
	}
	p.next++
	p.waiting[p.next] = r
	text, _ := json.Marshal(question{p.next, stream, n, expected})
	_, _ = p.in.Write(append(text, '\n')) // listen notices if the process has ended
	return r
}

// A fleet is the owner processes of a log, by address.
type fleet struct {
	t      *testing.T
	config ownerConfig
	mu     sync.Mutex
	live   map[string]*process
	named  atomic.Int32 // replies with the address of the owner
}

func (f *fleet) start(address string) {
	c := f.config
	c.Address, c.Dir = address, f.t.TempDir()
	p := start(f.t, c)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[address] = p
}

func (f *fleet) end(address string, end func(*process)) {
	f.mu.Lock()
	p := f.live[address]
	f.mu.Unlock()
	end(p)
}

// at returns the process at an address, or any process if no process is at the address.
func (f *fleet) at(address string, random *rand.Rand) *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.live[address]; p != nil {
		return p
	}
	n := random.IntN(len(f.live))
	for _, p := range f.live {
		if n--; n < 0 {
			return p
		}
	}
	return nil
}

// append asks one process after another until the event is recorded.
func (f *fleet) append(stream string, n int, random *rand.Rand) reply {
	owner := ""
	for {
		r := f.at(owner, random).ask(stream, n)
		if !r.Again {
			return r
		}
		if owner = r.Owner; owner != "" {
			f.named.Add(1)
		}
	}
}

// streamNo is the stream of a writer. Every second one appends to a journal.
func streamNo(writer int) string {
	if writer%2 == 0 {
		return name(writer)
	}
	return fmt.Sprintf("journal/%d/1", writer)
}

// Three processes come, go and die while clients append, some to several streams at once. A process
// that is not the owner names the owner. Each event is recorded once, at its version, and the
// events of an append are together.
func TestPartitionsMoveUnderLoad(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 60
	f := &fleet{t: t, live: map[string]*process{}, config: newOwnerConfig(t, 6)}
	f.start("one:1")
	moves := []func(){
		func() { f.start("two:2") },
		func() { f.start("three:3") },
		func() { f.end("two:2", (*process).kill); f.start("two:2") },
		func() { f.end("one:1", (*process).stop); f.start("one:1") },
	}
	next := make(chan struct{})
	written := f.write(writers, each, func(total int32) {
		if total%(writers*each/6) == 0 {
			next <- struct{}{}
		}
	})
	for over := false; !over; {
		select {
		case <-next:
			if len(moves) > 0 {
				moves[0]()
				moves = moves[1:]
			}
		case <-written:
			over = true
		}
	}
	require.Empty(t, moves, "moves that did not happen")
	f.awaitAgreement(writers, each)

	seen, appends := map[string]int{}, map[uuid.UUID][]contract.Recorded{}
	for _, e := range all(t, f.config.reader(t)) {
		seen[e.Stream]++
		appends[e.AppendGroup] = append(appends[e.AppendGroup], e)
		require.EqualValues(t, seen[e.Stream], e.Version)
		require.Equal(t, event(e.Stream, seen[e.Stream]).ID, e.ID)
	}
	require.Len(t, seen, writers/2*(1+3))
	for stream, n := range seen {
		require.Equal(t, each, n, stream)
	}
	delete(appends, uuid.Nil)
	require.Len(t, appends, writers/2*each)
	for group, events := range appends {
		require.Len(t, events, 3, "events of the append %s", group)
		for i, e := range events {
			require.Equal(t, events[0].RecordedAt, e.RecordedAt)
			require.Equal(t, events[0].Position.Offset+int64(i), e.Position.Offset)
		}
	}
	require.Positive(t, f.named.Load(), "replies with the address of the owner")
}

// write has each writer append events to streams of its own. It calls progress with the total
// after each event, and closes the returned channel at the end.
func (f *fleet) write(writers, each int, progress func(total int32)) <-chan struct{} {
	var total atomic.Int32
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			random := rand.New(rand.NewPCG(6, uint64(w)))
			for n := 1; n <= each; n++ {
				r := f.append(streamNo(w), n, random)
				if r.Error != "" || r.Version != int64(n) {
					f.t.Errorf("%s %d: %+v", streamNo(w), n, r)
					return
				}
				progress(total.Add(1))
			}
		})
	}
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()
	return written
}

// awaitAgreement waits until one process returns the receipt of each stream's last event, and all
// others name that process.
func (f *fleet) awaitAgreement(writers, each int) {
	for w := range writers {
		for agreed := false; !agreed && f.t.Context().Err() == nil; {
			agreed = f.agree(streamNo(w), each)
		}
	}
}

func (f *fleet) agree(stream string, last int) bool {
	owner := ""
	for address, p := range f.live {
		if p.ask(stream, last).Version == int64(last) {
			if owner != "" {
				return false
			}
			owner = address
		}
	}
	for address, p := range f.live {
		if address != owner && p.ask(stream, last).Owner != owner {
			return false
		}
	}
	return true
}
