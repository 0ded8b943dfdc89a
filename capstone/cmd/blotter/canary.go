package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"

	"example.com/blotter/capstone/canary"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	"example.com/blotter/capstone/tracing"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

// canaryCmd has the commands about new versions of schemas.
type canaryCmd struct {
	Start   canaryStartCmd   `cmd:"" help:"Write the latest version of a type to some streams."`
	Status  canaryStatusCmd  `cmd:"" help:"Show the canaries, and compare two programs."`
	Promote canaryPromoteCmd `cmd:"" help:"Write it to all streams, if two programs agree."`
	Abort   canaryAbortCmd   `cmd:"" help:"Write it to no stream any more."`
}

// by are the flags of a step.
type by struct {
	Actor  string `required:"" help:"The principal who does it."`
	Reason string `required:"" help:"The reason why."`
}

type canaryStartCmd struct {
	Type  string `arg:"" help:"The type, such as trade.settled."`
	Share int64  `help:"Share of the streams, in percent." default:"10"`
	by
}

func (c *canaryStartCmd) Run(ctx context.Context, a *app) error {
	return a.canaryStep(ctx, serve.CanaryStep{Step: "start", Type: c.Type, Share: c.Share}, c.by)
}

type canaryAbortCmd struct {
	Type string `arg:"" help:"The type, such as trade.settled."`
	by
}

func (c *canaryAbortCmd) Run(ctx context.Context, a *app) error {
	return a.canaryStep(ctx, serve.CanaryStep{Step: "abort", Type: c.Type}, c.by)
}

type canaryPromoteCmd struct {
	Type    string `arg:"" help:"The type, such as trade.settled."`
	Against string `required:"" help:"${canary_against}" placeholder:"PROGRAM"`
	by
}

// Run compares the two programs BEFORE it opens the log for writing.
func (c *canaryPromoteCmd) Run(ctx context.Context, a *app) error {
	if err := differsFromThis(c.Against); err != nil {
		return err
	}
	compared, s, err := a.comparison(ctx, c.Against)
	if err != nil {
		return err
	}
	if compared.parts != nil {
		return a.refuted(of(s), compared, compared.parts)
	}
	return a.canaryStep(ctx, serve.CanaryStep{Step: "promote", Type: c.Type}, c.by)
}

// differsFromThis refuses a copy of this program: it folds every log as this one does.
func differsFromThis(path string) error {
	this, err := os.Executable()
	if err != nil {
		return err
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return &outage{fmt.Sprintf("the program %s: %v", path, err),
			"name a program to compare with"}
	}
	here, err := digestOf(this)
	if err != nil {
		return err
	}
	there, err := digestOf(found)
	if err == nil && here == there {
		err = &canary.Refusal{Rule: canary.SameCode, Detail: path + " is this program, byte for " +
			"byte: compare with the program that the writers had before"}
	}
	return err
}

// digestOf returns the SHA-256 digest of a file.
func digestOf(path string) (digest [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return digest, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), err
}

// canaryStep has a step decided and recorded: by the service that owns the log, if there is one.
func (a *app) canaryStep(ctx context.Context, step serve.CanaryStep, by by) error {
	step.Actor, step.Reason = by.Actor, by.Reason
	if !trade.Principals.Has(by.Actor) {
		return &usageError{fmt.Sprintf("actor %q is no principal", by.Actor),
			"a principal has " + trade.Principals.Want}
	}
	owner, err := a.service()
	if err != nil {
		return err
	}
	var state canary.State
	from := caveat{}
	if owner != nil {
		state, err = owner.canaryStep(ctx, step)
	} else {
		state, from, err = a.ownStep(ctx, step)
	}
	if err != nil {
		return err
	}
	return a.answer(from, state, func(w io.Writer) {
		printLine(w, "version %d of %s is %s, on %d%% of the streams", state.Version, state.Type,
			state.Status, state.Share)
	})
}

// canaryStep asks the service for a step.
func (s *service) canaryStep(
	ctx context.Context, step serve.CanaryStep,
) (state canary.State, err error) {
	text, err := json.Marshal(step)
	if err != nil {
		return state, err
	}
	answer, err := s.post(ctx, "/v1/canaries", "application/json", bytes.NewReader(text))
	if err != nil {
		return state, err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&struct{ Answer *canary.State }{&state})
	if err != nil {
		err = s.lost(err)
	}
	return state, err
}

// ownStep takes a step in a log that this command opens.
func (a *app) ownStep(
	ctx context.Context, step serve.CanaryStep,
) (state canary.State, from caveat, err error) {
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return state, from, err
	}
	state, err = takeStep(ctx, s, step)
	return state, of(s), err
}

