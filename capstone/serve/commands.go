package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// An Outcome is the recorded outcome of a command.
type Outcome struct {
	CommandID   string    `json:"command_id"`
	Result      string    `json:"result" enum:"accepted,refused,pending"`
	Again       bool      `json:"again" doc:"It was on record already."`
	Rule        string    `json:"rule,omitempty" doc:"The rule that refused it."`
	Detail      string    `json:"detail,omitempty"`
	Warnings    []string  `json:"warnings,omitempty"`
	Orphaned    int       `json:"orphaned,omitempty" doc:"Follow-ups that were refused."`
	Event       uuid.UUID `json:"event" format:"uuid"`
	Stream      string    `json:"stream"`
	Version     int64     `json:"version"`
	KnownAt     time.Time `json:"known_at" doc:"When it was recorded."`
	EffectiveAt time.Time `json:"effective_at"`
	Actor       string    `json:"actor"`
	Approver    string    `json:"approver,omitempty"`
	SubmittedBy string    `json:"submitted_by,omitempty" doc:"The principal that signed in."`

	Expires *time.Time `json:"expires_at,omitempty" doc:"A pending command waits until then."`
}

func outcomeOf(out capstone.Outcome) Outcome {
	r := out.Event
	o := Outcome{CommandID: r.CommandID, Result: "accepted", Again: out.Again,
		Warnings: out.Warnings, Orphaned: len(out.Orphaned),
		Event: r.ID, Stream: r.Stream, Version: r.Version,
		KnownAt: r.RecordedAt, EffectiveAt: r.EffectiveAt,
		Actor: r.Actor, Approver: r.Approver, SubmittedBy: r.SubmittedBy}
	if out.Refusal != nil {
		o.Result, o.Rule, o.Detail = "refused", string(out.Refusal.Rule), out.Refusal.Detail
	}
	return o
}

type commandInput struct {
	RawBody []byte `contentType:"application/json"`
}

type commandOutput struct {
	Status int
	Body   Outcome
}

func (s *Server) routeCommands() {
	register(s.api, huma.Operation{
		OperationID: "command", Method: http.MethodPost, Path: "/v1/commands",
		Summary: "Decide one command and record its outcome",
		Description: "The body is an import line (see capstone/lines). Its actor is the " +
			"signed-in principal and may be left out. The same command again gets the recorded " +
			"outcome: 201 the first time, 200 later. A refusal is an outcome: 422. One that " +
			"needs an approver is pending: 202, until another principal approves it.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: lines.MaxLine,
		SkipValidateBody: true, // the desk's own format is stricter
		Errors:           []int{400, 401, 403, 409, 413, 421, 422, 503},
		Metadata:         needs(access.Send),
	}, s.command)
	batch := &huma.Operation{
		OperationID: "batch", Method: http.MethodPost, Path: batches,
		Summary: "Decide many commands, a JSON line each",
		Description: "Answers with a JSON line for each line, and then one with the counts. " +
			"An importer's lines name their actors; each event also has the importing principal. " +
			"A line with the result elsewhere goes to the service of its owner: send the whole " +
			"batch there, and no later batch before no line of this one is elsewhere.",
		Parameters: []*huma.Param{{Name: "source", In: "query", Schema: text(""),
			Description: "The file that the lines come from."}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			jsonLines: {}}},
		Responses: map[string]*huma.Response{"200": {Description: "The results.",
			Content: map[string]*huma.MediaType{jsonLines: {}}}},
		Metadata: needs(), // batch decides: one of two actions is enough
	}
	s.route(batch, s.batch)
}

const batches = "/v1/batches"

// ownSources begins the sources of the commands that name no file.
const ownSources = "serve/"

const jsonLines = "application/x-ndjson"

// text returns the schema of a text.
func text(format string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: format}
}

// route adds an operation that reads and writes the connection itself.
func (s *Server) route(
	op *huma.Operation, do func(http.ResponseWriter, *http.Request),
) {
	s.api.OpenAPI().AddOperation(op)
	handle := s.api.Middlewares().Handler(op.Middlewares.Handler(func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		do(w, r)
	}))
	s.api.Adapter().Handle(op, handle)
}

