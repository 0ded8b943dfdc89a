package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// A progress shows on a terminal how far a command has come, if it takes over two seconds. Its line
// is the last one on the screen, is drawn a few times a second, and gives way to other text. In a
// pipe it is silent.
type progress struct {
	out io.Writer // the terminal; nil without one

	mu      sync.Mutex
	command string
	began   time.Time
	count   *count // the present count; nil if nothing is counted
	drawn   bool
	midLine bool // other text on the screen has yet to end its line
	stopped chan struct{}
}

// newProgress returns a progress that begins with show.
func newProgress(stderr io.Writer) *progress {
	p := new(progress)
	if terminal := (&visible{out: stderr}).terminal(); terminal != nil {
		p.out = terminal
	}
	return p
}

// show draws until end.
func (p *progress) show(command string) {
	p.command, p.began = command, time.Now()
	if p.out == nil {
		return
	}
	p.stopped = make(chan struct{})
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				p.draw(now)
			case <-p.stopped:
				return
			}
		}
	}()
}

// end removes the line for good.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	if p.out != nil && p.stopped != nil {
		close(p.stopped)
	}
	p.out = nil
}

func (p *progress) draw(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil || p.midLine || now.Sub(p.began) < 2*time.Second {
		return
	}
	line := fmt.Sprintf("%s: %v", p.command, now.Sub(p.began).Round(time.Second))
	if p.count != nil {
		line = p.count.line(now)
	}
	fmt.Fprint(p.out, "\r"+line+"\x1b[K")
	p.drawn = true
}

// write lets other text onto the screen in place of the line.
func (p *progress) write(w io.Writer, text []byte) (int, error) {
	if p == nil {
		return w.Write(text)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	if len(text) > 0 {
		p.midLine = text[len(text)-1] != '\n'
	}
	return w.Write(text)
}

func (p *progress) erase() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// counting begins a count, and returns functions that count n more things, up to a place in the
// total, and that end the count. Without a total the time left is not known.
func (p *progress) counting(
	noun string, start, total int64,
) (add func(n int, at int64), end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.count
	c := &count{noun: noun, start: start, at: start, total: total, began: time.Now()}
	p.count = c
	add = func(n int, at int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.n, c.at = c.n+n, at
	}
	return add, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.count = before
	}
}

// A count is a number of things, or a part of a total, or both.
type count struct {
	noun             string
	n                int
	start, at, total int64 // a total of zero is not known
	began            time.Time
}

// line shows the number and the rate; and if the total is known, a bar and the time left.
func (c count) line(now time.Time) string {
	took, line := now.Sub(c.began), c.noun
	if c.n > 0 {
		line = fmt.Sprintf("%d %s", c.n, c.noun)
		if took >= time.Second {
			line += fmt.Sprintf(", %.0f a second", float64(c.n)/took.Seconds())
		}
	}
	if c.total <= c.start || c.at <= c.start {
		return line
	}
	const width = 20
	full := int(width * min(c.at, c.total) / c.total)
	bar := strings.Repeat("#", full) + strings.Repeat("-", width-full)
	line = fmt.Sprintf("[%s] %s", bar, line)
	if took < time.Second { // too early to tell
		return line
	}
	left := time.Duration(float64(took) * float64(c.total-c.at) / float64(c.at-c.start))
	return fmt.Sprintf("%s, %v left", line, max(0, left).Round(time.Second))
}

// A watchedLog shows how much of the log is read.
type watchedLog struct {
	contract.Store
	progress *progress
}

var (
	_ contract.Atomic  = watchedLog{}
	_ contract.Resumer = watchedLog{}
)

// StreamFrom implements contract.Resumer.
func (l watchedLog) StreamFrom(
	ctx context.Context, stream string, version int64,
) iter.Seq2[contract.Recorded, error] {
	return contract.StreamFrom(ctx, l.Store, stream, version)
}

// AppendAll implements contract.Atomic. If the log does not, the error is errors.ErrUnsupported.
func (l watchedLog) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	log, ok := l.Store.(contract.Atomic)
	if !ok {
		return nil, fmt.Errorf("append to several streams at once: %w", errors.ErrUnsupported)
	}
	return log.AppendAll(ctx, appends, guards...)
}

// Together implements contract.Atomic.
func (l watchedLog) Together(streams ...string) bool {
	log, ok := l.Store.(contract.Atomic)
	return ok && log.Together(streams...)
}

// Read implements contract.Reader.
func (l watchedLog) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		end, err := l.End(ctx)
		if err != nil {
			yield(contract.Recorded{}, err)
			return
		}
		none := contract.Cursor{}
		seen := none.Distance(from)
		add, done := l.progress.counting("reading the log", seen, none.Distance(end))
		defer done()
		at := from.Max(nil)
		for r, err := range l.Store.Read(ctx, from, to) {
			if err == nil {
				seen += r.Position.Offset + 1 - at.At(r.Position.Partition)
				at = at.After(r.Position)
				add(0, seen)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
