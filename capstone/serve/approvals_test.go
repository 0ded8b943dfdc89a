package serve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/memory"
)

// settled sends the commands of a contract that is settled in full.
func (s *service) settled() {
	for _, line := range []string{
		`{"command_id":"n-1","entered_at":"2025-01-06T09:00:00Z","reason":"order","op":"NEW",` +
			`"uti":"A","book":"oil","counterparty":"ACME","trader":"trader/1","side":"buy",` +
			`"commodity":"oil","zone":"BRENT","delivery":"2025-06","quantity":"10","unit":"bbl",` +
			`"price":"70","currency":"USD"}`,
		`{"command_id":"n-2","entered_at":"2025-01-06T10:00:00Z","reason":"delivered",` +
			`"op":"SETTLE","uti":"A","quantity":"10","unit":"bbl","price":"71"}`,
	} {
		code, a := s.command("trader/1", line)
		require.Equal(s.t, http.StatusCreated, code, a)
	}
}

// void is the line of a command that changes the past, and needs a second principal.
const void = `{"command_id":"v-1","entered_at":"2025-01-06T11:00:00Z","reason":"never agreed",` +
	`"op":"CANCEL","kind":"void","uti":"A"}`

func (s *service) approve(as, id string) (int, string) {
	w := s.do(as, "POST", "/v1/approvals", fmt.Sprintf(`{"command_id":%q}`, id),
		"Content-Type", "application/json")
	return w.Code, w.Body.String()
}

// A command that needs an approver waits until another principal signs in and approves it. It is
// decided then, and not before; neither its actor nor a principal without the role can approve it.
func TestPendingCommandIsDecidedOnApproval(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.settled()
	for range 2 {
		code, waits := s.command("trader/1", void)
		require.Equal(t, http.StatusAccepted, code)
		require.Equal(t, "pending", waits.Result)
		require.Equal(t, waits.KnownAt.AddDate(0, 0, 1), *waits.Expires)
	}
	require.Contains(t, s.do("approver/1", "GET", "/v1/pending", "").Body.String(),
		`"command_id":"v-1"`)
	code, _ := s.approve("trader/2", "v-1")
	require.Equal(t, http.StatusForbidden, code, "trader/2 is no approver")
	code, _ = s.approve("approver/1", "n-1")
	require.Equal(t, http.StatusConflict, code, "n-1 does not wait")
	code, _ = s.approve("approver/1", "v-9")
	require.Equal(t, http.StatusNotFound, code)
	code, text := s.approve("approver/1", "v-1")
	require.Equal(t, http.StatusCreated, code, text)
	require.Contains(t, text, `"actor":"trader/1","approver":"approver/1",`+
		`"submitted_by":"trader/1"`)
	code, _ = s.approve("approver/1", "v-1")
	require.Equal(t, http.StatusOK, code, "the same approval again")
	code, done := s.command("trader/1", void)
	require.Equal(t, http.StatusOK, code, "the sender gets the outcome of the approval")
	require.Equal(t, "approver/1", done.Approver)
	require.NotContains(t, s.do("approver/1", "GET", "/v1/pending", "").Body.String(), "v-1")
}

// An approver who sends a command cannot approve it.
func TestNobodyApprovesTheirOwnCommand(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *serve.Config) {
		c.SignIn = append([]serve.Authenticator{serve.Token{Secret: "both",
			Principal: serve.Principal{Name: "trader/1", Roles: []serve.Role{
				serve.Reader, serve.Trader, serve.Approver}}}}, c.SignIn...)
	})
	s.settled()
	s.command("trader/1", void)
	w := s.do("", "POST", "/v1/approvals", `{"command_id":"v-1"}`, "Authorization", "Bearer both",
		"Content-Type", "application/json")
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Equal(t, []string{string(serve.OwnCommand)}, s.rules())
	require.NotContains(t, w.Body.String(), "no policy permits", "the policies are not the reason")
}

// A pending command that is not approved in time is refused for good.
func TestPendingCommandExpires(t *testing.T) {
	t.Parallel()
	log := new(readLog)
	s := newService(t, log.wrap)
	s.settled()
	s.command("trader/1", void)
	require.Equal(t, []string{"v-1"}, s.pending())
	s.command("trader/1", strings.Replace(mark("m-1", "70"), "2025-01-13", "2025-01-08", 1))
	code, text := s.approve("approver/1", "v-1")
	require.Equal(t, http.StatusGone, code, text)
	code, refused := s.command("trader/1", void)
	require.Equal(t, http.StatusUnprocessableEntity, code)
	require.Equal(t, "lifecycle.needs-approver", refused.Rule)
	for range 2 {
		before := log.finds
		require.Empty(t, s.pending())
		require.Equal(t, before, log.finds, "the index forgets it")
	}
}

// A readLog counts the events that are read from it, and those that are looked for.
type readLog struct {
	contract.Store
	events, finds int
}

func (l *readLog) wrap(c *serve.Config) {
	l.Store = c.System.Log
	c.System.Log, c.System.Desk.Log = l, l
}

func (l *readLog) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	l.finds++
	return l.Store.Find(ctx, id)
}

