package kafka

import (
	"sync"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// stamps are the times that one partition gives out (L2.I8), and up to when it gives out no more.
type stamps struct {
	mu      sync.Mutex
	last    time.Time // the latest that was given or promised
	settled time.Time // no event that has yet to commit is stamped at or before it
	open    bool      // a group is under way
}

// resume goes on from the last time in the log. A frontier that was told holds.
func (s *stamps) resume(last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last.Before(s.settled) {
		last = s.settled
	}
	s.last, s.settled, s.open = last, last, false
}

// begin is before the first stamp of a group, end behind the outcome of its commit.
func (s *stamps) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
}

func (s *stamps) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled, s.open = s.last, false
}

func (s *stamps) stamp(clock time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = contract.Stamp(clock, s.last)
	return s.last
}

// frontier is just before the time that the next event could get. Having told it, the partition keeps to it even
// if the clock is set back.
func (s *stamps) frontier(clock time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		s.last = contract.Stamp(clock, s.last).Add(-time.Microsecond)
		s.settled = s.last
	}
	return s.settled
}
