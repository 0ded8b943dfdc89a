package serve

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// A Role allows a kind of request.
type Role string

// The roles of principals. A role does not include another one.
const (
	Reader   Role = "reader"   // asks
	Trader   Role = "trader"   // sends commands as itself
	Approver Role = "approver" // approves pending commands of others
	Importer Role = "importer" // sends lines of files, which name other actors
)

// Roles lists all roles.
func Roles() []Role { return []Role{Reader, Trader, Approver, Importer} }

// A Principal is a person or a program that signed in.
type Principal struct {
	Name  string // as the events have it: see trade.Principals
	Roles []Role
}

// Has reports whether p has a role. Nobody has none.
func (p *Principal) Has(role Role) bool { return p != nil && slices.Contains(p.Roles, role) }

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

// roleOf is the key of an operation's role in its metadata.
const roleOf = "role"

// needs returns the metadata of an operation for a role.
func needs(role Role) map[string]any { return map[string]any{roleOf: role} }

// checkRole refuses an operation to a principal without its role.
func (s *Server) checkRole(ctx huma.Context, next func(huma.Context)) {
	role, limited := ctx.Operation().Metadata[roleOf].(Role)
	if limited && !PrincipalOf(ctx.Context()).Has(role) {
		r, w := humago.Unwrap(ctx)
		s.refuse(w, r, http.StatusForbidden, RoleTooLow, "the role "+string(role)+" is needed")
		return
	}
	next(ctx)
}
