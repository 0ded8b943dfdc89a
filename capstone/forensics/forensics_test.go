package forensics_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/forensics"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// entriesOf decodes a log.
func entriesOf(t *testing.T, log *projectiontest.Log) (entries []forensics.Entry) {
	t.Helper()
	for _, r := range log.Events {
		e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
		require.NoError(t, err)
		entries = append(entries, forensics.Entry{Recorded: r, Body: e.Body})
	}
	return entries
}

func find(t *testing.T, in forensics.Index, q forensics.Question) []forensics.Finding {
	t.Helper()
	require.NoError(t, q.Check())
	all, err := in.Find(t.Context(), q)
	require.NoError(t, err)
	return all
}

// A history that the desk decided has no breach of four eyes, except refused attempts. Without
// their approvers, exactly the events are breaches that Decide refuses without one.
func TestFourEyesAgreesWithDecide(t *testing.T) {
	t.Parallel()
	breaches, fine := 0, 0
	for seed := range uint64(4) {
		entries := entriesOf(t, projectiontest.History(seed, 500, 1))
		question := forensics.Question{Kind: forensics.FourEyes}
		for _, f := range find(t, forensics.NewLog(entries), question) {
			require.Equal(t, forensics.Attempt, f.Breach, "%+v", f)
		}
		for i := range entries {
			entries[i].Approver = ""
		}
		found := map[uuid.UUID]bool{}
		for _, f := range find(t, forensics.NewLog(entries), question) {
			found[f.ID] = f.Breach == forensics.NoApprover
		}
		streams := map[string][]trade.Event{}
		for _, e := range entries {
			if strings.HasPrefix(e.Stream, trade.TradeStream("")) {
				if accepted, needs := decided(streams, e); accepted && needs {
					breaches++
					require.True(t, found[e.ID], "%s %d", e.Stream, e.Version)
				} else if accepted {
					fine++
					require.False(t, found[e.ID], "%s %d", e.Stream, e.Version)
				}
			}
			streams[e.Stream] = append(streams[e.Stream], trade.Event{
				ID: e.ID, Version: e.Version, Corrects: e.Corrects, EffectiveAt: e.EffectiveAt,
				EnteredAt: e.EnteredAt, RecordedAt: e.RecordedAt, Actor: e.Actor, Body: e.Body,
			})
		}
	}
	require.Greater(t, breaches, 20)
	require.Greater(t, fine, 200)
}

// decided decides the command of an event again: with an approver it must be accepted, and without
// one it may need one.
func decided(streams map[string][]trade.Event, e forensics.Entry) (accepted, needs bool) {
	uti := strings.TrimPrefix(e.Stream, trade.TradeStream(""))
	cmd := trade.Command{
		ID: e.CommandID, UTI: uti, EnteredAt: e.EnteredAt, EffectiveAt: e.EffectiveAt,
		Actor: e.Actor, Approver: "control-2", Reason: e.Reason, Corrects: e.Corrects,
		Body: e.Body,
	}
	if c, _ := e.Body.(trade.Cancel); c.Kind == trade.Void {
		cmd.EffectiveAt = time.Time{}
	}
	if _, err := trade.Decide(streams, cmd); err != nil {
		return false, false
	}
	cmd.Approver = ""
	_, err := trade.Decide(streams, cmd)
	var refused *trade.Refusal
	return true, errors.As(err, &refused) && refused.Rule == trade.NeedsApprover
}

// A story of two contracts, in which every kind of question has an answer.
func story(t *testing.T) *forensics.Log {
	i, err := trade.ParseInstrumentID("power/CET/base@2025-06")
	require.NoError(t, err)
	deal := trade.New{Book: "P", Counterparty: "ACME", Trader: "t", Side: trade.Buy, Instrument: i,
		Quantity: trade.Quantity{Value: trade.Int(100), Unit: trade.MWh}, Price: trade.Int(80),
		Currency: "EUR"}
	again, price := deal, trade.Int(81)
	again.Price, again.Counterparty = trade.Int(82), "NEWCO"
	n := map[string]int64{}
	entry := func(uti, entered, recorded, actor, approver string, body trade.Body) forensics.Entry {
		n[uti]++
		e := forensics.Entry{Body: body}
		e.ID, e.Stream = trade.EventID(uti, uint32(n[uti])), trade.TradeStream(uti)
		e.Version, e.Type = n[uti], trade.KindOf(body).Type
		e.Actor, e.Approver, e.Reason = actor, approver, fmt.Sprint("reason ", n[uti])
		e.EnteredAt, e.RecordedAt = at(t, entered), at(t, recorded)
		e.EffectiveAt = e.EnteredAt
		return e
	}
	return forensics.NewLog([]forensics.Entry{
		entry("A", "2025-03-28T09:00", "2025-03-28T09:00", "trader/1", "", deal), // Friday
		entry("A", "2025-03-28T18:30", "2025-03-31T18:30", "trader/1", "trader/1",
			trade.Amend{Kind: trade.Amendment, Price: &price}),
		entry("A", "2025-03-31T17:30", "2025-03-31T19:00", "trader/2", "",
			trade.Cancel{Kind: trade.Void}),
		entry("B", "2025-03-31T16:59", "2025-03-31T20:00", "trader/2", "", again),
		entry("A", "2025-03-31T12:00", "2025-03-31T21:00", "ops/1", "",
			trade.Amend{Kind: trade.Update, Trader: "x"}),
	})
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04", text)
	require.NoError(t, err)
	return at
}