// command takes one command to the desk. A crash after the append leaves an outcome that nobody was
// told of: the same command again gets it.
func (s *Server) command(ctx context.Context, in *commandInput) (*commandOutput, error) {
	p := PrincipalOf(ctx)
	line, err := lines.ParseAs(p.Name, 1, in.RawBody)
	if err != nil {
		return nil, badLine(err)
	}
	if err := s.claims(ctx, p, line.Command); err != nil {
		return nil, err
	}
	line.Command.Source, line.Command.SubmittedBy = ownSources+"commands", p.Name
	return s.take(ctx, line.Command, s.System.Do)
}

// take has a command decided, and returns its recorded outcome.
func (s *Server) take(
	ctx context.Context, cmd trade.Command,
	do func(context.Context, trade.Command) (capstone.Outcome, error),
) (*commandOutput, error) {
	out, err := do(ctx, cmd)
	if err != nil {
		return nil, s.undecided(ctx, cmd, err)
	}
	outcome := outcomeOf(out)
	s.metrics.commands.WithLabelValues(outcome.Result, outcome.Rule).Inc()
	s.metrics.orphaned.Add(float64(outcome.Orphaned))
	switch {
	case out.Refusal != nil && out.Refusal.Rule == trade.NeedsApprover:
		waits, err := s.answerPending(ctx, out)
		if p := new(Problem); errors.As(err, &p) {
			return nil, p
		} else if err != nil {
			return nil, s.failed(ctx, err)
		}
		if waits != nil {
			return waits, nil
		}
	case out.Refusal != nil:
	case out.Again:
		return &commandOutput{http.StatusOK, outcome}, nil
	default:
		return &commandOutput{http.StatusCreated, outcome}, nil
	}
	return nil, outcome.refused()
}

// refused returns the problem of a refused command.
func (o Outcome) refused() error {
	p := &Problem{Status: http.StatusUnprocessableEntity, Rule: o.Rule, Detail: o.Detail,
		Outcome: &o}
	return p.titled()
}

// badLine returns the problem of a line that is no command.
func badLine(err error) error {
	p := &Problem{Status: http.StatusBadRequest, Detail: err.Error()}
	if bad := new(lines.Error); errors.As(err, &bad) {
		p.Rule, p.Field, p.Detail = string(bad.Rule), bad.Field, bad.Detail
	}
	return p.titled()
}

// claims refuses a command that names another principal than the signed-in one.
func (s *Server) claims(ctx context.Context, p *Principal, cmd trade.Command) error {
	detail := ""
	switch {
	case cmd.Actor != p.Name:
		detail = fmt.Sprintf("the actor is %s, and %s signed in", cmd.Actor, p.Name)
	case cmd.Approver != "":
		detail = fmt.Sprintf("%s names the approver %s, who has to sign in", p.Name, cmd.Approver)
	default:
		return nil
	}
	return s.denied(ctx, ActorClaimed, detail, access.Denied{Principal: p.Name,
		Action: string(access.Send), Resource: pathOf(requestOf(ctx))})
}

// undecided returns the problem of a command without an outcome of its own.
func (s *Server) undecided(ctx context.Context, cmd trade.Command, err error) error {
	var reused *capstone.ReusedCommandError
	var unwritable *capstone.UnwritableError
	if errors.As(err, &unwritable) && unwritable.CommandID == cmd.ID &&
		!errors.Is(err, contract.ErrOversize) {
		p := &Problem{Status: http.StatusUnprocessableEntity, Rule: string(lines.Unwritable),
			Detail: unwritable.Error()}
		return p.titled()
	}
	if capstone.IsElsewhere(err) {
		return s.failed(ctx, err)
	}
	if !errors.As(err, &reused) {
		s.failedCommand()
		return s.failed(ctx, err)
	}
	p := &Problem{Status: http.StatusConflict, Rule: string(lines.Reused), Detail: err.Error(),
		Hint: "send the command with a new id"}
	recorded, err := s.outcome(ctx, cmd.ID)
	if err != nil {
		return s.failed(ctx, err)
	}
	p.Outcome = &recorded
	return p.titled()
}

