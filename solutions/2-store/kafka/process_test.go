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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

// ownerEnv has the test's program run as a process that owns partitions of a log: it opens the store that this JSON says, and appends what
// comes in on standard input.
const ownerEnv = "BLOTTER_TEST_OWNER"

type ownerConfig struct {
	Brokers              []string
	Prefix, Address, Dir string
	Partitions           int32
	Timeout              time.Duration
	NapAt                int // the n of an event; see napping
}

// An ask is the nth event of a stream, to be appended behind a version of it.
type ask struct {
	ID     int
	Stream string
	N      int
	Behind int64
}

// A told is what became of it. Owner is who has the partition, where another process does.
type told struct {
	ID      int
	Version int64
	Owner   string
	Again   bool // ask again, wherever
	Fenced  bool // and that is why
	Error   string
}

func beAnOwner() int {
	var c ownerConfig
	if err := json.Unmarshal([]byte(os.Getenv(ownerEnv)), &c); err != nil {
		panic(err)
	}
	opts, nap := napping(kafka.Options{
		Brokers: c.Brokers, Prefix: c.Prefix, Partitions: c.Partitions, Heads: jsonHeads{}, Address: c.Address, Dir: c.Dir, Unwritten: 16,
		Clock: func(context.Context) time.Time { return time.Now() }, Timeout: c.Timeout,
	})
	s, err := kafka.Open(context.Background(), opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.Close()
	out := json.NewEncoder(os.Stdout)
	var mu sync.Mutex
	var under sync.WaitGroup
	for in := json.NewDecoder(bufio.NewReader(os.Stdin)); ; {
		var a ask
		if err := in.Decode(&a); err != nil { // the input has ended
			under.Wait()
			return 0
		}
		under.Go(func() {
			if c.NapAt > 0 && a.N == c.NapAt {
				nap()
			}
			answer := appendFor(s, a)
			mu.Lock()
			defer mu.Unlock()
			_ = out.Encode(answer)
		})
	}
}

func appendFor(s *kafka.Store, a ask) told {
	receipts, err := s.Append(context.Background(), a.Stream, a.Behind, event(a.Stream, a.N))
	notOwner := new(contract.NotOwnerError)
	switch {
	case errors.As(err, &notOwner):
		return told{ID: a.ID, Owner: notOwner.Owner, Again: true}
	case errors.Is(err, contract.ErrFenced), errors.Is(err, kafka.ErrClosed):
		return told{ID: a.ID, Again: true, Fenced: errors.Is(err, contract.ErrFenced)}
	case err != nil:
		return told{ID: a.ID, Error: err.Error()}
	}
	return told{ID: a.ID, Version: receipts[0].Version}
}

// A process is one that owns partitions, as its clients see it.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser

	mu      sync.Mutex
	next    int
	waiting map[int]chan told // nil once the process has ended
	ended   chan struct{}
}

