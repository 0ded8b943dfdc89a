package stack

import (
	"bufio"
	"context"
	"crypto/subtle"
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
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// registry is a Confluent-compatible schema registry in this process. It answers by srfake, which
// stores nothing on disk and accepts every schema. The code here records each change in a journal
// and judges each schema before it passes a request on.
type registry struct {
	inner      http.Handler
	compatible func(mode, next string, published ...string) error
	server     *http.Server
	at         Registry // with the only user

	mu      sync.Mutex // held during a request: check, apply and record are one step
	journal *journal
	broken  error // why the journal could not be written; memory is ahead of it
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
	r.at.User = "blotter"
	if r.at.Password, err = secret(filepath.Join(dir, "secret")); err != nil {
		return nil, errors.Join(err, r.journal.close())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, r.journal.close())
	}
	r.at.URL = "http://" + l.Addr().String()
	r.server = &http.Server{Handler: r.signedIn(r.routes())}
	go r.server.Serve(l) // returns ErrServerClosed at stop
	opt.Log("registry answers at " + r.at.URL)
	return r, nil
}

// signedIn refuses requests without the user and password, by Confluent's error code 401.
func (r *registry) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		user, password, _ := req.BasicAuth()
		same := subtle.ConstantTimeCompare([]byte(password), []byte(r.at.Password)) == 1
		if user != r.at.User || !same {
			w.Header().Set("WWW-Authenticate", `Basic realm="schema registry"`)
			const message = "the registry needs its user and password"
			refuse(w, http.StatusUnauthorized, http.StatusUnauthorized, message)
			return
		}
		next.ServeHTTP(w, req)
	})
}

func newRegistry(compatible func(mode, next string, published ...string) error) *registry {
	if compatible == nil {
		compatible = oneSchemaPerSubject
	}
	return &registry{
		inner: srfake.NewRegistry().Handler(), compatible: compatible, done: make(chan struct{}),
	}
}

// oneSchemaPerSubject is the compatibility check of a registry that was created without a check. It
// cannot recognise a compatible schema. Therefore it refuses a second schema for a subject, unless
// the subject's mode is NONE.
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
	mux.HandleFunc("POST /subjects/{subject}", r.read) // looks a schema up
	mux.HandleFunc("GET /schemas/types", func(w http.ResponseWriter, _ *http.Request) {
		answer{http.StatusOK, `["JSON","AVRO"]`}.write(w)
	})
	mux.HandleFunc("GET /", r.read)
	mux.HandleFunc("/", r.change)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/contexts") {
			const message = "the embedded registry has no contexts"
			refuse(w, http.StatusNotFound, http.StatusNotFound, message)
			return
		}
		mux.ServeHTTP(w, req)
	})
}

// ifRecorded calls f, unless the journal could not be written. Then it refuses every request: a
// client could learn the id of a schema that is not on disk, and after a restart the id may belong
// to another schema.
func (r *registry) ifRecorded(f func() answer) answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return unwritable
	}
	return f()
}

var unwritable = refusal(http.StatusInternalServerError, http.StatusInternalServerError,
	"the registry cannot write its journal")

// read answers from memory. The subject in a question for a schema id only selects a context
// (Confluent Schema Registry API, "GET /schemas/ids/{id}"), and there is one context. Confluent's
// clients ask with a subject that is made from the topic's name, under which no schema need be.
func (r *registry) read(w http.ResponseWriter, req *http.Request) {
	if byID.MatchString(req.URL.Path) {
		query := req.URL.Query()
		query.Del("subject")
		req.URL.RawQuery = query.Encode()
	}
	q, err := readQuestion(req)
	if err != nil {
		refuse(w, http.StatusBadRequest, 42201, err.Error())
		return
	}
	r.ifRecorded(func() answer { return r.serve(q) }).write(w)
}

// byID matches the paths of a schema by its id.
var byID = regexp.MustCompile(`^/schemas/ids/[0-9]+(/schema)?$`)

// change applies and records all other requests: configuration, mode, deletions.
func (r *registry) change(w http.ResponseWriter, req *http.Request) {
	q, err := readQuestion(req)
	if err != nil {
		refuse(w, http.StatusBadRequest, 42201, err.Error())
		return
	}
	r.ifRecorded(func() answer { return r.apply(q) }).write(w)
}

// register answers the request to register a schema.
func (r *registry) register(w http.ResponseWriter, req *http.Request) {
	q, schema, err := readSchema(req)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, 42201, err.Error())
		return
	}
	r.ifRecorded(func() answer { return r.accept(q, req.PathValue("subject"), schema) }).write(w)
}

// accept registers a schema that is valid and compatible with its predecessors. A schema that the
// subject already has changes nothing.
func (r *registry) accept(q question, subject string, schema sr.Schema) answer {
	lookup := question{
		Method: http.MethodPost, URI: "/subjects/" + url.PathEscape(subject), Body: q.Body,
	}
	if r.serve(lookup).Status == http.StatusOK {
		return r.serve(q)
	}
	incompatible, err := r.check(subject, "", schema)
	switch {
	case err != nil:
		return refusal(http.StatusUnprocessableEntity, 42201, err.Error())
	case incompatible != nil:
		const format = "schema being registered is incompatible with an earlier schema of %s: %v"
		message := fmt.Sprintf(format, subject, incompatible)
		return refusal(http.StatusConflict, http.StatusConflict, message)
	}
	return r.apply(q)
}