// failedCommand counts a command that got no outcome, or whose outcome could not be told. The end
// of the service is no failure.
func (s *Server) failedCommand() {
	if s.ending.Err() == nil {
		s.metrics.commands.WithLabelValues(failedOutcome, "").Inc()
	}
}

// outcome returns the recorded outcome of a command.
func (s *Server) outcome(ctx context.Context, id string) (Outcome, error) {
	r, err := s.System.Log.Find(ctx, trade.EventID(id, 0))
	if err != nil {
		return Outcome{}, err
	}
	out := capstone.Outcome{Event: r, Again: true}
	e, err := contract.Decoded(ctx, s.System.Desk.Codec, r)
	if body, refused := e.Body.(trade.CommandRefused); refused {
		out.Refusal = &trade.Refusal{Rule: trade.Rule(body.Rule), Detail: body.Detail}
	}
	return outcomeOf(out), err
}

// failed returns the problem of a request that could not be answered.
func (s *Server) failed(ctx context.Context, err error) error {
	s.Log.WarnContext(ctx, "a request failed", "error", err)
	p := &Problem{Status: http.StatusServiceUnavailable, Detail: "a part of the system is away",
		Hint: "see /readyz, and send the same request again: no command is recorded twice"}
	if errors.Is(err, contract.ErrInvalid) || errors.Is(err, contract.ErrOversize) {
		p.Status, p.Detail, p.Hint = http.StatusBadRequest, err.Error(), ""
	}
	if moved := new(contract.ConflictError); errors.As(err, &moved) {
		p.Status, p.Detail = http.StatusConflict, err.Error()
		p.Hint = "another request was first: look at its result, and decide again"
	}
	if capstone.IsElsewhere(err) {
		p.Status, p.Detail = http.StatusMisdirectedRequest, err.Error()
		if other := new(contract.NotOwnerError); errors.As(err, &other) {
			p.Owner = other.Owner
		}
		p.Hint = "send the same request to the service of that process"
	}
	return p.titled()
}

// A LineResult is the result of one line of a batch, and the last object of the answer.
type LineResult struct {
	Line      int      `json:"line,omitempty"`
	CommandID string   `json:"command_id,omitempty"`
	Result    string   `json:"result"` // See ResultOf; or done, failed
	Field     string   `json:"field,omitempty"`
	Rule      string   `json:"rule,omitempty"`
	Detail    string   `json:"detail,omitempty"`
	SameAs    int      `json:"same_as,omitempty"`  // the first line with the same command
	Accepted  bool     `json:"accepted,omitempty"` // this line, or the line that it repeats
	Again     bool     `json:"again,omitempty"`    // it was on record already
	Totals    *Totals  `json:"totals,omitempty"`
	Orphaned  []Orphan `json:"orphaned,omitempty"`
}

// Totals are the counts of a batch.
type Totals = capstone.Imported

// An Orphan is an orphaned follow-up: a cause in one contract, and the change of another contract
// that was refused or is not on record.
type Orphan struct {
	Cause uuid.UUID `json:"cause"`
	UTI   string    `json:"uti"`
	Owed  string    `json:"owed"`
	Why   string    `json:"why"`
}

// OrphansOf describes orphaned follow-ups.
func OrphansOf(followUps []capstone.OrphanedFollowUp) (all []Orphan) {
	for _, f := range followUps {
		o := Orphan{f.Cause.ID, f.Command.UTI, "to begin", "not issued"}
		switch {
		case f.Command.Voids != uuid.Nil:
			o.Owed = "to be voided"
		case f.Command.Corrects != uuid.Nil:
			o.Owed = "to be restated"
		}
		if f.Refusal != nil {
			o.Why = f.Refusal.Error()
		}
		all = append(all, o)
	}
	return all
}

