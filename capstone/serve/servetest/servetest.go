// Package servetest gives tests the identities that others than a service give: tokens of an OpenID
// provider, and certificates.
package servetest

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
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"
)

// An Issuer is an OpenID provider on loopback.
type Issuer struct {
	*httptest.Server
	Key  *rsa.PrivateKey
	Away atomic.Bool // it gives no keys
}

// NewIssuer starts a provider. The test closes it.
func NewIssuer() *Issuer {
	i := &Issuer{Key: must(rsa.GenerateKey(rand.Reader, 2048))}
	mux := http.NewServeMux()
	i.Server = httptest.NewServer(mux)
	mux.HandleFunc("/.well-known/openid-configuration",
		func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL,
				"jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{
					"RS256", "none", "HS256"}})
		})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		if i.Away.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "e": "AQAB",
			"n": base64.RawURLEncoding.EncodeToString(i.Key.N.Bytes())}}})
	})
	return i
}

// Token returns a token for alice with an algorithm, changed claims and a signature of key. A nil
// key signs nothing.
func (i *Issuer) Token(alg string, key *rsa.PrivateKey, change map[string]any) string {
	claims := map[string]any{"iss": i.URL, "sub": "alice", "aud": "blotter",
		"exp": time.Now().Add(time.Hour).Unix(), "roles": []string{"reader", "trader", "other"}}
	maps.Copy(claims, change)
	part := func(v any) string {
		return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v)))
	}
	signed := part(map[string]string{"alg": alg, "kid": "1", "typ": "JWT"}) + "." + part(claims)
	if key == nil {
		return signed + "."
	}
	digest := sha256.Sum256([]byte(signed))
	signature := must(rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]))
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Certificate returns a certificate for a reader or a server on loopback, signed by an authority. A
// nil authority makes the certificate one itself.
func Certificate(name string, by *tls.Certificate) tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:   pkix.Name{CommonName: name, OrganizationalUnit: []string{"reader", "trader"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IsCA:        by == nil, BasicConstraintsValid: true}
	if by == nil {
		by = &tls.Certificate{Leaf: template, PrivateKey: key}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, by.Leaf, &key.PublicKey,
		by.PrivateKey))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key,
		Leaf: must(x509.ParseCertificate(der))}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // this machine has no randomness
	}
	return v
}
