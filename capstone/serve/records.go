package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/blotter/capstone/access"
	"example.com/blotter/labs/kit/trade"
)

// Records has the acts on personal data and on kept records. An act that the rules of its part
// refuse returns a *Problem; any other error is an outage. Each act puts itself on record.
type Records struct {
	Unmask  func(context.Context, Act) (any, error) // shows the fields of the party Subject
	Erase   func(context.Context, Act) (any, error) // destroys the key of the party Subject
	Lift    func(context.Context, Act) (any, error) // lifts the hold Subject
	Dispose func(context.Context, Act) (any, error) // destroys the records that are due

	// Extracted records a certified extract, which the command line made of the same log.
	Extracted func(context.Context, Extract) error
}

// An Extract is a certified extract. Actor is the person who asked for it.
type Extract struct {
	Actor, SubmittedBy, Reason, Manifest, Query string
	Events, Checkpoint                          int64
}

// An Act is the request of a principal. Approver is a second principal; to unmask needs none.
type Act struct{ Subject, Actor, Approver, Reason string }

// waitsWithin is how long an act waits for the second principal.
const waitsWithin = time.Hour

// mostWaiting is the most acts that wait, and mostOfOne the most that one principal asked for: none
// takes the places of the others.
const (
	mostWaiting = 100
	mostOfOne   = 20
)

// A waiting act was asked for by one principal. It is in memory only: after a crash or a restart
// nothing is on record, and the first principal asks again.
type waiting struct {
	actor string
	until time.Time
}

// secondAsks are the acts that wait for a second principal. The key is the act, its subject and its
// reason: both principals send the same.
type secondAsks struct {
	mu  sync.Mutex
	all map[[3]string]waiting
}

// take returns the request for an act that another principal made before. It waits no longer: two
// second principals at once do the act once. Otherwise the act waits from now on. full is not zero
// if as many acts, of everybody or of this principal, wait already.
func (s *secondAsks) take(key [3]string, by string, now time.Time) (first waiting, full int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[[3]string]waiting{}
	}
	own := 0
	for k, w := range s.all {
		if now.After(w.until) {
			delete(s.all, k)
		} else if w.actor == by {
			own++
		}
	}
	w, asked := s.all[key]
	switch {
	case asked && w.actor != by:
		delete(s.all, key)
		return w, 0
	case !asked && own >= mostOfOne:
		return first, mostOfOne
	case !asked && len(s.all) >= mostWaiting:
		return first, mostWaiting
	case !asked:
		s.all[key] = waiting{by, now.Add(waitsWithin)}
	}
	return first, 0
}

// giveBack lets an act wait again that was taken and not done.
func (s *secondAsks) giveBack(key [3]string, first waiting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[key] = first
}

// An actRoute is the route of one kind of act.
type actRoute struct {
	id, path, summary string
	action            access.Action
	resource          string // of policies; the subject is appended
	two               bool   // principals are needed
	do                func(context.Context, Act) (any, error)
}

func (s *Server) routeRecords() {
	if s.Records == nil {
		return
	}
	for _, route := range []actRoute{
		{"unmask", "/v1/parties/unmask", "Show the personal data of a party",
			access.Unmask, "party/", false, s.Records.Unmask},
		{"erase", "/v1/parties/erase", "Destroy the key of a party",
			access.Erase, "party/", true, s.Records.Erase},
		{"lift", "/v1/holds/lift", "Lift a legal hold",
			access.LiftHold, "hold/", true, s.Records.Lift},
		{"dispose", "/v1/disposals", "Destroy the records that are due",
			access.Dispose, "archive", true, s.Records.Dispose},
	} {
		description := "The reading is on record before the answer."
		if route.two {
			description = "The first principal gets 202. It is done when another one sends the " +
				"same request within an hour."
		}
		register(s.api, huma.Operation{OperationID: route.id, Method: http.MethodPost,
			Path: route.path, Summary: route.summary, Description: description,
			DefaultStatus: http.StatusOK, MaxBodyBytes: 4 << 10, Metadata: needs(),
			Errors: []int{400, 401, 403, 404, 409, 421, 429, 503},
		}, func(ctx context.Context, in *actInput) (*actOutput, error) {
			return s.act(ctx, route, in)
		})
	}
	register(s.api, huma.Operation{OperationID: "record-extract", Method: http.MethodPost,
		Path: "/v1/extracts", Summary: "Record a certified extract",
		Description: "The command line made it. The body names the person who asked for it, so " +
			"it takes the right to import.",
		DefaultStatus: http.StatusOK, MaxBodyBytes: 64 << 10, Metadata: needs(access.Import),
		Errors: []int{400, 401, 403, 421, 422, 429, 503},
	}, s.recordExtract)
}

