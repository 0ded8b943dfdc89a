package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// registry is a Confluent-compatible schema registry in this process. The part that answers, srfake, keeps nothing and
// believes everything; what is put before it here keeps a journal of every change and checks every schema.
type registry struct {
	inner  http.Handler
	server *http.Server
	url    string

	mu      sync.Mutex // held over a request: check, apply and record are one step, and nobody sees a part of it
	journal *journal
	broken  error // the journal could not be written: memory is ahead of it
	done    chan struct{}
	once    sync.Once // closes done
}

func startRegistry(_ context.Context, root string, opt EmbeddedOptions) (*registry, error) {
	dir, err := privateDir(root, "registry")
	if err != nil {
		return nil, err
	}
	r := &registry{inner: srfake.NewRegistry().Handler(), done: make(chan struct{})}
	if r.journal, err = openJournal(dir, r.replay); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, r.journal.close())
	}
	r.url = "http://" + l.Addr().String()
	r.server = &http.Server{Handler: r.routes()}
	go r.server.Serve(l) // returns ErrServerClosed at stop
	opt.Log("registry answers at " + r.url)
	return r, nil
}

func (r *registry) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

func (r *registry) ended() <-chan struct{} { return r.done }

func (r *registry) stop() error {
	defer r.once.Do(func() { close(r.done) })
	return errors.Join(r.server.Shutdown(context.Background()), r.journal.close())
}

func (r *registry) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /subjects/{subject}/versions", r.register)
	mux.HandleFunc("POST /compatibility/subjects/{subject}/versions", r.judge)
	mux.HandleFunc("POST /compatibility/subjects/{subject}/versions/{version}", r.judge)
	mux.HandleFunc("POST /subjects/{subject}", r.read) // is it there?
	mux.HandleFunc("GET /", r.read)
	mux.HandleFunc("/", r.change)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/contexts") {
			refuse(w, http.StatusNotFound, http.StatusNotFound, "the embedded registry has no contexts")
			return
		}
		mux.ServeHTTP(w, req)
	})
}

// recorded answers while memory is what the journal says, and refuses everything once it is not: to tell a schema's id that
// is not on disk would be to promise it, and after a restart the id may be another schema's.
func (r *registry) recorded(f func() answer) answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return unwritable
	}
	return f()
}

var unwritable = refusal(http.StatusInternalServerError, 500, "the registry cannot write its journal")

// read answers from memory.
func (r *registry) read(w http.ResponseWriter, req *http.Request) {
	q, err := ask(req)
	if err != nil {
		refuse(w, http.StatusBadRequest, 42201, err.Error())
		return
	}
	r.recorded(func() answer { return r.serve(q) }).write(w)
}

// change applies and records whatever is neither a read nor a schema: configuration, mode, deletions.
func (r *registry) change(w http.ResponseWriter, req *http.Request) {
	q, err := ask(req)
	if err != nil {
		refuse(w, http.StatusBadRequest, 42201, err.Error())
		return
	}
	r.recorded(func() answer { return r.apply(q) }).write(w)
}

// register takes a new schema.
func (r *registry) register(w http.ResponseWriter, req *http.Request) {
	q, schema, err := askSchema(req)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, 42201, err.Error())
		return
	}
	r.recorded(func() answer { return r.take(q, req.PathValue("subject"), schema) }).write(w)
}

// take registers a schema if it is valid and compatible with its predecessors; one that is there already changes nothing.
func (r *registry) take(q question, subject string, schema sr.Schema) answer {
	there := question{Method: http.MethodPost, URI: "/subjects/" + url.PathEscape(subject), Body: q.Body}
	if r.serve(there).Status == http.StatusOK {
		return r.serve(q)
	}
	messages, err := r.incompatibilities(subject, "", schema)
	switch {
	case err != nil:
		return refusal(http.StatusUnprocessableEntity, 42201, err.Error())
	case len(messages) > 0:
		return refusal(http.StatusConflict, http.StatusConflict,
			"schema being registered is incompatible with an earlier schema for subject "+subject+": "+strings.Join(messages, "; "))
	}
	return r.apply(q)
}

// judge answers whether a schema would be compatible, with the reasons whether asked for or not.
func (r *registry) judge(w http.ResponseWriter, req *http.Request) {
	_, schema, err := askSchema(req)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, 42201, err.Error())
		return
	}
	r.recorded(func() answer {
		messages, err := r.incompatibilities(req.PathValue("subject"), req.PathValue("version"), schema)
		if err != nil {
			return refusal(http.StatusUnprocessableEntity, 42201, err.Error())
		}
		body, _ := json.Marshal(map[string]any{"is_compatible": len(messages) == 0, "messages": messages})
		return answer{http.StatusOK, string(body)}
	}).write(w)
}

// apply changes memory, then the journal, then answers. A crash before the journal is synced loses a change that nobody
// was told of; one after it repeats the same change at the next start, with the same ids.
func (r *registry) apply(q question) answer {
	a := r.serve(q)
	if err := r.journal.append(entry{q, a}); err != nil {
		r.broken = fmt.Errorf("write the registry's journal: %w", err)
		r.once.Do(func() { close(r.done) })
		return unwritable
	}
	return a
}

// replay repeats a recorded change. Refused ones are repeated too: they can use up an id.
func (r *registry) replay(e entry) error {
	if a := r.serve(e.question); a != e.answer {
		return fmt.Errorf("%s %s was answered %q and is now answered %q", e.Method, e.URI, e.answer.Body, a.Body)
	}
	return nil
}

// question is a request as it is kept.
type question struct {
	Method string `json:"method"`
	URI    string `json:"uri"`
	Body   string `json:"body,omitempty"`
}

// answer is a response as it is kept.
type answer struct {
	Status int    `json:"status"`
	Body   string `json:"answer"`
}

func ask(req *http.Request) (question, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, 1<<20))
	return question{Method: req.Method, URI: req.URL.RequestURI(), Body: string(body)}, err
}

func askSchema(req *http.Request) (question, sr.Schema, error) {
	q, err := ask(req)
	if err != nil {
		return q, sr.Schema{}, err
	}
	var schema sr.Schema
	err = json.Unmarshal([]byte(q.Body), &schema)
	return q, schema, err
}

func (r *registry) serve(q question) answer {
	req, err := http.NewRequest(q.Method, q.URI, strings.NewReader(q.Body))
	if err != nil || req.URL.Path == "" {
		return answer{http.StatusBadRequest, "not a request"}
	}
	w := httptest.NewRecorder()
	r.inner.ServeHTTP(w, req)
	return answer{w.Code, w.Body.String()}
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	w.WriteHeader(a.Status)
	io.WriteString(w, a.Body)
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	refusal(status, code, message).write(w)
}

func refusal(status, code int, message string) answer {
	body, _ := json.Marshal(map[string]any{"error_code": code, "message": message})
	return answer{status, string(body)}
}
