package serve

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Prefixes of the names that others than the local file give. No local principal has them, so
// nobody can sign in as a principal of another source.
const (
	oidcNames   = "oidc/"  // and the subject of a token
	certNames   = "cert/"  // and the common name of a certificate
	tokenNames  = "local/" // and the user of the process
	rolesClaim  = "roles"  // of a token: a list of roles
	longestText = 16 << 10 // bytes of a token
)

// algorithms are those of signatures with a public key. A token that is signed with a secret, or
// not at all (alg=none), is refused (RFC 8725, sections 3.1 and 3.2).
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512,
	oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// OIDC accepts the bearer tokens (JWT) of one issuer for one audience (OpenID Connect Core 1.0,
// section 3.1.3.7). The claim roles has the roles. The name is oidc/ and the subject.
type OIDC struct {
	verifier *oidc.IDTokenVerifier
	audience string
}

// issuerPatience is how long an issuer may take to answer.
const issuerPatience = 10 * time.Second

// noKeys begins the errors of the verifier that say nothing of the token: the issuer did not give
// its keys. The verifier has no type for them.
const noKeys = "failed to verify signature: fetching keys "

// NewOIDC asks the issuer for its keys.
func NewOIDC(ctx context.Context, issuer, audience string) (*OIDC, error) {
	ctx = oidc.ClientContext(ctx, &http.Client{Timeout: issuerPatience})
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	// The audience is compared below, where the error has a type.
	return &OIDC{provider.Verifier(&oidc.Config{SkipClientIDCheck: true,
		SupportedSigningAlgs: algorithms}), audience}, nil
}

// SignIn implements Authenticator.
func (o *OIDC) SignIn(r *http.Request) (*Principal, error) {
	text, ok := bearer(r)
	if !ok || strings.Count(text, ".") != 2 || len(text) > longestText {
		return nil, nil
	}
	if alg := algorithmOf(text); !slices.Contains(algorithms, alg) {
		return nil, &SignInError{BadAlgorithm, "alg=" + alg}
	}
	token, err := o.verifier.Verify(r.Context(), text)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return nil, &SignInError{Expired, err.Error()}
	case err != nil && strings.HasPrefix(err.Error(), noKeys):
		return nil, err
	case err != nil:
		return nil, &SignInError{BadCredential, err.Error()}
	case !slices.Contains(token.Audience, o.audience):
		return nil, &SignInError{OtherAudience, strings.Join(token.Audience, " ")}
	}
	var claims map[string]json.RawMessage
	var names []string
	if err := token.Claims(&claims); err != nil {
		return nil, &SignInError{BadCredential, err.Error()}
	}
	_ = json.Unmarshal(claims[rolesClaim], &names) // a token without roles has none
	return principal(oidcNames, token.Subject, names)
}

// algorithmOf returns the algorithm that the header of a token claims.
func algorithmOf(token string) string {
	first, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(first)
	var header struct{ Alg string }
	_ = json.Unmarshal(text, &header) // no header: no algorithm
	return header.Alg
}

// principal returns a principal with those of the names that are roles. Others belong to other
// services. Credentials without a name would share one principal, and are refused.
func principal(prefix, name string, names []string) (*Principal, error) {
	if name == "" {
		return nil, &SignInError{BadCredential, "the credential has no name"}
	}
	p := &Principal{Name: prefix + name}
	for _, n := range names {
		if slices.Contains(Roles(), Role(n)) {
			p.Roles = append(p.Roles, Role(n))
		}
	}
	if err := CheckPrincipal(p.Name, p.Roles); err != nil {
		return nil, &SignInError{BadCredential, err.Error()}
	}
	return p, nil
}

// Certificates accepts the client certificates that the TLS configuration of the server verified.
// The name is cert/ and the common name, and the organizational units are the roles.
type Certificates struct{}

// SignIn implements Authenticator. A header is more explicit than a certificate and goes first.
func (Certificates) SignIn(r *http.Request) (*Principal, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || r.Header.Get("Authorization") != "" {
		return nil, nil
	}
	subject := r.TLS.VerifiedChains[0][0].Subject
	return principal(certNames, subject.CommonName, subject.OrganizationalUnit)
}
