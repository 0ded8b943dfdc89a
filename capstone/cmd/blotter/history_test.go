package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	store "example.com/blotter/solutions/2-store/memory"
)

// A history shows every attribute that an event has of its origin. An event without them has none
// of their lines.
func TestHistoryShowsTheOrigin(t *testing.T) {
	t.Parallel()
	offline := codec.Offline()
	payload, err := offline.Encode(t.Context(), trade.CommandRefused{CommandID: "c-1"})
	require.NoError(t, err)
	r := contract.Recorded{Event: contract.Event{
		Stream: "refused/A", Type: payload.Type, Schema: payload.Schema, Data: payload.Data,
		Fingerprint: payload.Fingerprint, SourceRecordedAt: time.Unix(1_700_000_000, 0).UTC(),
		SubmittedBy: "gateway/1", AppendGroup: uuid.Max,
		EnteredAt: time.Unix(1_600_000_000, 0).UTC(),
	}, RecordedAt: time.Unix(1_800_000_000, 0).UTC()}
	shown := func() (object, text string) {
		e, err := entryOf(t.Context(), offline, r)
		require.NoError(t, err)
		encoded, err := json.Marshal(e)
		require.NoError(t, err)
		var table strings.Builder
		printHistory(&table, []entry{e})
		return string(encoded), table.String()
	}
	object, text := shown()
	require.Contains(t, object, `"recorded_at":"2027-01-15T08:00:00Z","entered_at":"2020-09-13T`)
	require.Regexp(t, "recorded +2027-01-15T08:00:00Z, .*\n +entered +2020-09-13T12:26:40Z", text)
	require.Contains(t, object, `"submitted_by":"gateway/1",`+
		`"source_recorded_at":"2023-11-14T22:13:20Z",`+
		`"append_group":"ffffffff-ffff-ffff-ffff-ffffffffffff"`)
	require.Regexp(t, `submitted by +gateway/1
 +recorded at its source +2023-11-14T22:13:20Z
 +append group +ffffffff-`, text)
	r.SubmittedBy, r.SourceRecordedAt, r.AppendGroup = "", time.Time{}, uuid.Nil
	object, text = shown()
	require.NotRegexp(t, "submitted|source_recorded|append", object+text)
}

type denied struct {
	Principal string  `avro:"principal"`
	Action    string  `avro:"action"`
	Resource  string  `avro:"resource"`
	Policy    *string `avro:"policy"`
}

func (denied) EventType() string { return "access.denied" }

// A history shows the events of a domain beside trading, under the name of their stream.
func TestHistoryShowsOtherDomains(t *testing.T) {
	t.Parallel()
	e, err := domain.Offline().Event(t.Context(), "access/carol", 0, domain.Entry{
		CommandID: "c-1", Actor: "carol", Reason: "r", Source: "s", EnteredAt: time.Unix(1, 0),
	}, denied{Principal: "carol", Action: "command.send", Resource: "trade/T-1"})
	require.NoError(t, err)
	log := store.NewSimulated()
	_, err = log.Append(t.Context(), e.Stream, 0, e)
	require.NoError(t, err)
	system := &capstone.System{Log: log}
	for r, err := range system.History(t.Context(), "access/carol") {
		require.NoError(t, err)
		shown, err := entryOf(t.Context(), codec.Offline(), r)
		require.NoError(t, err)
		require.JSONEq(t, `{"principal": "carol", "action": "command.send",
			"resource": "trade/T-1"}`, string(shown.Data))
		return
	}
	require.Fail(t, "no event")
}
