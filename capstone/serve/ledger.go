package serve

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/ledger"
)

// Ledgers decide the commands about books, and keep one of them up with the trades.
type Ledgers struct {
	Desk   *ledger.Desk
	Poster *ledger.Poster // follows the log; nil: nobody posts the trades
}

// A LedgerOutcome is the recorded outcome of a command about books.
type LedgerOutcome struct {
	CommandID string `json:"command_id"`
	Result    string `json:"result" enum:"accepted,refused,pending"`
	Again     bool   `json:"again" doc:"It was on record already."`
	Command   string `json:"command" doc:"The kind of the command, such as PostEntry."`
	Subject   string `json:"subject" doc:"The entry, account or period."`
	Rule      string `json:"rule,omitempty" doc:"The rule that refused it."`
	Detail    string `json:"detail,omitempty"`
}

type ledgerOutput struct {
	Status int
	Body   LedgerOutcome
}

func (s *Server) routeLedger() {
	if s.Ledgers == nil {
		return
	}
	register(s.api, huma.Operation{
		OperationID: "ledger-command", Method: http.MethodPost, Path: "/v1/ledger-commands",
		Summary: "Decide one command about books and record its outcome",
		Description: "The body is a line of blotter ledger apply: it opens an account or a " +
			"period, posts, reverses or corrects an entry, and so on. Its actor is the signed-in " +
			"principal and may be left out. One that names an approver is pending, 202, until " +
			"the other of the two sends the same line within an hour. The same command again " +
			"gets the recorded outcome: 201 the first time, 200 later. A refusal is 422.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: 1 << 20,
		SkipValidateBody: true, // the format of the ledger is stricter
		Errors:           []int{400, 401, 403, 409, 413, 421, 422, 429, 503}, Metadata: needs(),
	}, s.ledgerCommand)
}

// ledgerCommand takes one command to the desk of the ledgers. A crash after the append leaves an
// outcome that nobody was told of: the same command again gets it.
func (s *Server) ledgerCommand(ctx context.Context, in *commandInput) (*ledgerOutput, error) {
	by := PrincipalOf(ctx).Name
	cmd, err := ledger.ParseCommand(in.RawBody)
	if err != nil {
		return nil, badLine(err)
	}
	cmd.Actor = cmp.Or(cmd.Actor, by)
	if err := s.mayBook(ctx, by, cmd); err != nil {
		return nil, err
	}
	outcome := LedgerOutcome{CommandID: cmd.ID, Command: cmd.Kind(), Subject: cmd.Subject()}
	// The content has no time of entry, from which the entry takes effect unless it says otherwise.
	key := [3]string{"ledger", cmd.ID, cmd.ContentID().String() + " " + cmd.EnteredAt.String()}
	var first waiting
	if cmd.Approver != "" && cmd.Approver != cmd.Actor {
		// A command on record was sent by both: its answer was lost.
		out, found, err := s.Ledgers.Desk.Recorded(ctx, cmd)
		switch {
		case err != nil:
			return nil, s.failed(ctx, err)
		case found:
			return answerLedger(outcome, out)
		}
		if first, err = s.awaitSecond(key, by); err != nil {
			return nil, err
		}
		if first.actor == "" {
			outcome.Result = "pending"
			return &ledgerOutput{http.StatusAccepted, outcome}, nil
		}
	}
	return s.book(ctx, cmd, outcome, key, first)
}

// book has the desk decide a command. first is the request of the first of two principals, which
// waits again if there is no outcome: the second principal sends the command again.
func (s *Server) book(
	ctx context.Context, cmd ledger.Command, outcome LedgerOutcome, key [3]string, first waiting,
) (*ledgerOutput, error) {
	out, err := s.Ledgers.Desk.Do(ctx, cmd)
	if err != nil {
		if first.actor != "" {
			s.second.giveBack(key, first)
		}
		return nil, s.failed(ctx, err)
	}
	return answerLedger(outcome, out)
}

// mayBook asks the policies whether a principal may send a command, as its actor, or may approve
// it, as the approver that it names.
func (s *Server) mayBook(ctx context.Context, by string, cmd ledger.Command) error {
	of := access.Request{Resource: pathOf(requestOf(ctx))}
	action := access.Book
	if by == cmd.Approver && by != cmd.Actor {
		action, of.Actor, of.SubmittedBy = access.Approve, cmd.Actor, cmd.Actor
	} else if by != cmd.Actor {
		return s.denied(ctx, ActorClaimed, fmt.Sprintf("the actor is %s, and %s signed in",
			cmd.Actor, by), access.Denied{Principal: by, Action: string(access.Book),
			Resource: of.Resource})
	}
	if denied := s.decide(ctx, action, of); denied != nil {
		return s.denied(ctx, RoleTooLow, whyDenied(*denied), *denied)
	}
	return nil
}

// answerLedger returns the status of an outcome, or the problem of a refusal.
func answerLedger(o LedgerOutcome, out ledger.Outcome) (*ledgerOutput, error) {
	o.Result, o.Again = "accepted", out.Again
	switch r := out.Refusal; {
	case r != nil:
		o.Result, o.Rule, o.Detail = "refused", string(r.Rule), r.Detail
		p := &Problem{Status: http.StatusUnprocessableEntity, Rule: o.Rule, Detail: o.Detail,
			Answer: o}
		if r.Rule == ledger.ReusedCommand { // the outcome on record is that of another command
			p.Status, p.Answer = http.StatusConflict, nil
		}
		return nil, p.titled()
	case out.Again:
		return &ledgerOutput{http.StatusOK, o}, nil
	}
	return &ledgerOutput{http.StatusCreated, o}, nil
}

// awaitSecond returns the request of another principal for the same act. Without one, the act waits
// from now on, and the request that it returns has no actor.
func (s *Server) awaitSecond(key [3]string, by string) (first waiting, err error) {
	first, full := s.second.take(key, by, time.Now())
	if full > 0 {
		return first, tooMany(full).titled()
	}
	return first, nil
}

// publish publishes the events of ledgers up to the end of the log.
func (s *Server) publish(ctx context.Context) {
	_, err := s.Publisher.CatchUp(ctx)
	s.note(PartOf(publishing, "all events of ledgers are published", err))
}

// postTrades posts the trades up to the end of the log. The part is not well while the ledger
// refuses an entry.
func (s *Server) postTrades(ctx context.Context) {
	poster := s.Ledgers.Poster
	_, err := poster.CatchUp(ctx)
	part := PartOf("ledger "+poster.Ledger, "all trades are posted", err)
	if n := len(poster.Exceptions()); n > 0 {
		part.Well = false
		part.Reason = cut(fmt.Sprintf("it refuses %d entries of the trades: blotter ledger "+
			"exceptions; %s", n, part.Reason))
	}
	s.note(part)
}