type extractInput struct {
	Body struct {
		Actor      string `json:"actor"`
		Reason     string `json:"reason" minLength:"1" maxLength:"500"`
		Manifest   string `json:"manifest" pattern:"^[0-9a-f]{64}$" doc:"SHA-256, hexadecimal."`
		Query      string `json:"query" minLength:"1"`
		Events     int64  `json:"events" minimum:"1"`
		Checkpoint int64  `json:"checkpoint" minimum:"1"`
	}
}

func (s *Server) recordExtract(ctx context.Context, in *extractInput) (*struct{}, error) {
	e := Extract{in.Body.Actor, PrincipalOf(ctx).Name, in.Body.Reason, in.Body.Manifest,
		in.Body.Query, in.Body.Events, in.Body.Checkpoint}
	detail := ""
	switch {
	case !trade.Principals.Has(e.Actor):
		detail = "actor: want " + trade.Principals.Want
	case !printable(e.Reason) || !printable(e.Query):
		detail = "reason, query: want printable texts"
	}
	if detail != "" {
		return nil, (&Problem{Status: http.StatusBadRequest, Detail: detail}).titled()
	}
	if err := s.Records.Extracted(ctx, e); err != nil {
		return nil, s.failed(ctx, err)
	}
	return nil, nil
}

type actInput struct {
	Body struct {
		Subject string `json:"subject,omitempty" maxLength:"128" doc:"The party or the hold."`
		Reason  string `json:"reason" minLength:"1" maxLength:"500" doc:"It stays on record."`
	}
}

type actOutput struct {
	Status int
	Cache  string `header:"Cache-Control"`
	Body   struct {
		Result string `json:"result" doc:"done, or waiting for the second principal"`
		Answer any    `json:"answer,omitempty"`
	}
}

// act asks the policies BEFORE it looks at the subject: a denial does not say whether a party is on
// record.
func (s *Server) act(ctx context.Context, route actRoute, in *actInput) (*actOutput, error) {
	act := Act{Subject: in.Body.Subject, Actor: PrincipalOf(ctx).Name, Reason: in.Body.Reason}
	resource := access.Request{Resource: cut(route.resource + act.Subject)}
	if denied := s.decide(ctx, route.action, resource); denied != nil {
		return nil, s.denied(ctx, RoleTooLow, whyDenied(*denied), *denied)
	}
	if err := route.check(act); err != nil {
		return nil, err
	}
	out := &actOutput{Status: http.StatusOK, Cache: "no-store"}
	key := [3]string{route.id, act.Subject, act.Reason}
	var first waiting
	if route.two {
		var err error
		if first, err = s.awaitSecond(key, act.Actor); err != nil {
			return nil, err
		}
		if first.actor == "" {
			out.Status, out.Body.Result = http.StatusAccepted, "waiting"
			return out, nil
		}
		act.Actor, act.Approver = first.actor, act.Actor
	}
	answer, err := route.do(ctx, act)
	var refused *Problem
	switch {
	case errors.As(err, &refused):
		return nil, refused.titled()
	case err != nil && route.two: // the second principal sends the request again
		s.second.giveBack(key, first)
		return nil, s.failed(ctx, err)
	case err != nil:
		return nil, s.failed(ctx, err)
	}
	out.Body.Result, out.Body.Answer = "done", answer
	return out, nil
}

func tooMany(full int) *Problem {
	detail := fmt.Sprintf("%d acts wait for a second principal", full)
	if full == mostOfOne {
		detail = fmt.Sprintf("%d of your acts wait for a second principal", full)
	}
	return &Problem{Status: http.StatusTooManyRequests, Detail: detail}
}

// check refuses an act that names no subject, or one too many.
func (route actRoute) check(act Act) error {
	wanted := strings.HasSuffix(route.resource, "/")
	detail := ""
	switch {
	case wanted && !trade.Principals.Has(act.Subject):
		detail = "subject: want " + trade.Principals.Want
	case !wanted && act.Subject != "":
		detail = "subject: a disposal takes none; it removes everything that is due"
	case !printable(act.Reason) || strings.TrimSpace(act.Reason) == "":
		detail = "reason: want a printable text"
	}
	if detail == "" {
		return nil
	}
	return (&Problem{Status: http.StatusBadRequest, Detail: detail}).titled()
}