// judge answers whether a schema would be compatible. It always gives the reason, also to clients
// that do not ask for it with verbose=true.
func (r *registry) judge(w http.ResponseWriter, req *http.Request) {
	_, schema, err := readSchema(req)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, 42201, err.Error())
		return
	}
	r.ifRecorded(func() answer {
		incompatible, err := r.check(req.PathValue("subject"), req.PathValue("version"), schema)
		if err != nil {
			return refusal(http.StatusUnprocessableEntity, 42201, err.Error())
		}
		messages := []string{}
		if incompatible != nil {
			messages = append(messages, incompatible.Error())
		}
		body, _ := json.Marshal(map[string]any{
			"is_compatible": incompatible == nil, "messages": messages,
		})
		return answer{http.StatusOK, string(body)}
	}).write(w)
}

// modeNone accepts every valid schema.
const modeNone = "NONE"

// check judges a schema against the published versions of its subject, in a mode that is not
// transitive against the last of them, or against the given version only. The second error says
// that the schema itself cannot be accepted in any mode.
func (r *registry) check(subject, version string, schema sr.Schema) (incompatible, err error) {
	compatible := r.compatible
	switch {
	case schema.Type == sr.TypeJSON:
		compatible = jsonCompatible
	case schema.Type != sr.TypeAvro:
		const format = "the embedded registry accepts only Avro and JSON Schema, not %s"
		return nil, fmt.Errorf(format, schema.Type)
	}
	if len(schema.References) > 0 {
		return nil, errors.New("the embedded registry accepts no references to other subjects")
	}
	if err := compatible(modeNone, schema.Schema); err != nil {
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
	if !strings.HasSuffix(config.Mode, "_TRANSITIVE") {
		published = published[max(0, len(published)-1):]
	}
	texts := make([]string, len(published))
	for i, p := range published {
		if p.Type != schema.Type && config.Mode != modeNone {
			return fmt.Errorf("%s follows %s in one subject", schema.Type, p.Type), nil
		}
		texts[i] = p.Schema
	}
	return compatible(config.Mode, schema.Schema, texts...), nil
}

// published returns the schemas of a subject, the oldest first, or only the given version. It
// returns none for a subject that does not exist.
func (r *registry) published(subject, version string) ([]sr.Schema, error) {
	base := "/subjects/" + url.PathEscape(subject) + "/versions"
	var numbers []int
	if err := r.get(base, &numbers); errors.Is(err, errNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var paths []string
	for _, n := range numbers {
		paths = append(paths, strconv.Itoa(n))
	}
	if version != "" {
		paths = []string{version}
	}
	schemas := make([]sr.Schema, len(paths))
	for i, p := range paths {
		var s sr.SubjectSchema
		if err := r.get(base+"/"+p, &s); err != nil {
			return nil, fmt.Errorf("version %s: %w", p, err)
		}
		schemas[i] = s.Schema
	}
	return schemas, nil
}

var errNotFound = errors.New("the registry does not have it")

// get reads a resource of the registry itself. The error of a missing one is errNotFound.
func (r *registry) get(uri string, into any) error {
	a := r.serve(question{Method: http.MethodGet, URI: uri})
	if a.Status == http.StatusNotFound {
		return fmt.Errorf("%s: %w: %s", uri, errNotFound, a.Body)
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", uri, a.Status, a.Body)
	}
	return json.Unmarshal([]byte(a.Body), into)
}

// apply changes memory, then the journal, then answers. A crash before the journal is synced loses
// a change that was not acknowledged. After a later crash the next start repeats the same change,
// with the same ids.
func (r *registry) apply(q question) answer {
	a := r.serve(q)
	if err := r.journal.append(entry{q, a}); err != nil {
		r.broken = fmt.Errorf("write the registry's journal: %w", err)
		r.once.Do(func() { close(r.done) })
		return unwritable
	}
	return a
}

// replay repeats a recorded change. It also repeats refused changes, since they can use up an id.
func (r *registry) replay(e entry) error {
	if a := r.serve(e.question); a != e.answer {
		return fmt.Errorf("the answer to %s %s was %q and is now %q",
			e.Method, e.URI, e.answer.Body, a.Body)
	}
	return nil
}

// question is a request in the form of the journal.
type question struct {
	Method string `json:"method"`
	URI    string `json:"uri"`
	Body   string `json:"body,omitempty"`
}

// answer is a response in the form of the journal.
type answer struct {
	Status int    `json:"status"`
	Body   string `json:"answer"`
}

func readQuestion(req *http.Request) (question, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, 1<<20))
	return question{Method: req.Method, URI: req.URL.RequestURI(), Body: string(body)}, err
}

func readSchema(req *http.Request) (question, sr.Schema, error) {
	q, err := readQuestion(req)
	if err != nil {
		return q, sr.Schema{}, err
	}
	var schema sr.Schema
	err = json.Unmarshal([]byte(q.Body), &schema)
	return q, schema, err
}

// serve passes a request to srfake.
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

// journal is the file registry/changes.jsonl. It holds every change, one JSON object per line, in
// order. At a start the registry repeats all changes, which gives the same subjects, versions and
// ids.
type journal struct{ f *os.File }

// entry is one line: a request and its answer.
type entry struct {
	question
	answer
}

// openJournal repeats the recorded changes. It removes a last line without its line end: a crash
// cut it off before the change was acknowledged. The error for any other unusable line names the
// line.
func openJournal(dir string, repeat func(entry) error) (*journal, error) {
	path := filepath.Join(dir, "changes.jsonl")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	end, err := readJournal(f, repeat)
	if err == nil {
		err = errors.Join(f.Truncate(end), syncDir(dir))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &journal{f}, nil
}

// readJournal returns the end of the last complete line.
func readJournal(f io.Reader, repeat func(entry) error) (end int64, err error) {
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return end, err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return end, fmt.Errorf("line %d: %w", n, err)
		}
		if err := repeat(e); err != nil {
			return end, fmt.Errorf("line %d: %w", n, err)
		}
		end += int64(len(line))
	}
}

// append writes an entry and syncs it to disk.
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