func (l *readLog) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.Store.Read(ctx, from, to) {
			l.events++
			if !yield(r, err) {
				return
			}
		}
	}
}

// The pending commands are looked up again in the new events only. A command whose line no program
// reads any more is not pending, and hides no other one.
func TestPendingIsAnIndex(t *testing.T) {
	t.Parallel()
	log := new(readLog)
	s := newService(t, log.wrap)
	s.settled()
	s.unreadable()
	listed := func() (ids []string, read int) {
		before := log.events
		ids = s.pending()
		return ids, log.events - before
	}
	ids, read := listed()
	require.Empty(t, ids)
	require.Equal(t, 3+2*3, read, "the present of a simulated log takes a read of all its events")
	s.command("trader/1", void)
	for _, want := range []int{2*4 + 1, 2 * 4} {
		ids, read = listed()
		require.Equal(t, []string{"v-1"}, ids)
		require.Equal(t, want, read)
	}
	waiting, err := serve.Waiting(t.Context(), s.system)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	s.approve("approver/1", "v-1")
	ids, read = listed()
	require.Empty(t, ids)
	require.Equal(t, 2*5+1, read)
	code, text := s.approve("approver/1", "u-1")
	require.Equal(t, http.StatusConflict, code, text)
}

// The first look reads the events of the last day, however long the log is, in each partition.
func TestFirstLookIsBounded(t *testing.T) {
	t.Parallel()
	log, at := new(readLog), time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	s := newService(t, func(c *serve.Config) {
		store := memory.New(func(context.Context) time.Time { return at })
		c.System.Simulated, c.System.Log = false, partitioned{store}
		c.System.Clock = func() time.Time { return at }
		log.wrap(c)
	})
	s.settled()
	s.command("trader/1", void)
	for i := range 300 {
		s.command("trader/1", mark(fmt.Sprint("old-", i), fmt.Sprint(60+i)))
	}
	at = at.AddDate(0, 0, 5)
	code, waits := s.command("trader/1", strings.Replace(void, "v-1", "v-2", 1))
	require.Equal(t, http.StatusAccepted, code, waits)
	s.command("trader/1", mark("new", "70"))
	at = at.Add(time.Hour)
	require.Equal(t, []string{"v-2"}, s.pending(), "v-1 has expired")
	require.Less(t, log.events, 2+2*9, "2 new events, and a search by halves in 305")
}

// A falling log has times that fall: those of its marks are three days behind the others.
type falling struct {
	contract.Store
	rules contract.Timeline
}

func (l falling) Timeline(context.Context) (contract.Timeline, error) { return l.rules, nil }

func (l falling) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.Store.Read(ctx, from, to) {
			if strings.HasPrefix(r.CommandID, "behind-") {
				r.RecordedAt = r.RecordedAt.AddDate(0, 0, -3)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// The first look finds each pending command of a log whose times may fall: of writers whose clocks
// differ, or of a simulation.
func TestFirstLookWhereTimesFall(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]contract.Timeline{
		"per stream": {PerStream: true}, "simulated": {Simulated: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
			s := newService(t, func(c *serve.Config) {
				store := memory.New(func(context.Context) time.Time { return now })
				c.System.Simulated, c.System.Log = false, falling{store, rules}
				c.System.Desk.Log = c.System.Log
				c.System.Clock = func() time.Time { return now }
			})
			s.settled()
			code, waits := s.command("trader/1", void)
			require.Equal(t, http.StatusAccepted, code, waits)
			for i := range 40 {
				s.command("trader/1", mark(fmt.Sprint("behind-", i), fmt.Sprint(60+i)))
			}
			require.Equal(t, []string{"v-1"}, s.pending())
		})
	}
}

// pending returns the ids of the commands that wait.
func (s *service) pending() (ids []string) {
	w := s.do("approver/1", "GET", "/v1/pending", "")
	require.Equal(s.t, http.StatusOK, w.Code, w.Body.String())
	var list struct{ Answer []serve.Pending }
	require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &list))
	for _, p := range list.Answer {
		ids = append(ids, p.CommandID)
	}
	return ids
}

// unreadable records the refusal of a command whose line has an operation that does not exist.
func (s *service) unreadable() {
	entered := time.Date(2025, 1, 6, 10, 0, 0, 0, time.UTC)
	body, err := s.system.Desk.Codec.Encode(s.t.Context(), trade.CommandRefused{CommandID: "u-1",
		Rule: string(trade.NeedsApprover), Detail: "needs an approver", Line: `{"op":"BARTER"}`})
	require.NoError(s.t, err)
	_, err = s.system.Log.Append(contract.At(s.t.Context(), entered), "trade/U", contract.Any,
		contract.Event{ID: trade.EventID("u-1", 0), Stream: "trade/U", Type: body.Type,
			Schema: body.Schema, Fingerprint: body.Fingerprint, Data: body.Data,
			Actor: "trader/1", SubmittedBy: "trader/1", CommandID: "u-1", EnteredAt: entered,
			EffectiveAt: entered, Reason: "x", Source: "test"})
	require.NoError(s.t, err)
}
