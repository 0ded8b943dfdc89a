package stack_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"example.com/blotter/labs/kit/stack"
)

// serverOverTLS serves next. Its certificate is its own CA, which is returned as a file of PEM.
func serverOverTLS(t *testing.T, next http.HandlerFunc) (s *httptest.Server, ca string) {
	t.Helper()
	s = httptest.NewTLSServer(next)
	t.Cleanup(s.Close)
	return s, pemFile(t, "CERTIFICATE", s.Certificate().Raw)
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pem")
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func fileWith(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// An external broker is reached over TLS, by each mechanism, with the password in a file. Each
// change of one variable is refused.
func TestExternalKafkaSignIn(t *testing.T) {
	t.Parallel()
	server, ca := serverOverTLS(t, http.NotFound)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(),
			kfake.Superuser(mechanism, "desk", "hush"),
			kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates}))
		require.NoError(t, err)
		t.Cleanup(cluster.Close)
		set := func(name, value string) stack.Stack {
			env := map[string]string{
				"BLOTTER_KAFKA_BROKERS": cluster.ListenAddrs()[0],
				"BLOTTER_KAFKA_SASL":    strings.ToLower(mechanism), "BLOTTER_KAFKA_USER": "desk",
				"BLOTTER_KAFKA_PASSWORD_FILE": fileWith(t, "hush\n"), "BLOTTER_KAFKA_CA_FILE": ca,
			}
			env[name] = value
			return external(env)
		}
		for name, value := range map[string]string{
			"BLOTTER_KAFKA_PASSWORD_FILE": fileWith(t, "guess"), "BLOTTER_KAFKA_USER": "stranger",
			"BLOTTER_KAFKA_TLS": "true", "BLOTTER_KAFKA_CA_FILE": "", "BLOTTER_KAFKA_SASL": "",
		} {
			_, err := set(name, value).Kafka(t.Context())
			if name == "BLOTTER_KAFKA_TLS" { // changes nothing: the CA means TLS
				require.NoError(t, err, mechanism)
				continue
			}
			require.Error(t, err, "%s with another %s", mechanism, name)
			require.NotContains(t, err.Error()+hintOf(t, err), "hush")
		}
	}
}

// An external broker may ask for the client's certificate (mutual TLS).
func TestExternalKafkaMutualTLS(t *testing.T) {
	t.Parallel()
	server, ca := serverOverTLS(t, http.NotFound)
	pair := server.TLS.Certificates[0]
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{
		Certificates: server.TLS.Certificates, ClientAuth: tls.RequireAnyClientCert,
	}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	env := map[string]string{
		"BLOTTER_KAFKA_BROKERS": cluster.ListenAddrs()[0], "BLOTTER_KAFKA_CA_FILE": ca,
	}
	_, err = external(env).Kafka(t.Context())
	require.Error(t, err, "without a certificate")
	env["BLOTTER_KAFKA_CERTIFICATE_FILE"] = pemFile(t, "CERTIFICATE", pair.Certificate[0])
	_, err = external(env).Kafka(t.Context())
	require.ErrorContains(t, err, "certificate and key", "without its key")
	env["BLOTTER_KAFKA_KEY_FILE"] = pemFile(t, "PRIVATE KEY", key)
	_, err = external(env).Kafka(t.Context())
	require.NoError(t, err)
}

// An external registry is reached over TLS, with basic or bearer authentication.
func TestExternalRegistrySignIn(t *testing.T) {
	t.Parallel()
	server, ca := serverOverTLS(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		bearer := r.Header.Get("Authorization") == "Bearer hush-token"
		if !bearer && (user != "desk" || password != "hush") {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprintln(w, `[]`)
	})
	host := strings.TrimPrefix(server.URL, "https://")
	for _, tt := range []struct {
		env     map[string]string
		message string // of the error; empty for none
	}{
		{map[string]string{"_USER": "desk", "_PASSWORD": "hush"}, ""},
		{map[string]string{"_USER": "desk", "_PASSWORD_FILE": fileWith(t, "hush\n")}, ""},
		{map[string]string{"_URL": "https://desk:hush@" + host}, ""},
		{map[string]string{"_TOKEN_FILE": fileWith(t, "hush-token\n")}, ""},
		{map[string]string{"_TOKEN": "hush-token", "_CA_FILE": ""}, "certificate"},
		{map[string]string{"_TOKEN": "hush-token", "_CA_FILE": "", "_CA": "x"}, "no certificate"},
		{map[string]string{"_TOKEN": "guess"}, "does not answer"},
		{map[string]string{"_USER": "desk", "_PASSWORD": "guess"}, "does not answer"},
		{map[string]string{"_USER": "desk", "_TOKEN": "hush"}, "a user and a BLOTTER_REGISTRY"},
		{map[string]string{"_PASSWORD": "hush", "_PASSWORD_FILE": "x"}, "are both set"},
		{map[string]string{"_PASSWORD_FILE": "/nowhere/x"}, "BLOTTER_REGISTRY_PASSWORD_FILE: open"},
	} {
		env := map[string]string{
			"BLOTTER_REGISTRY_URL": server.URL, "BLOTTER_REGISTRY_CA_FILE": ca,
		}
		for name, value := range tt.env {
			env["BLOTTER_REGISTRY"+name] = value
		}
		_, err := external(env).Registry(t.Context())
		if tt.message == "" {
			require.NoError(t, err, "%v", tt.env)
			continue
		}
		require.ErrorContains(t, err, tt.message, "%v", tt.env)
		require.NotContains(t, err.Error()+hintOf(t, err), "hush")
	}
}

