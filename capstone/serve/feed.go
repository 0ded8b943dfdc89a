package serve

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"example.com/blotter/capstone/access"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

func (s *Server) routeFeed() {
	cursor := &huma.Param{Name: "from", In: "query", Schema: text(""),
		Description: "The cursor after the last event that was read, such as [3,0,7]. " +
			"Without it the log begins."}
	limit := &huma.Param{Name: "limit", In: "query", Description: "1 to 10000; by default 100.",
		Schema: &huma.Schema{Type: huma.TypeInteger}}
	resume := &huma.Param{Name: "Last-Event-ID", In: "header", Schema: text(""),
		Description: "The id of the last event that was read: a browser sends it by itself."}
	s.route(&huma.Operation{OperationID: "events", Method: http.MethodGet, Path: "/v1/events",
		Summary: "Read the log in pages", Parameters: []*huma.Param{cursor, limit},
		Description: "The events of several partitions come in no common order.",
		Responses:   answers(&huma.Schema{}), Metadata: needs(access.Read)}, s.events)
	s.route(&huma.Operation{OperationID: "feed", Method: http.MethodGet, Path: "/v1/feed",
		Summary: "Follow the log as server-sent events", Metadata: needs(access.Read),
		Parameters: []*huma.Param{cursor, resume},
		Responses: map[string]*huma.Response{"200": {Description: "An event for each event.",
			Content: map[string]*huma.MediaType{"text/event-stream": {}}}}}, s.feed)
	s.route(&huma.Operation{OperationID: "proof", Method: http.MethodGet,
		Path: "/v1/proofs/{event}", Summary: "Prove that the last checkpoint covers an event",
		Description: "The proof has the format C2SP tlog-proof; blotter check-proof checks it.",
		Parameters: []*huma.Param{{Name: "event", In: "path", Required: true,
			Schema: text("uuid")}},
		Responses: map[string]*huma.Response{"200": {Description: "The proof.",
			Content: map[string]*huma.MediaType{"text/plain": {}}},
			"304": {Description: "The proof has the given ETag."},
			"404": {Description: "No checkpoint covers an event with this id."}},
		Metadata: needs(access.Read)}, s.proof)
}

// from reads the cursor of a request, which must lie in the log.
func (s *Server) from(ctx context.Context, text string) (from, end contract.Cursor, err error) {
	if end, err = s.System.Log.End(ctx); err != nil || text == "" {
		return nil, end, err
	}
	if from, err = contract.ParseCursor(text); err == nil {
		err = from.Ahead("the cursor", end)
	}
	for _, at := range from {
		if at < 0 {
			err = errors.New("a negative offset")
		}
	}
	if err != nil {
		err = &Problem{Status: http.StatusBadRequest, Detail: "from: " + cut(err.Error())}
	}
	return from, end, err
}

// writeFault answers with a problem of the request, or of the system.
func (s *Server) writeFault(w http.ResponseWriter, r *http.Request, err error) {
	if p := new(Problem); errors.As(err, &p) {
		writeProblem(w, *p)
		return
	}
	s.writeError(w, r, err)
}

// events answers with a page of the log.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	values, limit := r.URL.Query(), 100
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			writeProblem(w, Problem{Status: http.StatusBadRequest,
				Detail: fmt.Sprintf("limit: want 1 to %d", maxPage)})
			return
		}
		limit = n
	}
	if err := onlyParams(values, "from", "limit"); err != nil {
		writeProblem(w, Problem{Status: http.StatusBadRequest, Detail: err.Error()})
		return
	}
	from, end, err := s.from(r.Context(), values.Get("from"))
	if err != nil {
		s.writeFault(w, r, err)
		return
	}
	p, err := s.readPage(r.Context(), from, end, limit)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	// If-None-Match separates its tags by commas.
	writeAnswer(w, r, p, `W/"`+strings.ReplaceAll(p.Next.String(), ",", ".")+`"`)
}

// An eventPage is a page of the log.
type eventPage struct {
	Cursor      contract.Cursor `json:"known_at_cursor"` // the end of the log when it was asked
	EffectiveAt string          `json:"effective_at"`
	Answer      []any           `json:"answer"`
	Next        contract.Cursor `json:"next"` // the cursor of the next page
}

// readPage reads limit events. It ends before an append to several streams that it would cut, and a
// page that would have no event then is longer.
func (s *Server) readPage(
	ctx context.Context, from, end contract.Cursor, limit int,
) (eventPage, error) {
	var events []contract.Recorded
	next := from.Max(nil)
	for e, err := range s.System.Log.Read(ctx, from, end) {
		if err != nil {
			return eventPage{}, err
		}
		if len(events) == limit {
			whole, err := contract.Whole(ctx, s.System.Log, next, end, contract.Groups(events))
			if err != nil {
				return eventPage{}, err
			}
			if !whole.Equal(from) {
				return s.page(ctx, events, whole, end)
			}
			limit *= 2
		}
		events, next = append(events, e), next.After(e.Position)
	}
	return s.page(ctx, events, next.Max(end), end)
}

// page returns the page of the events before next.
func (s *Server) page(
	ctx context.Context, events []contract.Recorded, next, end contract.Cursor,
) (eventPage, error) {
	p := eventPage{end, "all", []any{}, next}
	for _, e := range events {
		if !next.Covers(e.Position) {
			continue
		}
		shown, err := s.Event(ctx, e)
		if err != nil {
			return p, err
		}
		p.Answer = append(p.Answer, shown)
	}
	return p, nil
}

