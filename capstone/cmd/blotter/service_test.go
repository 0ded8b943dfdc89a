package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
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

// An import names the lines that another process has to record, and is not done.
func TestImportWithLinesOfAnotherOwner(t *testing.T) {
	t.Parallel()
	said := `partition 3 is owned by "b:7000": send it to the service of that process`
	m := remark{"book.jsonl", serve.LineResult{Line: 2, Result: "elsewhere",
		Rule: "command.elsewhere", Detail: said}}
	require.Equal(t, "book.jsonl: line 2: command.elsewhere: "+said, m.String())
	n := capstone.Imported{Lines: 2, Accepted: 1}.And(capstone.Imported{Lines: 1, Elsewhere: 1})
	var text strings.Builder
	printImported(&text, n)
	require.Contains(t, text.String(), "1 line not complete: another process owns a partition")
	err := checkOwners(n, 0)
	require.Equal(t, unable, exitCode(err))
	require.ErrorContains(t, err, "1 of 3 lines are not complete")
	n.Bad = 1
	require.EqualError(t, checkOwners(n, 2), "1 of 3 lines are not complete: another process owns "+
		"a partition; 1 bad, 0 refused; 2 files after them not sent")
	require.NoError(t, checkOwners(capstone.Imported{Lines: 1, Accepted: 1}, 0))
}

// Lines of a later file must not overtake those that are elsewhere.
func TestImportStopsAfterAFileThatIsElsewhere(t *testing.T) {
	t.Parallel()
	var sent []string
	run := func(_ context.Context, source string, _ io.Reader, _ func(serve.LineResult)) (
		capstone.Imported, []serve.Orphan, error,
	) {
		sent = append(sent, source)
		return capstone.Imported{Lines: 1, Elsewhere: len(sent) - 1}, nil, nil
	}
	in := &inputs{files: []*input{{name: "1"}, {name: "2"}, {name: "3"}}}
	n, _, _, err := new(importCmd).importAll(t.Context(),
		&app{progress: new(progress)}, run, in)
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2"}, sent)
	require.Equal(t, []int{2, 1, 2}, []int{n.Lines, n.Elsewhere, in.sent})
}
