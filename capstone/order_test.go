package capstone_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/lines/linestest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/memory"
)

// The state digest depends only on the commands: not on the number of lines in flight, the order of
// unrelated lines, the number of processors, or the day.
func TestDigestDependsOnlyOnTheCommands(t *testing.T) {
	book := sample(t)
	day := func(d int) contract.Clock {
		at := time.Date(2030, 1, d, 9, 0, 0, 0, time.UTC)
		return func(context.Context) time.Time { return at }
	}
	want := digest(t, newSystem(), book, 1)
	cases := []struct {
		name  string
		clock contract.Clock
		width int
		book  []lines.Line
	}{
		{"another log", contract.SimulatedClock, 1, book},
		{"another day", day(1), 1, book},
		{"many lines in flight", day(2), 64, book},
		{"shuffled", contract.SimulatedClock, 1, linestest.Shuffled(book, 1)},
		{"shuffled in another way", day(3), 1, linestest.Shuffled(book, 2)},
		{"shuffled, many lines in flight", day(4), 64, linestest.Shuffled(book, 3)},
	}
	if testing.Short() {
		cases = cases[len(cases)-1:] // the one that has all causes at once
	}
	for _, c := range cases {
		require.Equal(t, want, digest(t, over(memory.New(c.clock)), c.book, c.width), c.name)
	}
}

