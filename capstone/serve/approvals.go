package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// approvals is the source of approved commands.
const approvals = ownSources + "approvals"

// approvalsWithin is how long a command waits for its approval.
const approvalsWithin = 24 * time.Hour

// A pending command is one that its actor sent here and that the desk refused for want of an
// approver. The refusal on record has the whole command, and is the pending event. An approval
// sends the same command again with the approver, under an id that names the refusal; the desk
// decides it against the log of that moment, and not before.
type pending struct {
	trade.Command
	recorded contract.Recorded
	detail   string
}

// Pending is a pending command for an approver.
type Pending struct {
	CommandID string    `json:"command_id"`
	Actor     string    `json:"actor"`
	Detail    string    `json:"detail" doc:"Why it needs an approver."`
	Line      string    `json:"line" doc:"The command as it was sent."`
	KnownAt   time.Time `json:"known_at"`
	Effective time.Time `json:"effective_at"`
	Expires   time.Time `json:"expires_at"`
}

// expires returns the time after which the command is not approved any more.
func (p pending) expires() time.Time { return p.recorded.RecordedAt.Add(approvalsWithin) }

// approved returns the command with its approver.
func (p pending) approved(by string) trade.Command {
	cmd := p.Command
	cmd.ID, cmd.Approver = trade.ApprovalID(p.recorded.ID), by
	cmd.Source, cmd.SubmittedBy = approvals, p.recorded.SubmittedBy
	return cmd
}

// pendingOf returns the pending command of an event; ok is false for any other event. Lines of
// files name their approvers themselves, and are not pending. Neither is a line that this program
// cannot read any more: nobody can send it again.
func (s *Server) pendingOf(
	ctx context.Context, r contract.Recorded,
) (p pending, ok bool, err error) {
	if kind, _ := trade.KindOfType(r.Type); r.SubmittedBy != r.Actor || kind.Zero == nil {
		return p, false, nil
	} else if _, refused := kind.Zero.(trade.CommandRefused); !refused {
		return p, false, nil
	}
	e, err := contract.Decoded(ctx, s.System.Desk.Codec, r)
	if err != nil {
		return p, false, err
	}
	body, refused := e.Body.(trade.CommandRefused)
	if !refused || body.Rule != string(trade.NeedsApprover) {
		return p, false, nil
	}
	line, err := lines.Parse(1, []byte(body.Line))
	return pending{line.Command, r, body.Detail}, err == nil, nil
}

// decided returns the outcome of a pending command that was approved. A command under the same id
// that nobody approved is no such outcome.
func (s *Server) decided(ctx context.Context, p pending) (out Outcome, ok bool, err error) {
	id := p.approved("").ID
	r, err := s.System.Log.Find(ctx, trade.EventID(id, 0))
	if errors.Is(err, contract.ErrNotFound) {
		return out, false, nil
	}
	if err != nil || r.Source != approvals || r.Causation != p.approved(r.Approver).ContentID() {
		return out, false, err
	}
	out, err = s.outcome(ctx, id)
	return out, err == nil, err
}

func (s *Server) routeApprovals() {
	register(s.api, huma.Operation{OperationID: "approve", Method: http.MethodPost,
		Path: "/v1/approvals", Summary: "Approve a pending command of another principal",
		Description:   "The desk decides it now, with the signed-in principal as its approver.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: 4 << 10,
		Errors: []int{400, 401, 403, 404, 409, 410, 421, 422, 503}, Metadata: needs(),
	}, s.approve)
	pending := Query{Name: "pending", Ask: s.askPending,
		Summary: "List the commands that wait for an approval"}
	s.routeQuery(pending, s.api.OpenAPI().Components.Schemas.Schema(
		reflect.TypeFor[[]Pending](), true, ""))
}

type approveInput struct {
	Body struct {
		CommandID string `json:"command_id" maxLength:"128"`
	}
}

