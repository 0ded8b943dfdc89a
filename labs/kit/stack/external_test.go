package stack_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
)

// elsewhere is the environment that names the components of the tests' own stack.
func elsewhere(t *testing.T) map[string]string {
	t.Helper()
	s := stacktest.Shared(t)
	dsn, err := s.Postgres(t.Context())
	require.NoError(t, err)
	s3 := stacktest.S3(t)
	return map[string]string{
		"BLOTTER_KAFKA_BROKERS": strings.Join(stacktest.Kafka(t), ","),
		"BLOTTER_POSTGRES_DSN":  dsn,
		"BLOTTER_S3_ENDPOINT":   s3.Endpoint,
		"BLOTTER_S3_REGION":     s3.Region,
		"BLOTTER_S3_ACCESS_KEY": s3.AccessKey,
		"BLOTTER_S3_SECRET_KEY": s3.SecretKey,
		"BLOTTER_S3_SECURE":     "false",
		"BLOTTER_REGISTRY_URL":  stacktest.Registry(t),
	}
}

// components asks for each, by name.
func components(t *testing.T, s stack.Stack) map[string]func() error {
	return map[string]func() error{
		"kafka":    func() error { _, err := s.Kafka(t.Context()); return err },
		"postgres": func() error { _, err := s.Postgres(t.Context()); return err },
		"s3":       func() error { _, err := s.S3(t.Context()); return err },
		"registry": func() error { _, err := s.Registry(t.Context()); return err },
	}
}

func TestAnExternalStackIsWhatTheEnvironmentNames(t *testing.T) {
	t.Parallel()
	env := elsewhere(t)
	s := stack.External(func(name string) string { return env[name] })
	for name, ask := range components(t, s) {
		require.NoError(t, ask(), name)
	}
	seeds, err := s.Kafka(t.Context())
	require.NoError(t, err)
	require.Equal(t, stacktest.Kafka(t), seeds)
	at, err := s.S3(t.Context())
	require.NoError(t, err)
	require.Equal(t, stacktest.S3(t), at)
	require.NoError(t, s.Close())
	require.NoError(t, components(t, s)["kafka"](), "to close it leaves it as it is")
}

// TestAnExternalStackSaysWhatIsWrong changes one variable at a time, and asks for the component it
// belongs to. The others are not looked at.
func TestAnExternalStackSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	nobody := freeAddress(t)
	for _, tt := range []struct{ variable, value, component, says string }{
		{"BLOTTER_KAFKA_BROKERS", "", "kafka", "BLOTTER_KAFKA_BROKERS is not set"},
		{"BLOTTER_POSTGRES_DSN", "", "postgres", "BLOTTER_POSTGRES_DSN is not set"},
		{"BLOTTER_S3_ENDPOINT", "", "s3", "BLOTTER_S3_ENDPOINT is not set"},
		{"BLOTTER_S3_ACCESS_KEY", "", "s3", "BLOTTER_S3_ACCESS_KEY is not set"},
		{"BLOTTER_S3_SECRET_KEY", "", "s3", "BLOTTER_S3_SECRET_KEY is not set"},
		{"BLOTTER_REGISTRY_URL", "", "registry", "BLOTTER_REGISTRY_URL is not set"},

		{"BLOTTER_POSTGRES_DSN", "postgres://u:hush@[", "postgres", "BLOTTER_POSTGRES_DSN is not a connection string"},
		{"BLOTTER_S3_SECURE", "perhaps", "s3", `BLOTTER_S3_SECURE is "perhaps"`},
		{"BLOTTER_REGISTRY_URL", "registry:8081", "registry", "BLOTTER_REGISTRY_URL is not a URL"},

		{"BLOTTER_KAFKA_BROKERS", nobody, "kafka", "at " + nobody},
		{"BLOTTER_POSTGRES_DSN", "postgres://u:hush@" + nobody + "/x", "postgres", "at " + nobody},
		{"BLOTTER_S3_ENDPOINT", nobody, "s3", "at " + nobody},
		{"BLOTTER_REGISTRY_URL", "http://u:hush@" + nobody, "registry", nobody},

		{"BLOTTER_S3_SECRET_KEY", "hush-hush", "s3", "does not answer as it should"},
		{"BLOTTER_S3_SECURE", "true", "s3", "does not answer as it should"},
	} {
		t.Run(tt.component+"/"+tt.variable+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			env := elsewhere(t)
			env[tt.variable] = tt.value
			s := stack.External(func(name string) string { return env[name] })
			began := time.Now()
			for name, ask := range components(t, s) {
				err := ask()
				if name != tt.component {
					require.NoError(t, err, name)
					continue
				}
				require.ErrorContains(t, err, tt.says)
				require.ErrorContains(t, err, tt.component)
				require.NotContains(t, err.Error(), "hush")
				var h interface{ Hint() string }
				require.ErrorAs(t, err, &h)
				require.Contains(t, h.Hint(), "BLOTTER_"+strings.ToUpper(tt.component))
				require.NotContains(t, h.Hint(), "hush")
			}
			require.Less(t, time.Since(began), 30*time.Second)
		})
	}
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}