// This test is not parallel: it changes the number of processors of the whole process.
func TestDigestIgnoresTheProcessors(t *testing.T) {
	book := sample(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := digest(t, newSystem(), book, 16)
	runtime.GOMAXPROCS(2)
	require.Equal(t, one, digest(t, newSystem(), book, 16))
}

// A second import writes nothing, neither for accepted nor for refused commands.
func TestSecondImportChangesNothing(t *testing.T) {
	t.Parallel()
	s, book := newSystem(), sample(t)
	first := imported(t, s, book, 8)
	before := end(t, s.Log)
	again := imported(t, s, book, 8)
	require.Equal(t, before, end(t, s.Log))
	require.Equal(t, len(book), again.Again)
	require.Equal(t, first.Rules, again.Rules)
	require.Equal(t, first.Kinds, again.Kinds)
}

// yielding is a store that lets other goroutines run before each append.
type yielding struct{ contract.Store }

func (s yielding) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	for range rand.IntN(4) {
		runtime.Gosched()
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

// linkedBook returns the lines of groups of linked contracts: A goes on in B, and B in C, and other
// lines stand in the way of each of these steps. The beginnings of the contracts come first, so
// that the other lines can be imported later.
func linkedBook(groups int) (begin, change []lines.Line) {
	random := rand.New(rand.NewPCG(7, 0))
	id := 0
	add := func(to *[]lines.Line, cmd trade.Command, others ...string) string {
		id++
		cmd.ID = "c-" + strconv.Itoa(id)
		*to = append(*to, line(id, cmd, others...))
		return cmd.ID
	}
	for g := range groups {
		a, b, c := fmt.Sprint("A", g), fmt.Sprint("B", g), fmt.Sprint("C", g)
		add(&begin, oil("", a))
		cause := add(&begin, novate("", a, b), b)
		correct := func(quantity int64) {
			cmd := restated("", quantity)
			body := cmd.Body.(trade.Novate)
			body.NewUTI = b
			cmd.UTI, cmd.Body, cmd.Corrects = a, body, trade.EventID(cause, 0)
			add(&change, cmd, b)
		}
		onward := novate("", b, c)
		body := onward.Body.(trade.Novate)
		body.Quantity, onward.Body = barrels(100), body
		to := &change
		if g%2 == 0 { // B and C are linked before the second import
			to = &begin
		}
		steps := []func(){
			func() { add(&change, settle("", b, 250)) }, func() { correct(200) },
			func() { add(to, onward, c) }, func() { add(&change, oil("", c)) },
			func() { correct(90) }, func() { correct(0) }, func() { correct(500) },
			func() { add(&change, latePrice("", a, "75")) },
			func() { add(&change, settle("", c, 60)) },
		}
		random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, step := range steps {
			step()
		}
	}
	return begin, change
}

// Each line has one outcome, however many lines are in flight, and in any allowed order. It does
// not matter whether the links between contracts are older than the import.
func TestOutcomesOfLinkedLinesAreFixed(t *testing.T) {
	t.Parallel()
	begin, change := linkedBook(20)
	all := slices.Concat(begin, change)
	isBegin := map[string]bool{}
	for _, l := range begin {
		isBegin[l.Command.ID] = true
	}
	first := func(l lines.Line) bool { return isBegin[l.Command.ID] }
	want := outcomes(t, 1, all)
	refused := map[string]int{}
	for _, rule := range want {
		refused[rule]++
	}
	for _, rule := range []trade.Rule{"", trade.AlreadyBegun, trade.BreaksLater} {
		require.Greater(t, refused[string(rule)], 2, "%v", refused)
	}
	for seed := range uint64(8) {
		width := []int{1, 2, 4, 16, 64}[seed%5]
		book := linestest.Shuffled(all, seed)
		require.Equal(t, want, outcomes(t, width, book), "seed %d", seed)
		later := slices.DeleteFunc(slices.Clone(book), first)
		require.Equal(t, want, outcomes(t, width, begin, later), "seed %d, two imports", seed)
	}
}

// outcomes imports books into a new log and returns the rule of each line; empty for accepted.
func outcomes(t *testing.T, width int, imports ...[]lines.Line) map[string]string {
	t.Helper()
	all := map[string]string{}
	s := over(yielding{newSystem().Log})
	s.Width = width
	for _, book := range imports {
		n, err := s.Import(t.Context(), each(book), func(r capstone.Result) {
			require.NoError(t, r.Problem)
			all[r.Command.ID] = ""
			if r.Outcome.Refusal != nil {
				all[r.Command.ID] = string(r.Outcome.Refusal.Rule)
			}
		})
		require.NoError(t, err)
		require.Empty(t, n.Orphaned)
	}
	require.Empty(t, orphaned(t, s))
	return all
}

// digest imports book and returns the state digest of the recorded events.
func digest(t *testing.T, s *capstone.System, book []lines.Line, width int) [32]byte {
	t.Helper()
	imported(t, s, book, width)
	return recordedDigest(t, s)
}

// recordedDigest returns the state digest of the recorded events.
func recordedDigest(t *testing.T, s *capstone.System) [32]byte {
	t.Helper()
	streams := map[string][]trade.Event{}
	for r, err := range s.Log.Read(t.Context(), nil, end(t, s.Log)) {
		require.NoError(t, err)
		e, err := contract.Decoded(t.Context(), s.Desk.Codec, r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	state := trade.StateOf(streams, trade.AsOf{})
	require.Empty(t, state.Parked)
	require.NotEmpty(t, state.Trades)
	require.NotEmpty(t, state.Positions)
	return state.Digest()
}

// A perStream log gives each event a later time than the event before it in its stream, as on
// Postgres.
type perStream struct {
	contract.Store // of a stream that the log has not
	mu             sync.Mutex
	streams        map[string]contract.Store
	ids            map[uuid.UUID]contract.Store

	partition func(stream string) string          // nil: each stream is one
	slowly    func(contract.Store) contract.Store // nil: yielding
}

func (p *perStream) of(stream string) contract.Store {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.partition != nil {
		stream = p.partition(stream)
	}
	if p.streams[stream] == nil {
		log := memory.New(contract.SimulatedClock)
		p.streams[stream] = yielding{log}
		if p.slowly != nil {
			p.streams[stream] = p.slowly(log)
		}
	}
	return p.streams[stream]
}

func (p *perStream) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	log := p.of(stream)
	receipts, err := log.Append(ctx, stream, expected, events...)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events[:len(receipts)] {
		p.ids[e.ID] = log
	}
	return receipts, err
}

func (p *perStream) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	return p.of(stream).Stream(ctx, stream)
}

func (p *perStream) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	p.mu.Lock()
	log := cmp.Or(p.ids[id], p.Store)
	p.mu.Unlock()
	return log.Find(ctx, id)
}

// A stream of a simulated log has the same events, with the same times and in the same order,
// however many lines are in flight. Follow-ups keep their place, too.
func TestLinesKeepTheirTimesInTheirStream(t *testing.T) {
	t.Parallel()
	begin, change := linkedBook(20)
	all := slices.Concat(sample(t), begin, change)
	recorded := func(book []lines.Line, width int) map[string][]contract.Recorded {
		log := &perStream{
			Store: memory.New(contract.SimulatedClock), streams: map[string]contract.Store{},
			ids: map[uuid.UUID]contract.Store{},
		}
		imported(t, over(log), book, width)
		events := map[string][]contract.Recorded{}
		for stream, s := range log.streams {
			for e, err := range s.Stream(t.Context(), stream) {
				require.NoError(t, err)
				events[stream] = append(events[stream], e)
			}
		}
		require.NotEmpty(t, events)
		return events
	}
	seeds := uint64(2)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		book := linestest.Shuffled(all, seed)
		want := recorded(book, 1)
		for _, width := range []int{4, 64} {
			require.Equal(t, want, recorded(book, width), "seed %d, width %d", seed, width)
		}
	}
}
