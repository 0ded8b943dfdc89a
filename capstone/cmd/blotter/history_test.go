package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
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
