package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/governance"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	"example.com/blotter/capstone/vault"
	"example.com/blotter/labs/kit/contract"
)

// recordActs returns the acts of a service on personal data and on kept records.
func recordActs(s *session.Session) *serve.Records {
	type did func(context.Context, *session.Session, domain.Entry, string) (any, error)
	over := func(act did) func(context.Context, serve.Act) (any, error) {
		return func(ctx context.Context, a serve.Act) (any, error) {
			view := s.View()
			defer view.Close()
			now, err := view.System().Now(ctx)
			if err != nil {
				return nil, err
			}
			answer, err := act(contract.At(ctx, now.Known), view, domain.Entry{
				CommandID: "serve-" + uuid.NewString(), Actor: a.Actor, SubmittedBy: a.Actor,
				Approver: a.Approver, Reason: a.Reason, Source: "serve", EnteredAt: now.Known,
			}, a.Subject)
			return answer, problemOf(err)
		}
	}
	return &serve.Records{Unmask: over(unmask), Erase: over(erase), Lift: over(lift),
		Dispose: over(dispose), Extracted: func(ctx context.Context, e serve.Extract) error {
			return recordAccess(ctx, s, domain.Entry{Actor: e.Actor, SubmittedBy: e.SubmittedBy,
				Reason: e.Reason, Source: "blotter/extract"}, access.Extracted{
				Manifest: e.Manifest, Query: e.Query, Events: e.Events,
				Checkpoint: e.Checkpoint})
		}}
}

// problemOf returns the problem of an act that the rules refuse. It leaves any other error.
func problemOf(err error) error {
	var kept *vault.KeptError
	var refused *governance.Refusal
	switch {
	case errors.Is(err, vault.ErrNoParty):
		return &serve.Problem{Status: http.StatusNotFound, Detail: err.Error()}
	case errors.As(err, &refused):
		return &serve.Problem{Status: http.StatusConflict, Rule: refused.Rule,
			Detail: refused.What}
	case errors.As(err, &kept), errors.Is(err, vault.ErrErased):
		return &serve.Problem{Status: http.StatusConflict, Detail: err.Error()}
	}
	return err
}

func unmask(ctx context.Context, s *session.Session, e domain.Entry, party string) (any, error) {
	v, err := s.Vault(ctx)
	if err != nil {
		return nil, err
	}
	fields, err := v.Unmask(ctx, e, party)
	return partyAnswer{Party: party, Fields: fields}, err
}

func erase(ctx context.Context, s *session.Session, e domain.Entry, party string) (any, error) {
	v, err := s.Vault(ctx)
	if err != nil {
		return nil, err
	}
	says, err := erased(ctx, s, v, e, party)
	return map[string]string{"party": party, "rule": says.Rule, "detail": says.Detail}, err
}

func lift(ctx context.Context, s *session.Session, e domain.Entry, hold string) (any, error) {
	g, err := s.Governor(ctx)
	if err != nil {
		return nil, err
	}
	_, err = g.Lift(ctx, e, hold)
	return map[string]string{"hold": hold}, err
}

func dispose(ctx context.Context, s *session.Session, e domain.Entry, _ string) (any, error) {
	g, err := s.Governor(ctx)
	if err != nil {
		return nil, err
	}
	done, err := g.Dispose(ctx, e)
	return map[string]any{"certificate": done.Order, "deleted": done.Deleted, "kept": done.Kept,
		"more": done.More}, err
}
