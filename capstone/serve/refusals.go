package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// A Rule names the reason why access was refused. Its text is stable: people search for it.
type Rule string

// The rules of access.
const (
	NoCredential  Rule = "access.no-credential"  // no token, password or certificate
	BadCredential Rule = "access.bad-credential" // one that nobody here issued
	Expired       Rule = "access.expired"        // a token whose time is over
	OtherAudience Rule = "access.audience"       // a token for another service
	BadAlgorithm  Rule = "access.algorithm"      // a token with alg=none, or another weak one
	RoleTooLow    Rule = "access.role"           // the principal has not the role
	CrossOrigin   Rule = "access.cross-origin"   // a browser sends the request of another site
	ActorClaimed  Rule = "access.actor-claimed"  // a body names another actor, or an approver
	OwnCommand    Rule = "access.own-command"    // an approver approves a command of its own
	BadPath       Rule = "access.path"           // a path that leaves the service
	BadHeader     Rule = "access.header"         // a line break inside a value or a header
)

// Refusals is the record of refused requests: a file of JSON Lines in the data folder. It is not
// the log, which keeps everything for years and may not be filled by strangers. It has a limit: a
// flood of requests costs one line with the number of refusals that were not written, and a file
// that is full replaces the one before.
type Refusals struct {
	path string
	now  func() time.Time

	mu      sync.Mutex
	file    *os.File
	size    int64
	allowed map[string]*allowance // of each principal that signed in; of strangers under ""
	omitted map[Rule]int
}

// An allowance is the number of lines that may be written now, as of a time.
type allowance struct {
	lines float64
	at    time.Time
}

const (
	refusalsPerSecond = 20
	refusalsAtOnce    = 200
	refusalsSize      = 16 << 20 // bytes of a file
)

// OpenRefusals opens the record in a file. Only this user may read it.
func OpenRefusals(path string, now func() time.Time) (*Refusals, error) {
	l := &Refusals{path: path, now: now, allowed: map[string]*allowance{}}
	return l, l.open()
}

func (l *Refusals) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Close writes the number of refusals that were not written, and closes the file.
func (l *Refusals) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.writeOmitted(), l.file.Close())
}

// A refusal is one line of the record.
type refusal struct {
	At        time.Time    `json:"at"`
	Rule      Rule         `json:"rule,omitempty"`
	Detail    string       `json:"detail,omitempty"`
	Status    int          `json:"status,omitempty"`
	Principal string       `json:"principal,omitempty"`
	Remote    string       `json:"remote,omitempty"`
	Method    string       `json:"method,omitempty"`
	Path      string       `json:"path,omitempty"`
	Omitted   map[Rule]int `json:"omitted,omitempty"` // refusals without a line of their own
}

// add records a refusal. A crash after it leaves the line; a crash before it, a request that had no
// answer. written is false for one of too many at once, which is only counted.
func (l *Refusals) add(line refusal) (written bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line.At = l.now().UTC()
	if !l.allows(line.Principal, line.At) {
		if l.omitted == nil {
			l.omitted = map[Rule]int{}
		}
		l.omitted[line.Rule]++
		return false, nil
	}
	return true, errors.Join(l.writeOmitted(), l.write(line))
}

// allows takes one line of the allowance of a principal. Strangers have one together, so that they
// cannot hide the denials of a principal, and no principal those of another. Who signs in is in the
// file of principals or has a token, so the map stays small.
func (l *Refusals) allows(principal string, now time.Time) bool {
	a := l.allowed[principal]
	if a == nil {
		a = &allowance{refusalsAtOnce, now}
		l.allowed[principal] = a
	}
	since := now.Sub(a.at).Seconds()
	a.lines, a.at = min(refusalsAtOnce, a.lines+since*refusalsPerSecond), now
	if a.lines < 1 {
		return false
	}
	a.lines--
	return true
}

func (l *Refusals) writeOmitted() error {
	if len(l.omitted) == 0 {
		return nil
	}
	err := l.write(refusal{At: l.now().UTC(), Omitted: l.omitted})
	if err == nil {
		l.omitted = nil
	}
	return err
}