// feed sends the events of the log, and then each one that is appended. The id of an event is the
// cursor after it, from which the client goes on; within an append to several streams it is the
// cursor before that append (see whole). The feed ends when the service stops.
func (s *Server) feed(w http.ResponseWriter, r *http.Request) {
	select {
	case s.feeds <- struct{}{}:
		defer func() { <-s.feeds }()
	default:
		w.Header().Set("Retry-After", "5")
		writeProblem(w, Problem{Status: http.StatusServiceUnavailable,
			Detail: "all feeds are taken"})
		return
	}
	at := r.Header.Get("Last-Event-ID")
	if at == "" {
		at = r.URL.Query().Get("from")
	}
	from, _, err := s.from(r.Context(), at)
	if err != nil {
		s.writeFault(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.follow(ctx, w, from); err != nil && ctx.Err() == nil {
		s.Log.Warn("a feed ended", "error", err)
	}
}

// follow writes the feed, and a comment after each quiet time, so that a client that is gone is
// noticed.
func (s *Server) follow(ctx context.Context, w http.ResponseWriter, at contract.Cursor) error {
	control := http.NewResponseController(w)
	out := &paced{w: w, control: control}
	events := make(chan contract.Recorded)
	failed := make(chan error, 1)
	go func() {
		for e, err := range s.System.Log.Follow(ctx, at) {
			if err != nil {
				failed <- err
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
		failed <- ctx.Err()
	}()
	quiet := time.NewTicker(pace / 2)
	defer quiet.Stop()
	ids := whole{at: at, open: map[int32]appendStart{}}
	_, err := fmt.Fprintf(out, ": the log from %s on\n\n", at)
	for err == nil {
		if err := control.Flush(); err != nil {
			return err
		}
		select {
		case e := <-events:
			err = s.send(ctx, out, e, ids.after(e))
		case <-quiet.C:
			_, err = fmt.Fprint(out, ":\n\n")
		case err = <-failed:
		}
	}
	return err
}

// whole follows the events of a feed, and knows the cursor from which a client goes on so that it
// gets each append to several streams whole. The end of an append shows only in the next event of
// its partition. So a client that goes on gets the last append of a partition again, with the same
// ids of its events.
type whole struct {
	at   contract.Cursor
	open map[int32]appendStart // the last append of each partition, if it has a group
}

// An appendStart is the offset of the first event of an append.
type appendStart struct {
	group uuid.UUID
	first int64
}

// after takes the next event, and returns the cursor after it that cuts no append.
func (w *whole) after(e contract.Recorded) contract.Cursor {
	p := e.Position.Partition
	if e.AppendGroup == uuid.Nil {
		delete(w.open, p)
	} else if w.open[p].group != e.AppendGroup {
		w.open[p] = appendStart{e.AppendGroup, e.Position.Offset}
	}
	w.at = w.at.After(e.Position)
	cursor := slices.Clone(w.at)
	for p, start := range w.open {
		cursor[p] = start.first
	}
	return cursor
}

func (s *Server) send(
	ctx context.Context, out *paced, e contract.Recorded, at contract.Cursor,
) error {
	shown, err := s.Event(ctx, e)
	if err != nil {
		return err
	}
	text, err := json.Marshal(shown) // on one line
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "id: %s\nevent: recorded\ndata: %s\n\n", at, text)
	return err
}

// proof answers with the proof of an event.
func (s *Server) proof(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("event"))
	if err != nil || s.Prove == nil {
		writeProblem(w, Problem{Status: http.StatusNotFound, Detail: "want the id of an event"})
		return
	}
	text, err := s.Prove(r.Context(), id.String())
	if err != nil {
		writeProblem(w, Problem{Status: http.StatusNotFound, Detail: cut(err.Error()),
			Hint: "if it is newer than the last checkpoint, wait for the next seal"})
		return
	}
	if sum := sha256.Sum256(text); unchanged(w, r, fmt.Sprintf(`"%x"`, sum[:16])) {
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(text) // a client that is gone
}

// onlyParams refuses another parameter than these.
func onlyParams(values url.Values, known ...string) error {
	var q Query
	for _, name := range known {
		q.Params = append(q.Params, Param{Name: name})
	}
	for name, all := range values {
		if name == "cursor" || len(all) > 1 {
			return fmt.Errorf("%q is no parameter here, or is given twice", cut(name))
		}
	}
	_, _, err := q.parse(values)
	return err
}

// NewEvent is the form of an event without a codec, for a service that shows no bodies.
func NewEvent(_ context.Context, r contract.Recorded) (any, error) {
	return struct {
		ID          uuid.UUID `json:"id"`
		Stream      string    `json:"stream"`
		Version     int64     `json:"version"`
		Type        string    `json:"type"`
		KnownAt     time.Time `json:"known_at"`
		EffectiveAt time.Time `json:"effective_at"`
		Actor       string    `json:"actor"`
		About       string    `json:"about"`
	}{r.ID, r.Stream, r.Version, r.Type, r.RecordedAt, r.EffectiveAt, r.Actor,
		trade.Subject(r.Stream)}, nil
}
