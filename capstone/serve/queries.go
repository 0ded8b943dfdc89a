package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/blotter/capstone/access"
	"example.com/blotter/labs/kit/trade"
)

// A Query is a question that the service answers as the command line does.
type Query struct {
	Name    string // the last part of its path
	Summary string
	Params  []Param
	Ask     func(ctx context.Context, values url.Values) Answer
}

// A Param is a parameter of a query.
type Param struct {
	Name, Help string
	Required   bool
	Many       bool // it may be given several times
}

// An Answer is the answer to a query: an object with the field "answer" and the two times, or a
// problem, which may come with an answer.
type Answer struct {
	Status       int    // of HTTP
	JSON         []byte // an object; nil without an answer
	Detail, Hint string // of a problem
}

const maxPage = 10_000 // rows, or events

// paging are the parameters of every query: a list comes in pages.
var paging = []Param{
	{Name: "limit", Help: "The most rows of a list, 1 to 10000; by default 10000. The field next " +
		"has the cursor of the next page."},
	{Name: "cursor", Help: "The field next of the page before."},
}

// investigations are the queries of an investigation whose names do not begin with audit-.
var investigations = []string{"hold-list", "incident", "party-show", "retention-plan"}

// action returns the action that a query does, by its name.
func (q Query) action() access.Action {
	switch {
	case strings.HasPrefix(q.Name, "audit-"), slices.Contains(investigations, q.Name):
		return access.Investigate
	case slices.Contains([]string{"status", "checkpoints", "verify"}, q.Name):
		return access.Watch
	}
	return access.Read
}

func (s *Server) routeQueries() {
	for _, q := range s.Queries {
		s.routeQuery(q, &huma.Schema{})
	}
	if s.CommandLine != nil {
		register(s.api, huma.Operation{OperationID: "command-line", Method: http.MethodPost,
			Path: "/v1/command-line", Summary: "Run a query as the command line gives it",
			DefaultStatus: http.StatusOK, MaxBodyBytes: 64 << 10,
			Metadata: needs(access.Read, access.Investigate, access.Watch),
		}, s.commandLine)
	}
}

// routeQuery adds the route of a query, whose answer has a schema.
func (s *Server) routeQuery(q Query, answer *huma.Schema) {
	op := &huma.Operation{
		OperationID: q.Name, Method: http.MethodGet, Path: "/v1/" + q.Name, Summary: q.Summary,
		Responses: answers(answer), Metadata: needs(q.action()),
	}
	for _, p := range slices.Concat(q.Params, paging) {
		schema := text("")
		if p.Many {
			schema = &huma.Schema{Type: huma.TypeArray, Items: text("")}
		}
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.Name, In: "query",
			Description: p.Help, Required: p.Required, Schema: schema})
	}
	s.route(op, func(w http.ResponseWriter, r *http.Request) { s.query(w, r, q) })
}

// Printed is the text of a command line that the service ran, with its error.
type Printed struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	Error  string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`
	Code   int    `json:"code" doc:"The exit code."`
}

type argsInput struct {
	Body struct {
		Args []string `json:"args" maxItems:"100"`
	}
}

type printedOutput struct{ Body Printed }

// commandLine runs a query for the command line of another process.
func (s *Server) commandLine(ctx context.Context, in *argsInput) (*printedOutput, error) {
	return &printedOutput{s.CommandLine(ctx, in.Body.Args)}, nil
}

// answers describes the answers of a query.
func answers(answer *huma.Schema) map[string]*huma.Response {
	object := func(properties map[string]*huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, Properties: properties}
	}
	envelope := object(map[string]*huma.Schema{
		"answer": answer, "known_at": text("date-time"), "effective_at": text(""),
		"known_at_cursor":  {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeInteger}},
		"recorded_through": text("date-time"), "simulated": {Type: huma.TypeBoolean},
		"next": text(""),
	})
	problem := object(map[string]*huma.Schema{"title": text(""), "detail": text(""),
		"status": {Type: huma.TypeInteger}, "rule": text(""), "hint": text("")})
	all := map[string]*huma.Response{"200": {Description: "The answer, with its two times.",
		Content: map[string]*huma.MediaType{"application/json": {Schema: envelope}}},
		"304": {Description: "The answer has the given ETag."}}
	for _, status := range []int{400, 401, 403, 404, 409, 503} {
		all[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status),
			Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
	}
	return all
}

// query answers one question. The ETag names the answer without its times: the same question later
// has other times, and often the same answer.
func (s *Server) query(w http.ResponseWriter, r *http.Request, q Query) {
	values, page, err := q.parse(r.URL.Query())
	if err != nil {
		writeProblem(w, Problem{Status: http.StatusBadRequest, Detail: err.Error()})
		return
	}
	question := q.Name + "?" + values.Encode()
	if envelope, ok := s.lists.find(question, page.tag, time.Now()); ok {
		s.writePage(w, r, question, page, envelope)
		return
	}
	asked, err := s.System.Now(r.Context())
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	a := q.Ask(r.Context(), values)
	var envelope map[string]json.RawMessage
	if len(a.JSON) > 0 {
		if err := json.Unmarshal(a.JSON, &envelope); err != nil {
			s.writeError(w, r, fmt.Errorf("query %s: %w", q.Name, err))
			return
		}
	}
	if a.Status != http.StatusOK {
		p := Problem{Status: a.Status, Detail: a.Detail, Hint: a.Hint}
		if found := envelope["answer"]; found != nil {
			p.Answer = found
		}
		writeProblem(w, p)
		return
	}
	if a.Detail != "" { // the answer is no: its fields say why
		envelope["problem"], _ = json.Marshal(map[string]string{"detail": a.Detail, "hint": a.Hint})
	}
	stateTimes(envelope, asked.Known)
	s.writePage(w, r, question, page, envelope)
}

// writePage writes a page of an answer, and keeps the answer for its next page.
func (s *Server) writePage(
	w http.ResponseWriter, r *http.Request, question string, of page,
	envelope map[string]json.RawMessage,
) {
	tag, whole := etag(envelope), maps.Clone(envelope)
	if err := of.cut(envelope, tag); err != nil {
		writeProblem(w, Problem{Status: http.StatusConflict, Detail: err.Error(),
			Hint: "begin again without a cursor, or ask with known-at: that answer stays"})
		return
	}
	if of.tag == "" && envelope["next"] != nil {
		s.lists.keep(question, tag, whole, time.Now())
	}
	writeAnswer(w, r, envelope, etag(envelope))
}

// stateTimes completes the times of an answer that has none, such as a list of checkpoints. It has
// everything that was known when it was asked.
func stateTimes(envelope map[string]json.RawMessage, known time.Time) {
	if envelope["known_at"] == nil && envelope["known_at_cursor"] == nil {
		envelope["known_at"], _ = json.Marshal(known)
	}
	if envelope["effective_at"] == nil {
		envelope["effective_at"] = json.RawMessage(`"all"`)
	}
}

// etag returns the weak tag (RFC 9110, section 8.8.3) of an answer.
func etag(envelope map[string]json.RawMessage) string {
	h := sha256.New()
	for _, part := range []string{"answer", "mismatches", "parked", "next", "problem"} {
		fmt.Fprintf(h, "%s %d\n", part, len(envelope[part]))
		h.Write(envelope[part])
	}
	return `W/"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}

