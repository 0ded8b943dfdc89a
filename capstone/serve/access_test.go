package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/governance"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/vault"
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
		withLedgers(c)
		c.Records = inMemory(t, c.System.Log)
		c.Canary = func(context.Context, serve.CanaryStep) (any, error) { return nil, nil }
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
		access.Book:        {"POST", "/v1/ledger-commands", bookNothing},
		access.Approve:     {"POST", "/v1/approvals", `{"command_id":"c-1"}`},
		access.Import:      {"POST", "/v1/batches", line},
		access.Unmask:      {"POST", "/v1/parties/unmask", `{"subject":"client/1","reason":"r"}`},
		access.Erase:       {"POST", "/v1/parties/erase", `{"subject":"client/1","reason":"r"}`},
		access.LiftHold:    {"POST", "/v1/holds/lift", `{"subject":"case-17","reason":"r"}`},
		access.Dispose:     {"POST", "/v1/disposals", `{"reason":"r"}`},
		access.Release: {"POST", "/v1/canaries",
			`{"step":"start","type":"trade.settled","share":5,"reason":"r"}`},
	}
	matrix := map[serve.Role][]access.Action{
		"trader": {access.Read, access.Watch, access.Send},
		"operations": {access.Read, access.Watch, access.Send, access.Book, access.Approve,
			access.Release},
		"risk": {access.Read, access.Watch},
		"compliance": {access.Read, access.Investigate, access.Watch, access.Unmask,
			access.Erase, access.LiftHold, access.Dispose},
		"auditor":       {access.Read, access.Investigate, access.Watch},
		"administrator": {access.Watch, access.Dispose, access.Release},
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

// inMemory returns the acts on the parties of a log in memory. client/1 is on record, and client/2
// is erased. No hold is placed.
func inMemory(t *testing.T, log contract.Store) *serve.Records {
	master, err := vault.ParseMasterKey(vault.NewMasterKey())
	require.NoError(t, err)
	v, err := vault.Open(t.Context(), log, domain.Offline(), new(vault.Memory), master)
	require.NoError(t, err)
	entry := func(a serve.Act) domain.Entry {
		return domain.Entry{CommandID: uuid.NewString(), Actor: a.Actor, Approver: a.Approver,
			Reason: a.Reason, Source: "test", EnteredAt: time.Date(2030, 1, 1, 0, 0, 0, 0,
				time.UTC)}
	}
	hr := serve.Act{Actor: "hr/1", Reason: "new client"}
	ann := map[string]string{"name": "Ann Smith"}
	require.NoError(t, v.Record(t.Context(), entry(hr), "client/1", ann))
	require.NoError(t, v.Record(t.Context(), entry(hr), "client/2", ann))
	allowed := func(context.Context) (vault.Verdict, error) {
		return vault.Verdict{Allowed: true, Rule: "r", Detail: "d", Policy: "p"}, nil
	}
	require.NoError(t, v.Erase(t.Context(), entry(hr), "client/2", allowed))
	return &serve.Records{
		Unmask: func(ctx context.Context, a serve.Act) (any, error) {
			return v.Unmask(ctx, entry(a), a.Subject)
		},
		Erase: func(ctx context.Context, a serve.Act) (any, error) {
			return nil, v.Erase(ctx, entry(a), a.Subject, allowed)
		},
		Lift: func(_ context.Context, a serve.Act) (any, error) {
			err := new(governance.Holds).Lift(a.Subject, a.Actor, a.Approver)
			return nil, &serve.Problem{Status: http.StatusConflict, Detail: err.Error()}
		},
		Dispose: func(_ context.Context, a serve.Act) (any, error) {
			if a.Reason == "outage" {
				return nil, errors.New("the archive is away")
			}
			return fmt.Sprintf("%s, %s: %s", a.Actor, a.Approver, a.Reason), nil
		},
		Extracted: func(_ context.Context, e serve.Extract) error {
			if e.Reason == "outage" {
				return errors.New("the log is away")
			}
			want := serve.Extract{Actor: "audit/2", SubmittedBy: "importer/9", Reason: "r",
				Manifest: strings.Repeat("0a", 32), Query: "everything", Events: 2, Checkpoint: 3}
			require.Equal(t, want, e)
			return nil
		},
	}
}

// An extract of the command line names the person who asked, as lines of a file do.
func TestExtractIsRecordedByAnImporter(t *testing.T) {
	t.Parallel()
	s := newDepartments(t)
	body := `{"actor":"audit/2","reason":"r","manifest":"` + strings.Repeat("0a", 32) +
		`","query":"everything","events":2,"checkpoint":3}`
	for _, tc := range []struct {
		who, was, is string
		want         int
	}{
		{"importer/9", "", "", http.StatusOK},
		{"compliance/9", "", "", http.StatusForbidden},
		{"importer/9", `"audit/2"`, `"Ann Smith"`, http.StatusBadRequest},
		{"importer/9", `"r"`, `"\u0007"`, http.StatusBadRequest},
		{"importer/9", `0a0a`, `0A0a`, http.StatusUnprocessableEntity},
		{"importer/9", `"r"`, `"outage"`, http.StatusServiceUnavailable},
	} {
		code, text := s.ask(tc.who, [3]string{"POST", "/v1/extracts",
			strings.Replace(body, tc.was, tc.is, 1)})
		require.Equal(t, tc.want, code, "%s: %s", tc.is, text)
	}
}

// denials returns the denials on record of a principal, each as an action and a resource.
func (s *service) denials(principal string) []string {
	all := []string{}
	for r, err := range s.system.Log.Stream(s.t.Context(), access.Stream(principal)) {
		require.NoError(s.t, err)
		d, err := domain.Decode[access.Denied](r)
		require.NoError(s.t, err)
		all = append(all, d.Action+" of "+d.Resource)
	}
	return all
}

// Nobody reads personal data without the right: 32 attempts, by each role against a party of its
// own name, one on record, one that is erased and one that is not there. Each is denied by name,
// with an answer that does not say which of them is on record, and is an event.
func TestPersonalDataNeedsTheRight(t *testing.T) {
	t.Parallel()
	s, attempts := newDepartments(t), 0
	for _, role := range serve.Roles() {
		who, want := string(role)+"/9", []string{}
		if role == "compliance" {
			continue
		}
		why := "no policy permits personal.unmask to you"
		if role == "auditor" {
			why = "the policy auditor-does-not-act forbids personal.unmask"
		}
		for _, party := range []string{who, "client/1", "client/2", "client/3"} {
			code, text := s.ask(who, [3]string{"POST", "/v1/parties/unmask",
				fmt.Sprintf(`{"subject":%q,"reason":"I am curious"}`, party)})
			require.Equal(t, http.StatusForbidden, code, text)
			require.Contains(t, text, why)
			require.NotContains(t, text, "Ann")
			want = append(want, "personal.unmask of party/"+party)
			attempts++
		}
		require.Equal(t, want, s.denials(who))
	}
	require.Equal(t, 32, attempts)
	code, text := s.ask("compliance/9", [3]string{"POST", "/v1/parties/unmask",
		`{"subject":"client/1","reason":"a request of the person"}`})
	require.Equal(t, http.StatusOK, code, text)
	require.Contains(t, text, "Ann Smith")
	got := []string{}
	for r, err := range s.system.Log.Stream(t.Context(), vault.Stream("client/1")) {
		require.NoError(t, err)
		got = append(got, r.Type+" "+r.Actor+" "+r.Reason)
	}
	require.Equal(t, []string{"party.recorded hr/1 new client",
		"party.unmasked compliance/9 a request of the person"}, got)
}

// An act that cannot be undone is done when a second principal sends the same request, and waits
// until then. The second one needs the right as well.
func TestActsNeedTwoPrincipals(t *testing.T) {
	t.Parallel()
	s := newDepartments(t)
	const first, second = "compliance/9", "administrator/9"
	post := func(who, path, body string) string {
		code, text := s.ask(who, [3]string{"POST", "/v1/" + path, body})
		return fmt.Sprint(code, " ", text)
	}
	const due, client = `{"reason":"due"}`, `{"subject":"client/1","reason":"r"}`
	for range 2 { // the same principal is no second one
		require.Contains(t, post(first, "disposals", due), `202 {"result":"waiting"`)
		require.Contains(t, post(first, "parties/erase", client), `202 {"result":"waiting"`)
	}
	require.Contains(t, post(second, "disposals", `{"reason":"other"}`), "202 ", "another act")
	require.Contains(t, post(second, "disposals", due),
		`200 {"result":"done","answer":"compliance/9, administrator/9: due"}`)
	require.Contains(t, post(second, "disposals", due), "202 ", "it begins again")
	const outage = `{"reason":"outage"}`
	require.Contains(t, post(first, "disposals", outage), "202 ")
	for range 2 { // it still waits
		require.Contains(t, post(second, "disposals", outage), "503 ")
	}
	require.Contains(t, post(second, "parties/erase", client),
		"no policy permits personal.erase to you")
	for path, body := range map[string]string{"parties/unmask": due,
		"disposals": client, "holds/lift": `{"subject":"a b","reason":"r"}`,
		"parties/erase": `{"subject":"client/1","reason":" "}`} {
		require.Contains(t, post(first, path, body), "400 ", path)
	}
	require.Contains(t, post(first, "disposals", `{"reason":"a","reason":"b"}`),
		`the member \"reason\" is given twice`)
	// disposals other, due and outage wait, and the erasure. A principal has 20 places of its own.
	for i := range 20 {
		body := fmt.Sprintf(`{"reason":"own %d"}`, i)
		want := "202 "
		if i >= 18 { // other and due are its own as well
			want = "429 "
		}
		require.Contains(t, post(second, "disposals", body), want, i)
	}
	require.Contains(t, post(second, "disposals", `{"reason":"more"}`),
		"20 of your acts wait for a second principal")
	require.Contains(t, post(first, "holds/lift", client), "202 ", "the others have theirs")
}

// The actor of a step is the principal that signed in, and only an importer may name another one. A
// step that the rules refuse says so by its rule.
func TestCanaryStepsHaveAnActor(t *testing.T) {
	t.Parallel()
	var taken []serve.CanaryStep
	s := newService(t, func(c *serve.Config) {
		c.Canary = func(_ context.Context, step serve.CanaryStep) (any, error) {
			taken = append(taken, step)
			if step.Reason == "at once" {
				return nil, &contract.ConflictError{Stream: "canary/x", Expected: 1, Actual: 2}
			}
			if step.Step == "abort" {
				return nil, &serve.Problem{Status: http.StatusConflict, Rule: "canary.not-running"}
			}
			return step.Type, nil
		}
	})
	ask := func(as, step, actor, reason string) (int, string) {
		return s.ask(as, [3]string{"POST", "/v1/canaries", fmt.Sprintf(
			`{"step":%q,"type":"trade.settled","actor":%q,"reason":%q}`, step, actor, reason)})
	}
	for _, c := range []struct {
		as, step, actor, reason string
		status                  int
		says                    string
	}{
		{"operations/1", "promote", "", "equal", 200, `{"answer":"trade.settled"}`},
		{"operations/1", "abort", "operations/1", "differs", 409, "canary.not-running"},
		{"operations/1", "start", "", "at once", 409, "canary/x is at version 2"},
		{"operations/1", "start", "ops/7", "release", 403, "access.actor-claimed"},
		{"operations/1", "stop", "", "release", 422, "step"},
		{"operations/1", "start", "", " ", 400, "reason: want a printable text"},
		{"importer/1", "start", "ops/7", "release", 403, "no policy permits"},
		{"auditor/1", "start", "", "release", 403, "auditor-does-not-act"},
	} {
		status, text := ask(c.as, c.step, c.actor, c.reason)
		require.Equal(t, c.status, status, "%v: %s", c, text)
		require.Contains(t, text, c.says)
	}
	by := "operations/1"
	require.Equal(t, []serve.CanaryStep{
		{Step: "promote", Type: "trade.settled", Reason: "equal", Actor: by, SubmittedBy: by},
		{Step: "abort", Type: "trade.settled", Reason: "differs", Actor: by, SubmittedBy: by},
		{Step: "start", Type: "trade.settled", Reason: "at once", Actor: by, SubmittedBy: by},
	}, taken)
}
