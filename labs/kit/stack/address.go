package stack

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/twmb/franz-go/pkg/sr"
)

// Kafka is the address of brokers, with the secret to sign in. Its JSON contains the secret, too.
type Kafka struct {
	Brokers   []string // seeds, each host:port
	Mechanism string   `json:",omitempty"` // of SASL, a key of mechanisms; empty for no SASL
	User      string   `json:",omitempty"`
	Password  string   `json:",omitempty"`
	TLS       *TLS     `json:",omitempty"` // nil for plain text
}

// mechanisms are the SASL mechanisms that a client can use: RFC 4616, RFC 5802, RFC 7677.
var mechanisms = map[string]func(user, password string) sasl.Mechanism{
	"PLAIN": func(user, password string) sasl.Mechanism {
		return plain.Auth{User: user, Pass: password}.AsMechanism()
	},
	"SCRAM-SHA-256": func(user, password string) sasl.Mechanism {
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	},
	"SCRAM-SHA-512": func(user, password string) sasl.Mechanism {
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	},
}

// Options returns the options with which a client finds the brokers and signs in.
func (k Kafka) Options() ([]kgo.Opt, error) {
	options := []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}
	if k.Mechanism != "" {
		mechanism, ok := mechanisms[k.Mechanism]
		if !ok {
			return nil, fmt.Errorf("SASL mechanism %q is unknown", k.Mechanism)
		}
		options = append(options, kgo.SASL(mechanism(k.User, k.Password)))
	}
	if k.TLS != nil {
		config, err := k.TLS.config()
		if err != nil {
			return nil, err
		}
		dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: config}
		options = append(options, kgo.Dialer(dialer.DialContext))
	}
	return options, nil
}

// TLS says how a client proves a server's identity, and perhaps its own. All texts are PEM.
type TLS struct {
	CA          string `json:",omitempty"` // certificates that sign servers; empty: the system's
	Certificate string `json:",omitempty"` // of the client, for mutual TLS
	Key         string `json:",omitempty"` // of that certificate
}

func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, errors.New("the CA has no certificate in PEM")
		}
	}
	if t.Certificate != "" || t.Key != "" {
		pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key))
		if err != nil {
			return nil, fmt.Errorf("the client's certificate and key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Postgres is the address of a database, for two roles. Connection strings contain secrets.
type Postgres struct {
	// DSN signs in as the application. Its role owns nothing, and can become no other role.
	DSN string
	// MigrationDSN signs in as a role that may create roles and schemas. It is empty if somebody
	// else creates and migrates the schemas.
	MigrationDSN string `json:",omitempty"`
}

// Address returns host:port.
func (p Postgres) Address() string { return PostgresAddress(p.DSN) }

// S3 is the address of an object store, with the keys to sign in.
type S3 struct {
	Endpoint     string // host:port
	Region       string
	AccessKey    string // empty: the keys are those that AWS's own tools would use, see Options
	SecretKey    string
	SessionToken string `json:",omitempty"` // of temporary keys
	Secure       bool   // HTTPS
	CA           string `json:",omitempty"` // PEM; empty: the system's
}

// Options returns the options with which a client signs in. Without an access key, the keys are
// those in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else those of the
// profile AWS_PROFILE in AWS's credentials file. Keys that expire are read again.
func (s S3) Options() (*minio.Options, error) {
	keys := credentials.NewStaticV4(s.AccessKey, s.SecretKey, s.SessionToken)
	if s.AccessKey == "" {
		keys = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{},
		})
	}
	transport, err := minio.DefaultTransport(s.Secure)
	if err != nil {
		return nil, err
	}
	if s.CA != "" {
		if transport.TLSClientConfig, err = (TLS{CA: s.CA}).config(); err != nil {
			return nil, err
		}
	}
	return &minio.Options{
		Creds: keys, Region: s.Region, Secure: s.Secure, Transport: closeAfterEmpty{transport},
	}, nil
}

// closeAfterEmpty closes a connection after a PUT of an empty object. Its signed body is not empty:
// it is a last chunk without data (AWS Signature Version 4, "chunked upload"). The embedded gateway
// does not read it, takes it for another request, and answers that before the next one on the
// connection.
type closeAfterEmpty struct{ *http.Transport }

func (t closeAfterEmpty) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && r.Header.Get("X-Amz-Decoded-Content-Length") == "0" {
		r = r.Clone(r.Context())
		r.Close = true
	}
	return t.Transport.RoundTrip(r)
}

// Client returns a client with the Options. It sends no request yet.
func (s S3) Client() (*minio.Client, error) {
	options, err := s.Options()
	if err != nil {
		return nil, err
	}
	return minio.New(s.Endpoint, options)
}

// Registry is the address of a schema registry, with the secret to sign in.
type Registry struct {
	URL      string // the base
	User     string `json:",omitempty"` // for basic authentication (RFC 7617)
	Password string `json:",omitempty"`
	Token    string `json:",omitempty"` // for bearer authentication (RFC 6750), instead of a user
	CA       string `json:",omitempty"` // PEM; empty: the system's
}

// Options returns the options with which a client finds the registry and signs in.
func (r Registry) Options() ([]sr.ClientOpt, error) {
	options := []sr.ClientOpt{sr.URLs(r.URL)}
	switch {
	case r.Token != "":
		options = append(options, sr.BearerToken(r.Token))
	case r.User != "":
		options = append(options, sr.BasicAuth(r.User, r.Password))
	}
	if r.CA != "" {
		config, err := TLS{CA: r.CA}.config()
		if err != nil {
			return nil, err
		}
		options = append(options, sr.DialTLSConfig(config))
	}
	return options, nil
}