// ResultOf describes the result of a line: accepted, warned, refused, repeated, bad or elsewhere.
func ResultOf(r capstone.Result) LineResult {
	out := LineResult{Line: r.Line, CommandID: r.Command.ID, SameAs: r.SameAs, Result: "accepted",
		Again: r.Outcome.Again}
	refusal := r.Outcome.Refusal
	out.Accepted = r.Problem == nil && refusal == nil
	if refusal != nil {
		out.Result, out.Rule, out.Detail = "refused", string(refusal.Rule), refusal.Detail
	}
	var bad *lines.Error
	switch {
	case errors.As(r.Problem, &bad):
		out.Result, out.Field, out.Rule, out.Detail = "bad", bad.Field, string(bad.Rule), bad.Detail
	case capstone.IsElsewhere(r.Problem):
		out.Result, out.Rule = "elsewhere", string(r.Rule())
		out.Detail = r.Problem.Error() + ": send it to the service of that process"
	case r.Problem != nil:
		out.Result, out.Rule, out.Detail = "bad", string(r.Rule()), r.Problem.Error()
	case r.SameAs > 0:
		out.Result = "repeated"
		if out.Accepted {
			out.Rule = string(lines.Repeated)
		}
	case refusal == nil && len(r.Outcome.Warnings) > 0:
		out.Result, out.Rule = "warned", "warning"
		out.Detail = joined(r.Outcome.Warnings)
	}
	return out
}

// batch takes many commands through an import, and answers while it reads.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	p := PrincipalOf(r.Context())
	denied := s.decide(r.Context(), access.Send, access.Request{Resource: pathOf(r)})
	if denied != nil && !s.permits(r.Context(), access.Import) {
		s.deny(w, r, RoleTooLow, *denied)
		return
	}
	source := r.URL.Query().Get("source")
	if len(source) > contract.MaxAttribute || !printable(source) {
		writeProblem(w, Problem{Status: http.StatusBadRequest,
			Detail: "source: want a printable text of at most 1024 bytes"})
		return
	}
	if strings.HasPrefix(source, ownSources) {
		writeProblem(w, Problem{Status: http.StatusBadRequest,
			Detail: "source: the service keeps names for itself that begin with " + ownSources})
		return
	}
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // HTTP/2 always is
	w.Header().Set("Content-Type", jsonLines)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	system := *s.System // its source is that of this batch
	system.Source = source
	if source == "" {
		system.Source = ownSources + "batches"
	}
	out := json.NewEncoder(&paced{w: w, control: control})
	n, err := system.Import(ctx, s.lines(ctx, p, &paced{r: r.Body, control: control}),
		func(result capstone.Result) {
			one := ResultOf(result)
			s.metrics.commands.WithLabelValues(one.Result, one.Rule).Inc()
			s.metrics.orphaned.Add(float64(len(result.Outcome.Orphaned)))
			_ = out.Encode(one) // a client that is gone ends the context
		})
	last := LineResult{Result: "done", Totals: &n, Orphaned: OrphansOf(n.Orphaned)}
	if err != nil {
		s.Log.WarnContext(ctx, "a batch ended early", "error", err)
		last.Result, last.Detail = "failed", "the batch ended early: send it again"
		s.failedCommand() // the one at which it ended
		if s.ending.Err() != nil {
			last.Detail = "the service stops: send the batch again when it is back"
		}
	}
	_ = out.Encode(last)
}

// lines reads the commands of a batch. A trader's lines are its own; an importer's name others.
func (s *Server) lines(
	ctx context.Context, p *Principal, body io.Reader,
) iter.Seq2[lines.Line, error] {
	read, imports := lines.Read(body), s.permits(ctx, access.Import)
	if !imports {
		read = lines.ReadAs(p.Name, body)
	}
	return func(yield func(lines.Line, error) bool) {
		for line, err := range read {
			line.Command.SubmittedBy = p.Name
			if err == nil && !imports {
				if refused := s.claims(ctx, p, line.Command); refused != nil {
					err = &lines.Error{Line: line.Number, Field: "actor",
						Rule: lines.Rule(ActorClaimed), Detail: refused.Error()}
					line = lines.Line{Number: line.Number}
				}
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

// pace is the longest pause of a batch or a feed, in either direction. A slower client is cut.
const pace = 30 * time.Second

// A paced connection moves its deadlines with each read and write. The end of the body has none:
// the rest of the answer may take longer.
type paced struct {
	r       io.Reader
	w       io.Writer
	control *http.ResponseController
}

func (p *paced) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(pace)) // a test's recorder has none
	n, err := p.r.Read(b)
	if errors.Is(err, io.EOF) {
		_ = p.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (p *paced) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(pace))
	return p.w.Write(b)
}
