package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"example.com/blotter/capstone/access"
	"example.com/blotter/labs/kit/trade"
)

// A CanaryStep is the request for a step of the canary of a type: see package canary.
type CanaryStep struct {
	Step   string `json:"step" enum:"start,promote,abort"`
	Type   string `json:"type" maxLength:"128" doc:"The type, such as trade.settled."`
	Share  int64  `json:"share,omitempty" doc:"Of the streams, in percent: to start."`
	Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"It stays on record."`
	Actor  string `json:"actor,omitempty" doc:"Of an importer: who decided the step."`

	SubmittedBy string `json:"-"` // who signed in
}

type canaryInput struct{ Body CanaryStep }

type canaryOutput struct {
	Body struct {
		Answer any `json:"answer"`
	}
}

func (s *Server) routeCanaries() {
	if s.Canary == nil {
		return
	}
	register(s.api, huma.Operation{OperationID: "canary", Method: http.MethodPost,
		Path: "/v1/canaries", Summary: "Take a step of the canary of a schema",
		Description:  "Before a promotion, compare two programs: blotter canary promote does.",
		MaxBodyBytes: 4 << 10, Metadata: needs(access.Release), DefaultStatus: http.StatusOK,
		Errors: []int{400, 401, 403, 409, 421, 503},
	}, s.canaryStep)
}

// canaryStep has the step taken by the principal that signed in. Only an importer names another
// actor, as for the lines of files.
func (s *Server) canaryStep(ctx context.Context, in *canaryInput) (*canaryOutput, error) {
	step, by := in.Body, PrincipalOf(ctx).Name
	step.SubmittedBy = by
	switch {
	case step.Actor == "":
		step.Actor = by
	case step.Actor != by && !s.permits(ctx, access.Import):
		return nil, s.denied(ctx, ActorClaimed,
			fmt.Sprintf("the actor is %s, and %s signed in", step.Actor, by),
			access.Denied{Principal: by, Action: string(access.Release),
				Resource: pathOf(requestOf(ctx))})
	}
	detail := ""
	if !trade.Principals.Has(step.Actor) {
		detail = "actor: want " + trade.Principals.Want
	} else if !printable(step.Reason) || strings.TrimSpace(step.Reason) == "" {
		detail = "reason: want a printable text"
	}
	if detail != "" {
		return nil, (&Problem{Status: http.StatusBadRequest, Detail: detail}).titled()
	}
	out := new(canaryOutput)
	var refused *Problem
	var err error
	if out.Body.Answer, err = s.Canary(ctx, step); errors.As(err, &refused) {
		return nil, refused.titled()
	} else if err != nil {
		return nil, s.failed(ctx, err)
	}
	return out, nil
}
