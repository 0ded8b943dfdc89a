package chaos

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A board is the knowledge that all clients share: the versions of the streams, their last known
// owners, and some events to look for.
type board struct {
	acknowledged atomic.Int64

	mu         sync.Mutex
	generation [slots]int
	versions   map[string]int64
	owners     map[string]string // by stream, an address
	recent     []uuid.UUID       // ids of sent events, acknowledged or not
	streams    map[uuid.UUID]string
}

func newBoard() *board {
	return &board{
		versions: map[string]int64{}, owners: map[string]string{}, streams: map[uuid.UUID]string{},
	}
}

// retired is the version at which a slot gets a new stream. The judge checks stream by stream, and
// its work grows faster than a stream.
const retired = 40

// stream returns the stream of a slot and its last known version.
func (b *board) stream(slot int) (name string, version int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name = streamName(slot, b.generation[slot])
	if b.versions[name] >= retired {
		b.generation[slot]++
		name = streamName(slot, b.generation[slot])
	}
	return name, b.versions[name]
}

func streamName(slot, generation int) string {
	return fmt.Sprintf("trade/chaos-%d-%d", slot, generation)
}

func (b *board) owner(stream string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.owners[stream]
}

func (b *board) learn(stream string, version int64, owner string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.versions[stream] = max(b.versions[stream], version)
	if owner != "" {
		b.owners[stream] = owner
	}
}

// sent keeps the first id of a batch, for other clients to look for.
func (b *board) sent(stream string, id uuid.UUID) {
	const most = 64
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.recent) == most {
		delete(b.streams, b.recent[0])
		b.recent = b.recent[1:]
	}
	b.recent, b.streams[id] = append(b.recent, id), stream
}

func (b *board) pick(at float64) (id uuid.UUID, stream string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.recent) == 0 {
		return id, "", false
	}
	id = b.recent[int(at*float64(len(b.recent)))]
	return id, b.streams[id], true
}

// A client does one operation after the other.
type client struct {
	number int
	seed   uint64
	crew   *crew
	board  *board
	plain  bool // one event each, at any version
	made   int  // the number of events sent
}

const (
	// patience is how long a client waits for an answer. Then the outcome is unknown, and the
	// client asks another writer.
	patience = time.Second
	// breath is the first pause between two attempts at an operation. It doubles each time, up to
	// longBreath.
	breath     = 5 * time.Millisecond
	longBreath = 100 * time.Millisecond
)

// work does the operations of the seed until until ends, or a writer has failed. It finishes the
// last operation if it can.
func (c *client) work(ctx, until context.Context) error {
	for t := range Tasks(c.seed, c.number) {
		if until.Err() != nil {
			return nil
		}
		if err := c.do(ctx, until, t); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) do(ctx, until context.Context, t Task) error {
	if c.plain {
		t.Batch, t.Any = 1, true
	}
	stream, version := c.board.stream(t.Slot)
	r := Request{Kind: t.Kind, Stream: stream}
	switch t.Kind {
	case Append:
		r.Expected = version
		if t.Any {
			r.Expected = contract.Any
		}
		for range t.Batch {
			c.made++
			r.IDs = append(r.IDs, idOf(c.seed, c.number, c.made))
		}
		c.board.sent(stream, r.IDs[0])
	case Find:
		id, of, ok := c.board.pick(t.Pick)
		if !ok {
			return nil
		}
		r.IDs, r.Stream = []uuid.UUID{id}, of
	}
	return c.insist(ctx, until, t, r)
}

// insist makes attempts with the same ids until the outcome is known, wherever the first attempt
// got to. It also stops at the end of the run, and then leaves the outcome unknown.
func (c *client) insist(ctx, until context.Context, t Task, r Request) error {
	for pause := breath; ; pause = min(2*pause, longBreath) {
		owner := c.board.owner(r.Stream)
		if t.Stray {
			owner = ""
		}
		answer, from, err := c.attempt(ctx, owner, t.Pick, r)
		if err != nil {
			return err
		}
		switch answer.Outcome {
		case OK:
			if r.Kind == Append {
				c.board.learn(r.Stream, answer.Receipts[len(answer.Receipts)-1].Version, from)
				c.board.acknowledged.Add(1)
			}
			return nil
		case Conflict:
			c.board.learn(r.Stream, answer.Actual, from)
			return nil
		case Elsewhere:
			c.board.learn(r.Stream, 0, answer.Owner)
			t.Stray = false
		case Unknown:
			if t.Forget || r.Kind != Append {
				return nil
			}
		case Absent, Refused, Damaged:
			return nil
		}
		if until.Err() != nil {
			return nil
		}
		t.Pick = rotate(t.Pick)
		wait(ctx, pause)
	}
}

// rotate returns a pick that sends the next attempt to another writer.
func rotate(pick float64) float64 {
	if pick += 0.37; pick >= 1 {
		pick--
	}
	return pick
}

// attempt asks one writer, and returns its address. Without an answer in time the outcome is
// unknown. A later answer still goes into the history.
func (c *client) attempt(
	ctx context.Context, owner string, pick float64, r Request,
) (Return, string, error) {
	m, w, err := c.crew.some(ctx, owner, pick)
	if err != nil {
		return Return{}, "", err
	}
	answer := w.ask(c.number, r)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a := <-answer:
		return a, m.address, nil
	case <-w.gone:
		select {
		case a := <-answer: // its last answer
			return a, m.address, nil
		default:
		}
	case <-timer.C:
	case <-ctx.Done():
	}
	return Return{Outcome: Unknown}, m.address, nil
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
