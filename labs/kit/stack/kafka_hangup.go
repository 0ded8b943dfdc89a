package stack

import (
	"net"
	"sync"
)

// A switchboard is a listener that knows the connections it accepted, so that all of them can be cut at once.
type switchboard struct {
	net.Listener
	mu    sync.Mutex
	down  bool
	lines map[net.Conn]bool
}

func listenLoopback(network, address string) (*switchboard, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &switchboard{Listener: l, lines: map[net.Conn]bool{}}, nil
}

// Accept implements net.Listener.
func (s *switchboard) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		conn.Close()
		return nil, net.ErrClosed
	}
	s.lines[conn] = true
	return &line{conn, s}, nil
}

// hangUp cuts every connection and takes no more. When it returns, nothing written later reaches anybody.
func (s *switchboard) hangUp() {
	s.Listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	for conn := range s.lines {
		conn.Close()
	}
}

type line struct {
	net.Conn
	s *switchboard
}

// Close implements net.Conn.
func (l *line) Close() error {
	l.s.mu.Lock()
	delete(l.s.lines, l.Conn)
	l.s.mu.Unlock()
	return l.Conn.Close()
}
