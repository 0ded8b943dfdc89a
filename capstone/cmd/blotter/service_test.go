package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/logdir"
)

// The exit code of an answer of the service is that of the same answer of a command: a refusal is
// 1, wrong usage is 2, and a part that is away, or access that is not permitted, is 3.
func TestCodeOfAnAnswerOfTheService(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		body   string
		code   int
		says   string
	}{
		{400, `{"detail":"source: want a text","hint":"wait"}`, misuse, "source: want a text"},
		{413, `{"detail":"a body has at most 1 bytes"}`, misuse, "a body has at most 1 bytes"},
		{422, `{"rule":"trade.unknown","detail":"no"}`, failed, "trade.unknown: no"},
		{422, `{"detail":"validation failed","errors":[{"message":"expected length <= 500",` +
			`"location":"body.reason"}]}`, misuse,
			"validation failed: body.reason: expected length <= 500"},
		{409, `{"rule":"canary.early","detail":"no","hint":"wait"}`, failed, "canary.early: no"},
		{409, `{"detail":"the stream moved"}`, unable, "the stream moved"},
		{401, `{"rule":"access.token","detail":"no"}`, unable, "no"},
		{403, `{"rule":"access.role","detail":"no"}`, unable, "no"},
		{421, `{"detail":"another process owns it"}`, unable, "another process owns it"},
		{429, `{"detail":"too many"}`, unable, "too many"},
		{503, `no JSON`, unable, "503 Service Unavailable"},
	} {
		page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tc.status)
			_, _ = w.Write([]byte(tc.body))
		})
		server := httptest.NewServer(page)
		s := &service{logdir.Service{URL: server.URL}}
		_, err := s.post(t.Context(), "/v1/canaries", "application/json", strings.NewReader("{}"))
		server.Close()
		require.Equal(t, tc.code, exitCode(err), "%d %s", tc.status, tc.body)
		require.ErrorContains(t, err, tc.says)
		require.Equal(t, strings.Contains(tc.body, "wait"), hintOf(err) == "wait", tc.body)
	}
}
