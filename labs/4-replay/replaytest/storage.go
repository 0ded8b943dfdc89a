package replaytest

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// hooked is storage with a function before each call, whose error takes the place of the call, and
// a function after it, which may be nil.
type hooked struct {
	contract.Objects
	before, after func(call, key string) error
}

func (h *hooked) around(call, key string, do func() error) error {
	if err := h.before(call, key); err != nil {
		return err
	}
	err := do()
	if h.after != nil {
		err = errors.Join(err, h.after(call, key))
	}
	return err
}

func (h *hooked) Put(ctx context.Context, key string, content []byte) error {
	return h.around("put", key, func() error { return h.Objects.Put(ctx, key, content) })
}

func (h *hooked) Get(ctx context.Context, key string) (content []byte, err error) {
	err = h.around("get", key, func() (err error) {
		content, err = h.Objects.Get(ctx, key)
		return err
	})
	return content, err
}

func (h *hooked) List(ctx context.Context, prefix string) (keys []string, err error) {
	err = h.around("list", prefix, func() (err error) {
		keys, err = h.Objects.List(ctx, prefix)
		return err
	})
	return keys, err
}

// place names a call for people, without the digest in a key.
func place(call, key string) string {
	if strings.HasSuffix(key, ".jsonl") {
		return call + " state"
	}
	return call + " " + strings.TrimSuffix(path.Base(key), ".json")
}

// A crash ends a process at one of its calls of the storage: before the call, or after it landed.
// With once, the process lives, and that call alone gives an error.
type crash struct {
	at     int // the number of the call, from 1
	landed bool
	once   bool
	calls  int
	place  string
}

var errCrashed = errors.New("the process has crashed")

func (c *crash) String() string {
	what, when := "a crash", "before it"
	if c.once {
		what = "an error"
	}
	if c.landed {
		when = "after it landed"
	}
	return fmt.Sprintf("%s at call %d of the storage (%s), %s", what, c.at, c.place, when)
}

// on returns the storage as the process sees it.
func (c *crash) on(o contract.Objects) contract.Objects {
	return &hooked{o, func(call, key string) error {
		c.calls++
		if c.calls == c.at {
			c.place = place(call, key)
		}
		if c.calls == c.at && c.landed {
			return nil
		}
		return c.err()
	}, func(string, string) error { return c.err() }}
}

// err returns the error of the call that is made now.
func (c *crash) err() error {
	switch {
	case c.once && c.calls == c.at:
		return errBroken
	case !c.once && c.calls >= c.at:
		return errCrashed
	}
	return nil
}

// turns lets two writers call the storage one at a time: bit k of order is the writer of call k. A
// writer that has ended leaves its turn to the other one.
type turns struct {
	order   int
	arrived [2]chan bool // a writer waits before a call, or has ended: true
	turn    [2]chan struct{}
	calls   []string
}

// String lists the calls so far.
func (s *turns) String() string { return "in this order:\n  " + strings.Join(s.calls, "\n  ") }

// of returns the storage as a writer sees it.
func (s *turns) of(writer int, o contract.Objects) contract.Objects {
	s.arrived[writer], s.turn[writer] = make(chan bool), make(chan struct{})
	return &hooked{Objects: o, before: func(call, key string) error {
		s.arrived[writer] <- false
		<-s.turn[writer]
		s.calls = append(s.calls, fmt.Sprintf("writer %d: %s", writer, place(call, key)))
		return nil
	}}
}

// run starts both writers, and ends when they have ended.
func (s *turns) run(t check.T, writers []func()) {
	var ended [2]bool
	for i, write := range writers {
		check.Go(t, func() {
			defer func() { s.arrived[i] <- true }()
			write()
		})
		ended[i] = <-s.arrived[i]
	}
	for k := 0; !ended[0] || !ended[1]; k++ {
		next := s.order >> k & 1
		if ended[next] {
			next = 1 - next
		}
		s.turn[next] <- struct{}{}
		ended[next] = <-s.arrived[next]
	}
}