// The definitions in the package's text, each by an example.
func TestEveryKindFindsItsEvents(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	for _, c := range []struct {
		q    forensics.Question
		want string // stream and version of each event, and its property
	}{
		{forensics.Question{Kind: forensics.Field, Stream: "trade/A", Field: "price"},
			"A1 →80, A2 80→81"},
		{forensics.Question{Kind: forensics.Principal, Principal: "trader/1"},
			"A1 actor, A2 actor approver"},
		// Summer time began on 30 March: 17:30 UTC is 19:30 in Brussels, and 16:59 is 18:59.
		{forensics.Question{Kind: forensics.OutOfHours, Zone: "CET"}, "A2 , A3 "},
		{forensics.Question{Kind: forensics.OutOfHours, Zone: "CET", Principal: "trader/2"},
			"A3 "},
		{forensics.Question{Kind: forensics.FourEyes},
			"A2 the actor approved it, A4 no second principal"},
		{forensics.Question{Kind: forensics.Late, Over: 5 * hour}, "A2 259200, A4 32400"},
		{forensics.Question{Kind: forensics.Late, Over: 3 * hour, Entry: true, Limit: 1},
			"A2 259200"},
		{forensics.Question{Kind: forensics.AfterClose}, "A4 VOIDED"},
		{forensics.Question{Kind: forensics.Rebook, Within: hour, Tolerance: 20_000},
			"B1 A 81 → B 82"},
		{forensics.Question{Kind: forensics.Rebook, Within: hour, Tolerance: 12_000}, ""},
		{forensics.Question{Kind: forensics.Rebook, Within: hour - 1, Tolerance: 20_000}, ""},
	} {
		var got []string
		for _, f := range find(t, story(t), c.q) {
			property := string(f.Breach) + f.Roles + string(f.Status)
			switch {
			case f.New != "":
				property = f.Old + "→" + f.New
			case f.Seconds != 0:
				property = fmt.Sprint(f.Seconds)
			case f.Booked != nil:
				property = fmt.Sprintf("%s %s → %s %s", f.Replaced.UTI, f.Replaced.Price,
					f.Booked.UTI, f.Booked.Price)
			}
			got = append(got, fmt.Sprintf("%s%d %s", f.Stream[len("trade/"):], f.Version, property))
		}
		require.Equal(t, c.want, strings.Join(got, ", "), "%+v", c.q)
	}
}

// A question that could not be answered is refused by name.
func TestBadQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q    forensics.Question
		want string
	}{
		{forensics.Question{Kind: forensics.Field, Stream: "trade/A"}, "needs a contract"},
		{forensics.Question{Kind: forensics.Principal}, "needs one"},
		{forensics.Question{Kind: forensics.Late, Over: -1}, "negative"},
		{forensics.Question{Kind: forensics.Rebook, Within: 8 * 24 * time.Hour}, "at most 168h"},
		{forensics.Question{Kind: forensics.Rebook, Tolerance: 100_001}, "at most 100000"},
		{forensics.Question{Kind: forensics.OutOfHours, Zone: "MARS"}, `unknown zone "MARS"`},
		{forensics.Question{Kind: forensics.Late, From: at(t, "2025-01-02T00:00"),
			Until: at(t, "2025-01-01T00:00")}, "before it begins"},
	} {
		require.ErrorContains(t, c.q.Check(), c.want)
	}
}

// The quantity of every contract in an honest history is conserved. A successor that begins with
// another quantity is named.
func TestLineageConservesQuantity(t *testing.T) {
	t.Parallel()
	entries := entriesOf(t, projectiontest.History(3, 800, 1))
	log := forensics.NewLog(entries)
	linked, changed := 0, 0
	for i, e := range entries {
		n, begins := e.Body.(trade.New)
		uti := strings.TrimPrefix(e.Stream, trade.TradeStream(""))
		if !begins || n.PriorUTI == "" || e.Corrects != uuid.Nil || e.Version != 1 {
			continue
		}
		at := trade.AsOf{Known: e.RecordedAt}
		l, err := forensics.LineageOf(t.Context(), log, uti, at)
		require.NoError(t, err)
		if len(l.Breaks) > 0 {
			continue // its cause was corrected while it was due
		}
		linked++
		require.Greater(t, len(l.Contracts), 1)
		require.NotEmpty(t, l.Links)
		n.Quantity.Value = n.Quantity.Value.Add(trade.Int(1))
		was := entries[i].Body
		entries[i].Body = n
		l, err = forensics.LineageOf(t.Context(), forensics.NewLog(entries), uti, at)
		require.NoError(t, err)
		if len(l.Breaks) > 0 {
			changed++
			require.Equal(t, uti, l.Breaks[0].UTI)
		}
		entries[i].Body = was
		if linked == 12 {
			break
		}
	}
	require.Greater(t, linked, 8)
	require.Equal(t, linked, changed)
}