// canarySteps returns the steps of canaries that a service takes.
func canarySteps(s *session.Session) func(context.Context, serve.CanaryStep) (any, error) {
	return func(ctx context.Context, step serve.CanaryStep) (any, error) {
		view := s.View()
		defer view.Close()
		state, err := takeStep(ctx, view, step)
		var refused *canary.Refusal
		if errors.As(err, &refused) {
			err = &serve.Problem{Status: http.StatusConflict, Rule: string(refused.Rule),
				Detail: refused.Detail}
		}
		return state, err
	}
}

// takeStep decides and records a step. Two steps at once have the same expected version: one of
// them is recorded, and the other one fails.
func takeStep(
	ctx context.Context, s *session.Session, step serve.CanaryStep,
) (state canary.State, err error) {
	events, err := s.Domain(ctx)
	if err != nil {
		return state, err
	}
	if state, err = canary.Read(ctx, s.Log, step.Type); err != nil {
		return state, err
	}
	body, err := decideStep(ctx, s.Log, state, step)
	if err != nil {
		return state, err
	}
	now, err := s.System().Now(ctx)
	if err != nil {
		return state, err
	}
	err = state.Record(ctx, s.Log, events, domain.Entry{Actor: step.Actor, Reason: step.Reason,
		SubmittedBy: step.SubmittedBy, Source: "canary", EnteredAt: now.Known,
		Traceparent: tracing.Traceparent(ctx)}, body)
	if err != nil {
		return state, err
	}
	// A crash here leaves the step on record: a repeated one is refused by name.
	return canary.Read(ctx, s.Log, step.Type)
}

func decideStep(
	ctx context.Context, log contract.Store, state canary.State, step serve.CanaryStep,
) (domain.Body, error) {
	switch step.Step {
	case "start":
		return state.Start(step.Share, codec.Readable)
	case "promote":
		written, err := state.Written(ctx, log)
		if err != nil {
			return nil, err
		}
		return state.Promote(written)
	}
	return state.Abort()
}

type canaryStatusCmd struct {
	Against string `help:"${canary_against}" placeholder:"PROGRAM"`
}

// A canaryStatus is a canary with the events on record of its type.
type canaryStatus struct {
	canary.State
	Written int64 `json:"written"` // events under the new version
	Before  int64 `json:"before"`  // events under earlier versions
}

// A comparedStatus has the canaries and the comparison of two programs.
type comparedStatus struct {
	Canaries []canaryStatus `json:"canaries"`
	comparison
}

// Run exits with 1 if the two programs fold the log to different states.
func (c *canaryStatusCmd) Run(ctx context.Context, a *app) error {
	var compared comparison
	if c.Against != "" {
		var err error
		if compared, _, err = a.comparison(ctx, c.Against); err != nil {
			return err
		}
	}
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	all, err := canaries(ctx, s.Log)
	if err != nil {
		return err
	}
	answer := any(all)
	if c.Against != "" {
		answer = comparedStatus{all, compared}
	}
	err = a.answer(of(s), answer, func(w io.Writer) {
		var rows []string
		for _, c := range all {
			rows = append(rows, fmt.Sprintf("%s\t%d\t%d%%\t%s\t%d\t%d", c.Type, c.Version, c.Share,
				c.Status, c.Written, c.Before))
		}
		table(w, "type\tversion\tshare\tstatus\tevents of it\tof earlier versions", rows...)
		if compared.Equal {
			compared.print(w)
		}
	})
	if err == nil && compared.parts != nil {
		err = compared.parts
	}
	return err
}

// canaries reads the log for canaries and the events of their types.
func canaries(ctx context.Context, log contract.Store) (all []canaryStatus, err error) {
	end, err := log.End(ctx)
	if err != nil {
		return nil, err
	}
	types := []string{}
	written := map[string]map[int]int64{}
	for r, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		if typ, is := canary.TypeOf(r.Stream); is && r.Version == 1 {
			types = append(types, typ)
		}
		if written[r.Type] == nil {
			written[r.Type] = map[int]int64{}
		}
		written[r.Type][r.Schema]++
	}
	all = []canaryStatus{} // never nil: nothing is an empty list
	for _, typ := range types {
		c := canaryStatus{}
		if c.State, err = canary.Read(ctx, log, typ); err != nil {
			return nil, err
		}
		for version, n := range written[typ] {
			if int64(version) == c.Version {
				c.Written += n
			} else {
				c.Before += n
			}
		}
		all = append(all, c)
	}
	return all, nil
}