// unchanged reports whether the client has the answer with this tag, and then says so.
func unchanged(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache, private")
	same := slices.Contains(tags(r), tag)
	if same {
		w.WriteHeader(http.StatusNotModified)
	}
	return same
}

func writeAnswer(w http.ResponseWriter, r *http.Request, v any, tag string) {
	if unchanged(w, r, tag) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a client that is gone
}

// tags returns the tags of If-None-Match.
func tags(r *http.Request) (all []string) {
	for _, tag := range strings.Split(r.Header.Get("If-None-Match"), ",") {
		all = append(all, strings.TrimSpace(tag))
	}
	return all
}

// writeError answers a question that could not be answered.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, *s.failed(r.Context(), err).(*Problem))
}

// A page is a part of a list.
type page struct {
	from, limit int
	tag         string // of the whole list; empty for the first page
}

// parse checks the parameters of a query, and takes those of the page out.
func (q Query) parse(values url.Values) (url.Values, page, error) {
	var of page
	for name, all := range values {
		i := slices.IndexFunc(slices.Concat(q.Params, paging),
			func(p Param) bool { return p.Name == name })
		switch {
		case i < 0:
			return nil, of, fmt.Errorf("%q is no parameter of %s", cut(name), q.Name)
		case len(all) > 1 && (i >= len(q.Params) || !q.Params[i].Many):
			return nil, of, fmt.Errorf("%s is given %d times", name, len(all))
		case slices.ContainsFunc(all, func(v string) bool { return !printable(v) }):
			return nil, of, fmt.Errorf("%s: want a printable text", name)
		}
	}
	for _, p := range q.Params {
		if p.Required && values.Get(p.Name) == "" {
			return nil, of, fmt.Errorf("%s is required", p.Name)
		}
	}
	err := of.parse(values.Get("limit"), values.Get("cursor"))
	values.Del("limit")
	values.Del("cursor")
	return values, of, err
}

func (p *page) parse(limit, cursor string) (err error) {
	p.limit = maxPage
	if limit != "" {
		if p.limit, err = strconv.Atoi(limit); err != nil || p.limit < 1 || p.limit > maxPage {
			return fmt.Errorf("limit: want 1 to %d", maxPage)
		}
	}
	if cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	from, tag, _ := strings.Cut(string(text), " ")
	if err == nil {
		p.from, err = strconv.Atoi(from)
	}
	if err != nil || p.from < 1 || tag == "" {
		return fmt.Errorf("cursor: want the field next of a page")
	}
	p.tag = tag
	return nil
}

// cut leaves the page of an answer that is a list. tag is that of the whole list, which must still
// be that of the page before.
func (p page) cut(envelope map[string]json.RawMessage, tag string) error {
	if p.tag != "" && p.tag != tag {
		return fmt.Errorf("the list changed since the page before")
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(envelope["answer"], &rows); err != nil {
		return nil // no list
	}
	from := min(p.from, len(rows))
	to := min(from+p.limit, len(rows))
	if to < len(rows) {
		next := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", to, tag))
		envelope["next"], _ = json.Marshal(next)
	}
	var out bytes.Buffer
	out.WriteByte('[')
	for i, row := range rows[from:to] {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(row)
	}
	out.WriteByte(']')
	envelope["answer"] = out.Bytes()
	return nil
}

// printable reports whether a text has only characters that are seen as they are.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !trade.IsPrintable(r) }) &&
		strings.ToValidUTF8(s, "") == s
}

// joined returns the remarks on one command.
func joined(all []string) string { return strings.Join(all, "; ") }
