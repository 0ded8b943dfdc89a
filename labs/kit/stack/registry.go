package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// registry is a Confluent-compatible schema registry in this process. The part that answers, srfake, keeps nothing and
// believes everything; what is put before it here keeps a journal of every change and checks every schema.
type registry struct {
	inner      http.Handler
	compatible func(mode, next string, published ...string) error
	server     *http.Server
	url        string

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
	r := newRegistry(opt.Compatible)
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

func newRegistry(compatible func(mode, next string, published ...string) error) *registry {
	if compatible == nil {
		compatible = oneSchemaPerSubject
	}
	return &registry{
		inner: srfake.NewRegistry().Handler(), compatible: compatible, done: make(chan struct{}),
	}
}

// oneSchemaPerSubject is the check of a registry that was given none. It cannot tell a compatible
// schema from another, therefore it refuses each change of a subject that has a mode.
func oneSchemaPerSubject(mode, _ string, published ...string) error {
	if mode != modeNone && len(published) > 0 {
		return errors.New("this registry has no compatibility check, " +
			"and accepts a second schema only for subjects in mode " + modeNone)
	}
	return nil
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

// take registers a schema that is valid and compatible with its predecessors. A schema that the
// subject already has changes nothing.
func (r *registry) take(q question, subject string, schema sr.Schema) answer {
	lookup := question{Method: http.MethodPost, URI: "/subjects/" + url.PathEscape(subject), Body: q.Body}
	if r.serve(lookup).Status == http.StatusOK {
		return r.serve(q)
	}
	incompatible, err := r.check(subject, "", schema)
	switch {
	case err != nil:
		return refusal(http.StatusUnprocessableEntity, 42201, err.Error())
	case incompatible != nil:
		return refusal(http.StatusConflict, http.StatusConflict,
			"schema being registered is incompatible with an earlier schema for subject "+subject+": "+incompatible.Error())
	}
	return r.apply(q)
}

// judge answers whether a schema would be compatible. It always gives the reason, also to clients
// that do not ask for it with verbose=true.
func (r *registry) judge(w http.ResponseWriter, req *http.Request) {
	_, schema, err := askSchema(req)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, 42201, err.Error())
		return
	}
	r.recorded(func() answer {
		incompatible, err := r.check(req.PathValue("subject"), req.PathValue("version"), schema)
		if err != nil {
			return refusal(http.StatusUnprocessableEntity, 42201, err.Error())
		}
		messages := []string{}
		if incompatible != nil {
			messages = append(messages, incompatible.Error())
		}
		body, _ := json.Marshal(map[string]any{"is_compatible": incompatible == nil, "messages": messages})
		return answer{http.StatusOK, string(body)}
	}).write(w)
}

// modeNone accepts every valid schema.
const modeNone = "NONE"

// check judges a schema against the published versions of its subject, or against the given
// version only. The second error says that the schema itself cannot be accepted in any mode.
func (r *registry) check(subject, version string, schema sr.Schema) (incompatible, err error) {
	switch {
	case schema.Type != sr.TypeAvro:
		return nil, fmt.Errorf("the embedded registry takes Avro, not %s", schema.Type)
	case len(schema.References) > 0:
		return nil, errors.New("the embedded registry takes no schema that refers to another subject")
	}
	if err := r.compatible(modeNone, schema.Schema); err != nil {
		return nil, err
	}
	published, err := r.published(subject, version)
	if err != nil {
		return nil, err
	}
	var config struct {
		Mode string `json:"compatibilityLevel"`
	}
	if err := r.get("/config/"+url.PathEscape(subject), &config); err != nil {
		return nil, err
	}
	return r.compatible(config.Mode, schema.Schema, published...), nil
}

// published returns the schemas of a subject, the oldest first, or only the given version. It
// returns none for a subject that does not exist.
func (r *registry) published(subject, version string) ([]string, error) {
	base := "/subjects/" + url.PathEscape(subject) + "/versions"
	var numbers []int
	if err := r.get(base, &numbers); err != nil {
		return nil, nil
	}
	var paths []string
	for _, n := range numbers {
		paths = append(paths, strconv.Itoa(n))
	}
	if version != "" {
		paths = []string{version}
	}
	schemas := make([]string, len(paths))
	for i, p := range paths {
		var s sr.SubjectSchema
		if err := r.get(base+"/"+p, &s); err != nil {
			return nil, fmt.Errorf("version %s: %w", p, err)
		}
		schemas[i] = s.Schema.Schema
	}
	return schemas, nil
}

// get reads a resource of the registry itself.
func (r *registry) get(uri string, into any) error {
	a := r.serve(question{Method: http.MethodGet, URI: uri})
	if a.Status != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", uri, a.Status, a.Body)
	}
	return json.Unmarshal([]byte(a.Body), into)
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

// journal is the file registry/changes.jsonl: every change the registry took, one JSON object per line, in order. To
// repeat them from the first on gives the same subjects, versions and ids, which is how the registry remembers.
type journal struct{ f *os.File }

// entry is one line: a request and what it was answered.
type entry struct {
	question
	answer
}

// openJournal repeats what is recorded. A last line without its end is a change that a crash cut off before anybody was
// told of it: it is removed. Any other line that cannot be repeated is an error that names it.
func openJournal(dir string, repeat func(entry) error) (*journal, error) {
	path := filepath.Join(dir, "changes.jsonl")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	whole, err := readJournal(f, repeat)
	if err == nil {
		err = errors.Join(f.Truncate(whole), syncDir(dir))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &journal{f}, nil
}

// readJournal returns how many bytes are whole lines.
func readJournal(f io.Reader, repeat func(entry) error) (whole int64, err error) {
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return whole, err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return whole, fmt.Errorf("line %d: %w", n, err)
		}
		if err := repeat(e); err != nil {
			return whole, fmt.Errorf("line %d: %w", n, err)
		}
		whole += int64(len(line))
	}
}

// append returns when the entry is on disk.
func (j *journal) append(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.f.Sync()
}

func (j *journal) close() error { return j.f.Close() }
