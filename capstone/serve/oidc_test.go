package serve_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/serve"
)

// An issuer is an OpenID provider on loopback.
type issuer struct {
	*httptest.Server
	key  *rsa.PrivateKey
	away atomic.Bool // it gives no keys
}

func newIssuer(t *testing.T) *issuer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i := &issuer{key: key}
	mux := http.NewServeMux()
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	mux.HandleFunc("/.well-known/openid-configuration",
		func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL,
				"jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{
					"RS256", "none", "HS256"}})
		})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		if i.away.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "e": "AQAB",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes())}}})
	})
	return i
}

// token returns a token with an algorithm, changed claims and a signature of key.
func (i *issuer) token(
	t *testing.T, alg string, key *rsa.PrivateKey, change map[string]any,
) string {
	claims := map[string]any{"iss": i.URL, "sub": "alice", "aud": "blotter",
		"exp": time.Now().Add(time.Hour).Unix(), "roles": []string{"reader", "trader", "other"}}
	for name, value := range change {
		claims[name] = value
	}
	part := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(map[string]string{"alg": alg, "kid": "1", "typ": "JWT"}) + "." + part(claims)
	if key == nil {
		return signed + "."
	}
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	require.NoError(t, err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
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
		{"good", i.token(t, "RS256", i.key, nil), ""},
		{"expired", i.token(t, "RS256", i.key, map[string]any{"exp": 1700000000}), serve.Expired},
		{"audience", i.token(t, "RS256", i.key, map[string]any{"aud": "x"}), serve.OtherAudience},
		{"no audience", i.token(t, "RS256", i.key, map[string]any{"aud": nil}),
			serve.OtherAudience},
		{"none", i.token(t, "none", nil, nil), serve.BadAlgorithm},
		{"None", i.token(t, "None", nil, nil), serve.BadAlgorithm},
		{"secret", i.token(t, "HS256", i.key, nil), serve.BadAlgorithm},
		{"other key", i.token(t, "RS256", other, nil), serve.BadCredential},
		{"no signature", i.token(t, "RS256", nil, nil), serve.BadCredential},
		{"other issuer", i.token(t, "RS256", i.key, map[string]any{"iss": "https://evil.example"}),
			serve.BadCredential},
		{"name with a break", i.token(t, "RS256", i.key, map[string]any{"sub": "a\nb"}),
			serve.BadCredential},
		{"no name", i.token(t, "RS256", i.key, map[string]any{"sub": ""}), serve.BadCredential},
		{"no roles", i.token(t, "RS256", i.key, map[string]any{"roles": "x"}), serve.RoleTooLow},
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
			"Authorization", "Bearer "+i.token(t, "RS256", i.key, nil)).Code
	}
	i.away.Store(true)
	require.Equal(t, http.StatusServiceUnavailable, send())
	require.Empty(t, s.rules())
	i.away.Store(false)
	require.Equal(t, http.StatusCreated, send())
}

// A client certificate of the given authority signs in by its common name; its organizational
// units are the roles. A connection without one is no principal.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *serve.Config) {
		c.SignIn = []serve.Authenticator{serve.Certificates{}}
	})
	authority, authorityKey := certificate(t, "authority", nil, nil)
	client, clientKey := certificate(t, "bob", authority, authorityKey)
	stranger, strangerKey := certificate(t, "bob", nil, nil)
	pool := x509.NewCertPool()
	pool.AddCert(authority)
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
	code, err := get(tls.Certificate{Certificate: [][]byte{client.Raw}, PrivateKey: clientKey})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	code, err = get()
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, code)
	_, err = get(tls.Certificate{Certificate: [][]byte{stranger.Raw}, PrivateKey: strangerKey})
	require.Error(t, err, "a certificate of another authority")
	require.Equal(t, []string{string(serve.NoCredential)}, s.rules())
}

// certificate returns a certificate for a reader, signed by an authority or by itself.
func certificate(
	t *testing.T, name string, by *x509.Certificate, byKey *ecdsa.PrivateKey,
) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:   pkix.Name{CommonName: name, OrganizationalUnit: []string{"reader"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		IsCA:        by == nil, BasicConstraintsValid: true}
	if by == nil {
		by, byKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, byKey)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err, fmt.Sprint(name))
	return c, key
}
