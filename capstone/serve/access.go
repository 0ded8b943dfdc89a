package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"example.com/blotter/capstone/access"
)

// A Role is a name that policies permit actions to: see access.Roles.
type Role string

// Roles for programs, and for single rights beside the role of a department.
const (
	Reader   Role = "reader"   // asks
	Trader   Role = "trader"   // sends commands as itself
	Approver Role = "approver" // approves pending commands of others
	Importer Role = "importer" // sends lines of files, which name other actors
)

// Operations is the role of a department, which the user of the data folder has, too.
const Operations Role = "operations"

// Roles lists all roles.
func Roles() (all []Role) {
	for _, role := range access.Roles() {
		all = append(all, Role(role))
	}
	return all
}

// A Principal is a person or a program that signed in.
type Principal struct {
	Name  string // as the events have it: see trade.Principals
	Roles []Role
}

// An Authenticator finds the principal of a request.
type Authenticator interface {
	// SignIn returns nil if the request has no credential of this kind, and a *SignInError if the
	// credential is not good.
	SignIn(r *http.Request) (*Principal, error)
}

// A SignInError is a credential that is not accepted.
type SignInError struct {
	Rule   Rule
	Detail string // for the record; the client does not see it
}

func (e *SignInError) Error() string { return string(e.Rule) + ": " + e.Detail }

// signedIn is a request with its principal.
type signedIn struct {
	principal *Principal
	request   *http.Request
}

type signedInKey struct{}

// PrincipalOf returns the principal of a request; nil on the open pages.
func PrincipalOf(ctx context.Context) *Principal {
	if in, ok := ctx.Value(signedInKey{}).(*signedIn); ok {
		return in.principal
	}
	return nil
}

// requestOf returns the request that an operation answers.
func requestOf(ctx context.Context) *http.Request {
	return ctx.Value(signedInKey{}).(*signedIn).request
}

// open are the paths that need no principal.
var open = []string{"/livez", "/readyz", "/openapi.json", "/openapi.yaml"}

// signIn finds the principal of every request but those for open pages.
func (s *Server) signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(open, r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		for _, a := range s.SignIn {
			p, err := a.SignIn(r)
			var bad *SignInError
			switch {
			case errors.Is(err, ErrBusy):
				w.Header().Set("Retry-After", "1")
				writeProblem(w, Problem{Status: http.StatusTooManyRequests, Detail: err.Error()})
				return
			case errors.As(err, &bad):
				s.challenge(w, r, bad.Rule, bad.Detail)
				return
			case err != nil: // such as an issuer that does not answer
				s.Log.Warn("sign in", "error", err)
				writeProblem(w, Problem{Status: http.StatusServiceUnavailable,
					Detail: "the credential cannot be checked now"})
				return
			case p != nil:
				in := &signedIn{principal: p}
				in.request = r.WithContext(context.WithValue(r.Context(), signedInKey{}, in))
				next.ServeHTTP(w, in.request)
				return
			}
		}
		s.challenge(w, r, NoCredential, "")
	})
}

func (s *Server) challenge(w http.ResponseWriter, r *http.Request, rule Rule, detail string) {
	w.Header().Add("WWW-Authenticate", `Basic realm="blotter", charset="UTF-8"`)
	w.Header().Add("WWW-Authenticate", "Bearer")
	s.refuse(w, r, http.StatusUnauthorized, rule, detail)
}

// actionsOf is the key of an operation's actions in its metadata.
const actionsOf = "actions"

// needs returns the metadata of an operation that does some actions. All must be permitted.
func needs(actions ...access.Action) map[string]any { return map[string]any{actionsOf: actions} }

// requireActions panics for an operation that states no actions and is no open page: it would be
// open to everybody who signs in. An operation that decides for itself states none by needs().
func requireActions(api *huma.OpenAPI) {
	for path, item := range api.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete,
			item.Options, item.Head, item.Patch, item.Trace} {
			if op == nil || slices.Contains(open, path) {
				continue
			}
			if _, stated := op.Metadata[actionsOf]; !stated {
				panic("serve: " + op.Method + " " + path + " states no actions")
			}
		}
	}
}

// checkActions refuses an operation to a principal to whom the policies do not permit its actions.
func (s *Server) checkActions(ctx huma.Context, next func(huma.Context)) {
	actions, _ := ctx.Operation().Metadata[actionsOf].([]access.Action)
	r, w := humago.Unwrap(ctx)
	for _, action := range actions {
		denied := s.decide(r.Context(), action, access.Request{Resource: pathOf(r)})
		if denied != nil {
			s.deny(w, r, RoleTooLow, *denied)
			return
		}
	}
	next(ctx)
}

// pathOf returns the path of a request as a resource of policies.
func pathOf(r *http.Request) string { return cut(strings.TrimPrefix(r.URL.Path, "/")) }

// decide asks the policies whether the principal of a request may do an action. It returns nil for
// a permitted action.
func (s *Server) decide(
	ctx context.Context, action access.Action, r access.Request,
) *access.Denied {
	if p := PrincipalOf(ctx); p != nil {
		r.Principal = p.Name
		for _, role := range p.Roles {
			r.Roles = append(r.Roles, string(role))
		}
	}
	r.Action = action
	return s.Policies.Decide(r)
}

// permits reports whether the policies permit an action. It records no denial.
func (s *Server) permits(ctx context.Context, action access.Action) bool {
	return s.decide(ctx, action, access.Request{}) == nil
}

// deny refuses a request that the policies deny, and records the denial.
func (s *Server) deny(w http.ResponseWriter, r *http.Request, rule Rule, denied access.Denied) {
	s.recordDenial(r, rule, whyDenied(denied), denied)
	writeRefusal(w, http.StatusForbidden, rule, whyDenied(denied))
}

// recordDenial puts a denial on record BEFORE the answer: in the file of refusals, then in the log.
// A crash between the two leaves the line of the file alone. One of too many at once is not in the
// log: a principal may not fill it. A log that takes no event now does not permit the request.
func (s *Server) recordDenial(r *http.Request, rule Rule, why string, denied access.Denied) {
	written := s.record(r, http.StatusForbidden, rule, why)
	if !written || s.Deny == nil {
		return
	}
	if err := s.Deny(context.WithoutCancel(r.Context()), denied); err != nil {
		s.Log.Error("record a denial in the log", "error", err)
	}
}

func whyDenied(d access.Denied) string {
	if d.Policy != nil {
		return fmt.Sprintf("the policy %s forbids %s", *d.Policy, d.Action)
	}
	return fmt.Sprintf("no policy permits %s to you", d.Action)
}
