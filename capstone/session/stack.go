package session

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/publication"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/containers"
	codec "example.com/blotter/solutions/1-schemas"
)

// A Stack is an open stack that knows whether it was lost.
type Stack struct {
	stack.Stack
	lost atomic.Bool
}

// OpenStack finds the stack of a data folder. Its parts start when they are first used.
func OpenStack(c Config) (*Stack, error) {
	s := new(Stack)
	if c.stackKind() != "embedded" {
		c.say("stack: " + c.stackKind())
	}
	if c.stackKind() == "containers" {
		s.Stack = containers.New(containers.Options{
			Dir: logdir.ContainerDir(c.Data), Temporary: c.Temporary, Compatible: compatible,
			Brokers: c.Brokers, Log: c.say,
		})
		return s, nil
	}
	var err error
	s.Stack, err = stack.Open(c.Stack, stack.EmbeddedOptions{
		Dir: logdir.StackDir(c.Data), Compatible: compatible,
		Failed: func(err error) {
			s.lost.Store(true) // BEFORE anybody hears of it and closes
			if c.StackLost != nil {
				c.StackLost(err)
			}
		},
	})
	return s, err
}

// Close stops the started components. If the stack was lost it waits at most a second.
func (s *Stack) Close() error { return s.limit(s.Stack.Close) }

func (s *Stack) limit(close func() error) error {
	if !s.lost.Load() {
		return close()
	}
	closed := make(chan error, 1)
	go func() { closed <- close() }()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		return nil
	}
}

func (c Config) say(line string) {
	if c.Logger != nil {
		c.Logger.Info(line)
	} else if c.Progress != nil {
		fmt.Fprintln(c.Progress, line)
	}
}

// KeepStack keeps the embedded stack of a data folder until ctx ends or a part fails. It calls
// ready once all parts answer.
func KeepStack(ctx context.Context, data string, log func(line string), ready func()) error {
	o := stack.EmbeddedOptions{Dir: logdir.StackDir(data), Log: log, Compatible: compatible}
	return stack.Keep(ctx, o, func(stack.Kept) { ready() })
}

// Publication returns the process that publishes the events of ledgers. Its topic is on the stack's
// brokers, also if the log is kept in another store.
func (s *Session) Publication(ctx context.Context) (*publication.Publisher, error) {
	at, err := s.stack.Kafka(ctx)
	if err != nil {
		return nil, err
	}
	brokers, err := at.Options()
	if err != nil {
		return nil, err
	}
	name := s.Settings().Name
	topic, err := publication.OpenTopic(brokers, name.PublicTopic())
	if err != nil {
		return nil, err
	}
	s.onClose(topic.Close)
	return &publication.Publisher{Log: s.Log, Name: string(name), Topic: topic,
		Cursor: s.dir.Published(), Of: s.dir.PublishedTo()}, nil
}

// compatible judges schemas for the embedded registry. It is the reference in every build: the
// registry must not depend on an unfinished lab.
func compatible(mode, next string, published ...string) error {
	return codec.Compatible(contract.Mode(mode), next, published...)
}