func start(t *testing.T, c ownerConfig) *process {
	text, err := json.Marshal(c)
	require.NoError(t, err)
	p := &process{cmd: exec.Command(os.Args[0]), waiting: map[int]chan told{}, ended: make(chan struct{})}
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
		var answer told
		err := in.Decode(&answer)
		p.mu.Lock()
		if err != nil {
			for _, c := range p.waiting {
				c <- told{Again: true} // nobody knows what became of it
			}
			p.waiting = nil
			p.mu.Unlock()
			_ = p.cmd.Wait()
			return
		}
		p.waiting[answer.ID] <- answer
		delete(p.waiting, answer.ID)
		p.mu.Unlock()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop has it finish, and give its partitions to others.
func (p *process) stop() {
	_ = p.in.Close()
	<-p.ended
}

// ask has the nth event of a stream become its version n.
func (p *process) ask(stream string, n int) told { return <-p.send(stream, n, int64(n-1)) }

func (p *process) send(stream string, n int, behind int64) <-chan told {
	answer := make(chan told, 1)
	p.mu.Lock()
	if p.waiting == nil {
		p.mu.Unlock()
		answer <- told{Again: true}
		return answer
	}
	p.next++
	p.waiting[p.next] = answer
	text, _ := json.Marshal(ask{p.next, stream, n, behind})
	_, _ = p.in.Write(append(text, '\n')) // if it is gone, listen says so
	p.mu.Unlock()
	return answer
}

// A fleet is the processes that share a log, by address.
type fleet struct {
	t      *testing.T
	config ownerConfig
	mu     sync.Mutex
	live   map[string]*process
	named  atomic.Int32 // owners that were named to who asked elsewhere
}

func (f *fleet) start(address string) {
	c := f.config
	c.Address, c.Dir = address, f.t.TempDir()
	p := start(f.t, c)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[address] = p
}

func (f *fleet) remove(address string, how func(*process)) {
	f.mu.Lock()
	p := f.live[address]
	f.mu.Unlock()
	how(p)
}

// at is the process at an address, or any if there is none.
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

// append goes from one process to the next until the event is recorded.
func (f *fleet) append(stream string, n int, random *rand.Rand) told {
	owner := ""
	for {
		answer := f.at(owner, random).ask(stream, n)
		if !answer.Again {
			return answer
		}
		if owner = answer.Owner; owner != "" {
			f.named.Add(1)
		}
	}
}

// Three processes come, go and die while they are written to. Who asks the wrong one is told the right one; each event is
// recorded once, in its place.
func TestPartitionsMoveBetweenProcessesUnderLoad(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 60
	f := &fleet{t: t, live: map[string]*process{}, config: ownerConfig{Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Partitions: 6}}
	f.start("one:1")
	var written atomic.Int32
	moves := make(chan int32)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			random := rand.New(rand.NewPCG(6, uint64(w)))
			stream := fmt.Sprintf("trade/UTI-%d", w)
			for n := 1; n <= each; n++ {
				if answer := f.append(stream, n, random); answer.Error != "" || answer.Version != int64(n) {
					t.Errorf("%s %d: %+v", stream, n, answer)
					return
				}
				if total := written.Add(1); total%(writers*each/6) == 0 {
					moves <- total
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { writing.Wait(); close(finished) }()
	steps := []func(){
		func() { f.start("two:2") },
		func() { f.start("three:3") },
		func() { f.remove("two:2", (*process).kill); f.start("two:2") },
		func() { f.remove("one:1", (*process).stop); f.start("one:1") },
	}
	for over := false; !over; {
		select {
		case <-moves:
			if len(steps) > 0 {
				steps[0]()
				steps = steps[1:]
			}
		case <-finished:
			over = true
		}
	}
	require.Empty(t, steps, "changes that did not come about")
	f.agree(writers, each)

	reader := open(t, kafka.Options{Brokers: f.config.Brokers, Prefix: f.config.Prefix, ReadOnly: true, Clock: func(context.Context) time.Time { return noon }, Heads: jsonHeads{}})
	seen := map[string]int{}
	for _, e := range all(t, reader) {
		seen[e.Stream]++
		require.EqualValues(t, seen[e.Stream], e.Version)
		require.Equal(t, event(e.Stream, seen[e.Stream]).ID, e.ID)
	}
	require.Len(t, seen, writers)
	for stream, n := range seen {
		require.Equal(t, each, n, stream)
	}
	require.Positive(t, f.named.Load(), "owners that were named")
}

// agree waits until the group has settled: of each stream one process gives the receipt of what is recorded, and the others name that one.
func (f *fleet) agree(writers, each int) {
	for w := range writers {
		stream := fmt.Sprintf("trade/UTI-%d", w)
		for settled := false; !settled && f.t.Context().Err() == nil; {
			var owner string
			settled = true
			for address, p := range f.live {
				if answer := p.ask(stream, each); answer.Version == int64(each) {
					settled = settled && owner == ""
					owner = address
				}
			}
			for address, p := range f.live {
				if address != owner {
					settled = settled && p.ask(stream, each).Owner == owner
				}
			}
		}
	}
}
