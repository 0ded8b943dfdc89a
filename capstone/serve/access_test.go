package serve_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
)

// newDepartments returns a service with a principal for each role alone, which records denials in
// its log.
func newDepartments(t *testing.T) *service {
	file := filepath.Join(t.TempDir(), "principals")
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	all := map[string]serve.Local{}
	for _, role := range serve.Roles() {
		all[string(role)+"/9"] = serve.Local{Hash: string(hash), Roles: []serve.Role{role}}
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	passwords, err := serve.OpenPasswords(file)
	require.NoError(t, err)
	return newService(t, func(c *serve.Config) {
		c.SignIn = []serve.Authenticator{passwords}
		c.Queries = []serve.Query{{Name: "audit-late", Ask: func(context.Context, url.Values) (
			a serve.Answer) {
			return serve.Answer{Status: http.StatusOK, JSON: []byte(`{"answer":[]}`)}
		}}}
		log, codec, n := c.System.Log, domain.Offline(), 0
		c.Deny = func(ctx context.Context, d access.Denied) error {
			n++
			at := time.Date(2030, 1, 1, 0, 0, n, 0, time.UTC)
			e, err := codec.Event(ctx, access.Stream(d.Principal), 0, domain.Entry{
				CommandID: "access-" + at.String(), Actor: d.Principal, Reason: "denied",
				Source: "test", EnteredAt: at}, d)
			if err == nil {
				_, err = log.Append(contract.At(ctx, at), e.Stream, contract.Any, e)
			}
			return err
		}
	})
}

// The service enforces every cell of the matrix, role by action, and each denial is an event on the
// stream of its principal.
func TestServiceEnforcesTheMatrix(t *testing.T) {
	t.Parallel()
	s := newDepartments(t)
	line := strings.Replace(mark("m-1", "70"), "{", `{"actor":"ops/7",`, 1)
	requests := map[access.Action][3]string{
		access.Read:        {"GET", "/v1/events", ""},
		access.Investigate: {"GET", "/v1/audit-late", ""},
		access.Watch:       {"GET", "/metrics", ""},
		access.Send:        {"POST", "/v1/commands", "{}"},
		access.Approve:     {"POST", "/v1/approvals", `{"command_id":"c-1"}`},
		access.Import:      {"POST", "/v1/batches", line},
	}
	matrix := map[serve.Role][]access.Action{
		"trader":        {access.Read, access.Watch, access.Send},
		"operations":    {access.Read, access.Watch, access.Send, access.Approve},
		"risk":          {access.Read, access.Watch},
		"compliance":    {access.Read, access.Investigate, access.Watch},
		"auditor":       {access.Read, access.Investigate, access.Watch},
		"administrator": {access.Watch},
		"reader":        {access.Read, access.Investigate, access.Watch},
		"approver":      {access.Approve},
		"importer":      {access.Import},
	}
	require.Len(t, matrix, len(serve.Roles()))
	require.Len(t, requests, len(access.Actions()))
	for role, permitted := range matrix {
		denied := []string{}
		for _, action := range access.Actions() {
			code, text := s.ask(string(role)+"/9", requests[action])
			claimed := action == access.Import && strings.Contains(text, "access.actor-claimed")
			may := code != http.StatusForbidden && !claimed
			require.Equal(t, slices.Contains(permitted, action), may, "%s %s: %d %s", role,
				action, code, text)
			if code == http.StatusForbidden || claimed {
				denied = append(denied, string(action))
			}
		}
		onRecord := []string{}
		for r, err := range s.system.Log.Stream(t.Context(), access.Stream(string(role)+"/9")) {
			require.NoError(t, err)
			d, err := domain.Decode[access.Denied](r)
			require.NoError(t, err)
			require.Equal(t, string(role)+"/9", d.Principal)
			require.NotEmpty(t, d.Resource)
			onRecord = append(onRecord, d.Action)
		}
		for i := range denied { // who may neither send nor import is denied to send
			denied[i] = strings.Replace(denied[i], string(access.Import), string(access.Send), 1)
		}
		require.Equal(t, denied, onRecord, role)
	}
}

// ask sends a request, and returns the status and the text of the answer.
func (s *service) ask(as string, request [3]string) (int, string) {
	s.t.Helper()
	w := s.do(as, request[0], request[1], request[2], "Content-Type", "application/json")
	return w.Code, w.Body.String()
}
