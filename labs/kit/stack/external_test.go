package stack_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// environment returns the variables that name the components of the tests' own stack.
func environment(t *testing.T) map[string]string {
	t.Helper()
	env, err := stack.Environment(t.Context(), stacktest.Shared(t))
	require.NoError(t, err)
	values := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		values[name] = value
	}
	return values
}

func external(env map[string]string) stack.Stack {
	return stack.External(func(name string) string { return env[name] })
}

func TestExternalFindsAStack(t *testing.T) {
	t.Parallel()
	env := environment(t)
	s := external(env)
	for _, h := range stack.Check(t.Context(), s) {
		require.NoError(t, h.Err, h.Component)
	}
	got, err := stack.Environment(t.Context(), s)
	require.NoError(t, err)
	want, err := stack.Environment(t.Context(), stacktest.Shared(t))
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, s.Close())
	require.NoError(t, components(t, s)["kafka"](), "Close leaves the broker running")
}

// TestExternalErrors changes one variable at a time, and requests every component. Only the
// component of that variable fails. No error contains a password.
func TestExternalErrors(t *testing.T) {
	t.Parallel()
	unused := unusedAddress(t)
	for _, tt := range []struct{ variable, value, component, message string }{
		{"BLOTTER_KAFKA_BROKERS", "", "kafka", "BLOTTER_KAFKA_BROKERS is not set"},
		{"BLOTTER_POSTGRES_DSN", "", "postgres", "BLOTTER_POSTGRES_DSN is not set"},
		{"BLOTTER_S3_ENDPOINT", "", "s3", "BLOTTER_S3_ENDPOINT is not set"},
		{"BLOTTER_S3_ACCESS_KEY", "", "s3", "BLOTTER_S3_ACCESS_KEY is not set"},
		{"BLOTTER_S3_SECRET_KEY", "", "s3", "BLOTTER_S3_SECRET_KEY is not set"},
		{"BLOTTER_REGISTRY_URL", "", "registry", "BLOTTER_REGISTRY_URL is not set"},

		{"BLOTTER_POSTGRES_DSN", "postgres://u:hush@[", "postgres",
			"BLOTTER_POSTGRES_DSN is not a connection string"},
		{"BLOTTER_S3_SECURE", "perhaps", "s3", `BLOTTER_S3_SECURE is "perhaps"`},
		{"BLOTTER_REGISTRY_URL", "registry:8081", "registry", "BLOTTER_REGISTRY_URL is not a URL"},

		{"BLOTTER_KAFKA_BROKERS", unused, "kafka", "at " + unused},
		{"BLOTTER_POSTGRES_DSN", "postgres://u:hush@" + unused + "/x", "postgres", "at " + unused},
		{"BLOTTER_S3_ENDPOINT", unused, "s3", "at " + unused},
		{"BLOTTER_REGISTRY_URL", "http://u:hush@" + unused, "registry", unused},

		{"BLOTTER_S3_SECRET_KEY", "hush-hush", "s3", "does not answer as it should"},
		{"BLOTTER_S3_SECURE", "", "s3", "does not answer as it should"}, // the other value
	} {
		t.Run(tt.component+"/"+tt.variable+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			env := environment(t)
			if tt.variable == "BLOTTER_S3_SECURE" && tt.value == "" {
				tt.value = strconv.FormatBool(env[tt.variable] == "false")
			}
			env[tt.variable] = tt.value
			began := time.Now()
			for name, request := range components(t, external(env)) {
				err := request()
				if name != tt.component {
					require.NoError(t, err, name)
					continue
				}
				require.ErrorContains(t, err, tt.message)
				require.ErrorContains(t, err, tt.component)
				require.NotContains(t, err.Error(), "hush")
				hint := hintOf(t, err)
				require.Contains(t, hint, "BLOTTER_"+strings.ToUpper(tt.component))
				require.NotContains(t, hint, "hush")
			}
			require.Less(t, time.Since(began), 30*time.Second)
		})
	}
}

// unusedAddress returns an address without a listener.
func unusedAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}