// The keys of an external object store come from our variables, from AWS's variables, or from a
// profile in AWS's file, in this order. A session token goes with each of them.
func TestExternalS3Keys(t *testing.T) {
	var signedBy, token string
	server, ca := serverOverTLS(t, func(w http.ResponseWriter, r *http.Request) {
		_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		signedBy, _, _ = strings.Cut(credential, "/")
		token = r.Header.Get("X-Amz-Security-Token")
		fmt.Fprintln(w, `<ListAllMyBucketsResult></ListAllMyBucketsResult>`)
	})
	for name := range map[string]bool{"AWS_ACCESS_KEY_ID": true, "AWS_SECRET_ACCESS_KEY": true,
		"AWS_SESSION_TOKEN": true, "AWS_ACCESS_KEY": true, "AWS_SECRET_KEY": true,
		"AWS_PROFILE": true, "AWS_CONFIG_FILE": true, "AWS_SHARED_CREDENTIALS_FILE": true} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	env := map[string]string{
		"BLOTTER_S3_ENDPOINT": server.Listener.Addr().String(), "BLOTTER_S3_CA_FILE": ca,
	}
	ask := func() error { _, err := external(env).S3(t.Context()); return err }

	require.ErrorContains(t, ask(), "no keys")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", fileWith(t, "[desk]\naws_access_key_id = profile\n"+
		"aws_secret_access_key = hush\naws_session_token = one\n"))
	t.Setenv("AWS_PROFILE", "desk")
	require.NoError(t, ask())
	require.Equal(t, "profile one", signedBy+" "+token)

	t.Setenv("AWS_ACCESS_KEY_ID", "variable")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	t.Setenv("AWS_SESSION_TOKEN", "two")
	require.NoError(t, ask())
	require.Equal(t, "variable two", signedBy+" "+token)

	env["BLOTTER_S3_ACCESS_KEY"], env["BLOTTER_S3_SECRET_KEY"] = "ours", "hush"
	env["BLOTTER_S3_SESSION_TOKEN"] = "three"
	require.NoError(t, ask())
	require.Equal(t, "ours three", signedBy+" "+token)
	env["BLOTTER_S3_CA_FILE"] = ""
	require.ErrorContains(t, ask(), "certificate")
}

// A service of the user's own Postgres that cannot be read is named, and not taken for a fault of
// our variable.
func TestExternalPostgresService(t *testing.T) {
	env := map[string]string{"BLOTTER_POSTGRES_DSN": "postgres://me:hush@127.0.0.1:1/mine"}
	t.Setenv("PGSERVICE", "desk")
	t.Setenv("PGSERVICEFILE", fileWith(t, "[other]\nhost=127.0.0.1\n"))
	_, err := external(env).Postgres(t.Context())
	require.ErrorContains(t, err, `the Postgres service "desk" of PGSERVICE cannot be read`)
	require.Contains(t, hintOf(t, err), "PGSERVICEFILE")
}

// An unknown CA is an error at once, which names the certificate.
func TestUnknownCAIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	server, _ := serverOverTLS(t, http.NotFound)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1),
		kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	began := time.Now()
	_, err = external(map[string]string{
		"BLOTTER_KAFKA_BROKERS": cluster.ListenAddrs()[0], "BLOTTER_KAFKA_TLS": "true",
	}).Kafka(t.Context())
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	require.Less(t, time.Since(began), 20*time.Second)
}