func (l *Refusals) write(line refusal) error {
	var full error
	if l.size > refusalsSize {
		full = l.rotate()
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(line); err != nil { // escapes every line break
		return err
	}
	n, err := l.file.Write(text.Bytes())
	l.size += int64(n)
	return errors.Join(full, err, l.file.Sync())
}

// rotate keeps the full file as the one before, and begins another. If it cannot, the full file
// takes the lines, and the next line tries again.
func (l *Refusals) rotate() error {
	if err := l.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return err
	}
	err := os.Rename(l.path, l.path+".1")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.open())
}

// refuse answers a request that is not permitted, and records it.
func (s *Server) refuse(
	w http.ResponseWriter, r *http.Request, status int, rule Rule, detail string,
) {
	s.record(r, status, rule, detail)
	writeRefusal(w, status, rule, detail)
}

func writeRefusal(w http.ResponseWriter, status int, rule Rule, detail string) {
	p := Problem{Status: status, Rule: string(rule)}
	if rule == RoleTooLow || rule == ActorClaimed || rule == OwnCommand {
		p.Detail = detail // the others would help a guess
	}
	writeProblem(w, p)
}

// record records a refusal, and counts it. It reports whether the refusal has a line of its own.
func (s *Server) record(r *http.Request, status int, rule Rule, detail string) bool {
	line := refusal{Rule: rule, Detail: cut(detail), Status: status, Remote: r.RemoteAddr,
		Method: cut(r.Method), Path: cut(r.URL.EscapedPath())}
	if p := PrincipalOf(r.Context()); p != nil {
		line.Principal = p.Name
	}
	return s.recordLine(line)
}

func (s *Server) recordLine(line refusal) bool {
	s.metrics.refused.WithLabelValues(string(line.Rule)).Inc()
	written, err := s.Refusals.add(line)
	if err != nil {
		s.Log.Error("record a refused request", "error", err)
	}
	return written
}

// cut returns the beginning of a text from outside.
func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), 300)], "�") }

// A watched listener records the requests that never reach a handler: those that net/http refuses
// for a malformed header, such as one with a line break inside, and connections of a client whose
// certificate no authority of the service signed.
type watched struct {
	net.Listener
	server *Server
}

func (l *watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{c, l.server}, nil
}

type watchedConn struct {
	net.Conn
	server *Server
}

// secure returns the TLS of the connection; nil without TLS.
func (c *watchedConn) secure() *tls.Conn {
	secure, _ := c.Conn.(*tls.Conn)
	return secure
}

type secureKey struct{}

// withTLS keeps the TLS of a connection, which net/http does not see below a watched one.
func withTLS(ctx context.Context, c net.Conn) context.Context {
	if w, ok := c.(*watchedConn); ok && w.secure() != nil {
		return context.WithValue(ctx, secureKey{}, w.secure())
	}
	return ctx
}

// secured states the TLS of each request, as net/http does without a watched connection.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(secureKey{}).(*tls.Conn); ok {
			state := c.ConnectionState() // its handshake is complete: a request was read
			r.TLS = &state
		}
		next.ServeHTTP(w, r)
	})
}

// Read implements net.Conn. The first read does the handshake of TLS.
func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	var unknown *tls.CertificateVerificationError
	if errors.As(err, &unknown) {
		c.server.recordLine(refusal{Rule: BadCredential, Detail: cut(err.Error()),
			Remote: c.RemoteAddr().String()})
	}
	return n, err
}

// Write implements net.Conn. net/http writes its own refusal in one piece, without a date. It also
// refuses a connection without a complete handshake so, which Read has recorded.
func (c *watchedConn) Write(p []byte) (int, error) {
	if secure := c.secure(); secure != nil && !secure.ConnectionState().HandshakeComplete {
		return c.Conn.Write(p)
	}
	if bytes.HasPrefix(p, []byte("HTTP/1.1 4")) && !bytes.Contains(p, []byte("\r\nDate: ")) {
		_, body, _ := bytes.Cut(p, []byte("\r\n\r\n"))
		c.server.recordLine(refusal{Rule: BadHeader, Detail: cut(string(body)),
			Remote: c.RemoteAddr().String()})
	}
	return c.Conn.Write(p)
}
