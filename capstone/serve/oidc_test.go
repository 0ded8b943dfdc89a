package serve_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/serve/servetest"
)

func newIssuer(t *testing.T) *servetest.Issuer {
	i := servetest.NewIssuer()
	t.Cleanup(i.Close)
	return i
}

// A token of the issuer for this audience signs in. Every other one is refused and on record.
func TestTokensOfAnIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for _, c := range []struct {
		name, token string
		rule        serve.Rule
	}{
		{"good", i.Token("RS256", i.Key, nil), ""},
		{"expired", i.Token("RS256", i.Key, map[string]any{"exp": 1700000000}), serve.Expired},
		{"audience", i.Token("RS256", i.Key, map[string]any{"aud": "x"}), serve.OtherAudience},
		{"no audience", i.Token("RS256", i.Key, map[string]any{"aud": nil}),
			serve.OtherAudience},
		{"none", i.Token("none", nil, nil), serve.BadAlgorithm},
		{"None", i.Token("None", nil, nil), serve.BadAlgorithm},
		{"secret", i.Token("HS256", i.Key, nil), serve.BadAlgorithm},
		{"other key", i.Token("RS256", other, nil), serve.BadCredential},
		{"no signature", i.Token("RS256", nil, nil), serve.BadCredential},
		{"other issuer", i.Token("RS256", i.Key, map[string]any{"iss": "https://evil.example"}),
			serve.BadCredential},
		{"name with a break", i.Token("RS256", i.Key, map[string]any{"sub": "a\nb"}),
			serve.BadCredential},
		{"no name", i.Token("RS256", i.Key, map[string]any{"sub": ""}), serve.BadCredential},
		{"no roles", i.Token("RS256", i.Key, map[string]any{"roles": "x"}), serve.RoleTooLow},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, func(config *serve.Config) {
				o, err := serve.NewOIDC(t.Context(), i.URL, "blotter")
				require.NoError(t, err)
				config.SignIn = []serve.Authenticator{o, serve.UnknownTokens{}}
			})
			w := s.do("", "POST", "/v1/commands", mark("m-1", "70"),
				"Authorization", "Bearer "+c.token)
			if c.rule == "" {
				require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
				require.Contains(t, w.Body.String(), `"actor":"oidc/alice"`)
				return
			}
			require.Contains(t, []int{401, 403}, w.Code)
			require.Equal(t, []string{string(c.rule)}, s.rules())
		})
	}
}

// A token is not bad because its issuer does not give its keys. Nothing is refused, and the same
// token signs in when the issuer is back.
func TestIssuerThatIsAway(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	s := newService(t, func(config *serve.Config) {
		o, err := serve.NewOIDC(t.Context(), i.URL, "blotter")
		require.NoError(t, err)
		config.SignIn = []serve.Authenticator{o, serve.UnknownTokens{}}
	})
	send := func() int {
		return s.do("", "POST", "/v1/commands", mark("m-1", "70"),
			"Authorization", "Bearer "+i.Token("RS256", i.Key, nil)).Code
	}
	i.Away.Store(true)
	require.Equal(t, http.StatusServiceUnavailable, send())
	require.Empty(t, s.rules())
	i.Away.Store(false)
	// A request that comes at once may still get the answer of the failed fetch.
	require.Eventually(t, func() bool { return send() == http.StatusCreated },
		time.Minute, time.Millisecond)
	require.Empty(t, s.rules())
}

// A client certificate of the given authority signs in by its common name; its organizational
// units are the roles. A connection without one is no principal.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *serve.Config) {
		c.SignIn = []serve.Authenticator{serve.Certificates{}}
	})
	authority := servetest.Certificate("authority", nil)
	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	server := httptest.NewUnstartedServer(s.Handler())
	server.TLS = &tls.Config{ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
	server.StartTLS()
	defer server.Close()
	get := func(certs ...tls.Certificate) (int, error) {
		transport := server.Client().Transport.(*http.Transport).Clone()
		if len(certs) > 0 { // send it even to a server that does not ask for this authority
			transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (
				*tls.Certificate, error) {
				return &certs[0], nil
			}
		}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Get(server.URL + "/v1/events")
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	code, err := get(servetest.Certificate("bob", &authority))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	code, err = get()
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, code)
	_, err = get(servetest.Certificate("bob", nil))
	require.Error(t, err, "a certificate of another authority")
	require.Equal(t, []string{string(serve.NoCredential)}, s.rules())
}
