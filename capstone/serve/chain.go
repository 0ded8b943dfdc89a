package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/blotter/capstone/lines"
)

// A Problem is an answer of RFC 9457.
type Problem struct {
	Type   string `json:"type,omitempty"` // absent: about:blank, which the status describes
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	Rule    string   `json:"rule,omitempty"`    // the broken rule; its text is stable
	Field   string   `json:"field,omitempty"`   // of a line that is no command
	Owner   string   `json:"owner,omitempty"`   // the process that has the partition
	Hint    string   `json:"hint,omitempty"`    // the way past the problem
	Outcome *Outcome `json:"outcome,omitempty"` // that is on record
	Answer  any      `json:"answer,omitempty"`  // the findings of a query whose answer is no
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus and ContentType make a problem the answer of an operation.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns that of problems for JSON.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func (p *Problem) titled() *Problem {
	p.Title = http.StatusText(p.Status)
	return p
}

func writeProblem(w http.ResponseWriter, p Problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.titled()) // a client that is gone
}

// chain puts the checks of every request around the pages, the first one outside.
func (s *Server) chain(pages http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusForbidden, CrossOrigin, r.Header.Get("Origin"))
	}))
	return s.recovered(s.counted(s.plain(cross.Handler(s.signIn(read(pages))))))
}

// recovered answers 500 in place of a page that panics.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				s.Log.Error("a page panicked", "panic", p, "stack", string(debug.Stack()))
				writeProblem(w, Problem{Status: http.StatusInternalServerError})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// plain refuses a path that leaves the service, and a line break or a zero byte in a value, which
// could end in a header or a line of a file.
func (s *Server) plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "same-origin")
		switch {
		case leaves(r.URL.Path):
			s.refuse(w, r, http.StatusBadRequest, BadPath, "")
		case breaks(r):
			s.refuse(w, r, http.StatusBadRequest, BadHeader, "")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// leaves reports whether a decoded path has a part that no page has.
func leaves(path string) bool {
	parts := strings.Split(strings.ReplaceAll(path, `\`, "/"), "/")
	return !strings.HasPrefix(path, "/") || slices.Contains(parts, "..") ||
		slices.Contains(parts, ".") || strings.Contains(path, "//")
}

// breaks reports whether a path, a query or a header has a line break or a zero byte.
func breaks(r *http.Request) bool {
	broken := func(s string) bool { return strings.ContainsAny(s, "\r\n\x00") }
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || broken(r.URL.Path) {
		return true
	}
	for _, values := range []map[string][]string{query, r.Header} {
		for name, all := range values {
			if broken(name) || slices.ContainsFunc(all, broken) {
				return true
			}
		}
	}
	return false
}

// read reads the body of a request, which is one line at most. A batch is read as it is decided.
func read(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == batches {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, lines.MaxLine))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			writeProblem(w, Problem{Status: http.StatusRequestEntityTooLarge,
				Detail: fmt.Sprintf("a body has at most %d bytes", large.Limit)})
		case err != nil: // cut, slow or malformed
			writeProblem(w, Problem{Status: http.StatusBadRequest,
				Detail: "the body cannot be read"})
		default:
			// The deadline of the request would end its answer: net/http goes on reading. The
			// answer has one from its first byte on.
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Time{})
			_ = control.SetWriteDeadline(time.Time{})
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		}
	})
}

// register adds an operation. Its body was read before, within the time of the service: another
// deadline on the connection would end an answer that takes longer.
func register[I, O any](
	api huma.API, op huma.Operation, do func(context.Context, *I) (*O, error),
) {
	op.BodyReadTimeout = -1
	huma.Register(api, op, do)
}

// counted counts the requests, by operation and status.
func (s *Server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, status := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		_, pattern := s.mux.Handler(r)
		next.ServeHTTP(status, r)
		if pattern == "" {
			pattern = "none"
		}
		s.metrics.requests.WithLabelValues(pattern, strconv.Itoa(status.status)).Inc()
		s.metrics.took.WithLabelValues(pattern).Observe(time.Since(began).Seconds())
	})
}

// A statusWriter keeps the status of an answer, and gives its client a time to read it.
type statusWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// begin sets the deadline of the answer at its first byte: the work before it may take longer.
func (w *statusWriter) begin() {
	if !w.begun {
		deadline := time.Now().Add(writeTimeout)
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(deadline)
	}
	w.begun = true
}

// Unwrap lets http.ResponseController find the writer of the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