// approve decides a pending command. A crash after the append leaves an outcome that the same
// approval again gets.
func (s *Server) approve(ctx context.Context, in *approveInput) (*commandOutput, error) {
	by, id := PrincipalOf(ctx).Name, in.Body.CommandID
	ask := access.Request{Resource: "command/" + cut(id)}
	if denied := s.decide(ctx, access.Approve, ask); denied != nil {
		return nil, s.denied(ctx, RoleTooLow, whyDenied(*denied), *denied)
	}
	problem := func(status int, format string, args ...any) error {
		return (&Problem{Status: status, Detail: fmt.Sprintf(format, args...)}).titled()
	}
	r, err := s.System.Log.Find(ctx, trade.EventID(id, 0))
	if errors.Is(err, contract.ErrNotFound) {
		return nil, problem(http.StatusNotFound, "no command %q is on record", cut(id))
	}
	p, waits := pending{}, false
	if err == nil {
		p, waits, err = s.pendingOf(ctx, r)
	}
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	if !waits {
		return nil, problem(http.StatusConflict, "command %q does not wait for an approval", id)
	}
	ask.Actor, ask.SubmittedBy = p.Actor, p.recorded.SubmittedBy
	denied := s.decide(ctx, access.Approve, ask)
	if denied != nil {
		return nil, s.denied(ctx, OwnCommand, whyDenied(*denied), *denied)
	}
	if by == p.Actor { // whatever the policies say
		return nil, s.denied(ctx, OwnCommand, "nobody approves an own command", access.Denied{
			Principal: by, Action: string(access.Approve), Resource: ask.Resource})
	}
	_, done, err := s.decided(ctx, p)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	now, err := s.System.Now(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	if !done && now.Known.After(p.expires()) {
		return nil, problem(http.StatusGone, "the time for an approval ended at %s",
			p.expires().Format(time.RFC3339))
	}
	return s.take(ctx, p.approved(by), s.System.Approve)
}

// denied records a denial, and returns it as the error of an operation.
func (s *Server) denied(ctx context.Context, rule Rule, why string, d access.Denied) error {
	s.recordDenial(requestOf(ctx), rule, why, d)
	return (&Problem{Status: http.StatusForbidden, Rule: string(rule), Detail: why}).titled()
}

// answerPending answers a command that waits for an approval, or was approved since.
func (s *Server) answerPending(ctx context.Context, out capstone.Outcome) (*commandOutput, error) {
	p, waits, err := s.pendingOf(ctx, out.Event)
	if err != nil || !waits {
		return nil, err
	}
	outcome, done, err := s.decided(ctx, p)
	now, failed := s.System.Now(ctx)
	switch err = errors.Join(err, failed); {
	case err != nil:
		return nil, err
	case done && outcome.Result == "accepted":
		return &commandOutput{http.StatusOK, outcome}, nil
	case done:
		return nil, outcome.refused()
	case now.Known.After(p.expires()):
		return nil, nil
	}
	outcome, expires := outcomeOf(out), p.expires()
	outcome.Result, outcome.Expires = "pending", &expires
	return &commandOutput{http.StatusAccepted, outcome}, nil
}

// askPending lists the commands that wait.
func (s *Server) askPending(ctx context.Context, _ url.Values) Answer {
	now, err := s.System.Now(ctx)
	var waiting []pending
	if err == nil {
		waiting, err = s.waiting(ctx, now.Known)
	}
	if err != nil {
		p := s.failed(ctx, err).(*Problem)
		return Answer{Status: p.Status, Detail: p.Detail, Hint: p.Hint}
	}
	list := []Pending{} // never nil: nothing is an empty list
	for _, p := range waiting {
		list = append(list, p.shown())
	}
	text, _ := json.Marshal(map[string]any{"known_at": now.Known, "answer": list}) // plain fields
	return Answer{Status: http.StatusOK, JSON: text}
}

// Waiting reads the log for commands that nobody approved, also if the time for that has ended.
func Waiting(ctx context.Context, system *capstone.System) (all []Pending, err error) {
	waiting, err := (&Server{Config: Config{System: system}}).waiting(ctx, time.Time{})
	for _, p := range waiting {
		all = append(all, p.shown())
	}
	return all, err
}

func (p pending) shown() Pending {
	return Pending{p.ID, p.Actor, p.detail, string(lines.Format(p.Command)),
		p.recorded.RecordedAt, p.recorded.EffectiveAt, p.expires()}
}

// A pendingIndex has the pending commands up to a cursor that nobody had approved at the last look,
// without those that had expired. The log is the truth: a new process reads its last day, or the
// whole log if its times may fall (contract.Since).
type pendingIndex struct {
	mu      sync.Mutex
	at      contract.Cursor
	waiting []pending
}

// waiting returns the pending commands that nobody approved and that have not expired at a time. It
// reads the log from the end of the last look on; the first look begins before the oldest command
// that can wait. After an error the next look begins where this one did.
func (s *Server) waiting(ctx context.Context, at time.Time) ([]pending, error) {
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	end, err := s.System.Log.End(ctx)
	if err != nil {
		return nil, err
	}
	found, from := slices.Clone(s.pending.waiting), s.pending.at
	if from == nil && !at.IsZero() {
		from, err = contract.Since(ctx, s.System.Log, end, at.Add(-approvalsWithin))
		if err != nil {
			return nil, err
		}
	}
	for r, err := range s.System.Log.Read(ctx, from, end) {
		if err != nil {
			return nil, err
		}
		p, waits, err := s.pendingOf(ctx, r)
		if err != nil {
			return nil, err
		}
		if waits {
			found = append(found, p)
		}
	}
	var left []pending
	for _, p := range found {
		if at.After(p.expires()) {
			continue
		}
		_, done, err := s.decided(ctx, p)
		if err != nil {
			return nil, err
		}
		if !done {
			left = append(left, p)
		}
	}
	s.pending.at, s.pending.waiting = end, left
	return slices.Clone(left), nil
}
