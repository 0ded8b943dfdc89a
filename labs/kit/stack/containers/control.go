package containers

import (
	"context"
	"fmt"

	"github.com/moby/moby/client"
)

// Stop ends a part that runs, in an orderly way, and keeps its data and its address. For tests of what follows.
func (s *Stack) Stop(ctx context.Context, name Part) error {
	p, err := s.running(name)
	if err != nil {
		return err
	}
	timeout := stopTimeout
	return p.container.Stop(ctx, &timeout)
}

// Kill ends a part with SIGKILL, at once.
func (s *Stack) Kill(ctx context.Context, name Part) error {
	p, err := s.running(name)
	if err != nil {
		return err
	}
	_, err = s.engine.ContainerKill(ctx, p.container.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"})
	return err
}

// Start starts a part again after Stop or Kill, and returns once it answers, at the address that it had.
func (s *Stack) Start(ctx context.Context, name Part) error {
	p, err := s.running(name)
	if err != nil {
		return err
	}
	if err := p.container.Start(ctx); err != nil {
		return err
	}
	return p.answers(ctx)
}

func (s *Stack) running(name Part) (*part, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.parts[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s was not started", name)
}
