package incident_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/incident"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// Events, alerts of both programs, and log lines make one timeline, in order and within its limits.
func TestTimelineHasAllSources(t *testing.T) {
	t.Parallel()
	prometheus, err := incident.ReadAlerts(strings.NewReader(`{"status":"success","data":{"alerts":[
		{"labels":{"alertname":"SealAge","severity":"page"},"annotations":{"runbook":"u.md"},
		 "state":"firing","activeAt":"2025-01-15T09:02:00Z","value":"1e+00"},
		{"labels":{"alertname":"Later"},"state":"pending","activeAt":"2025-01-15T09:30:00Z"}]}}`))
	require.NoError(t, err)
	manager, err := incident.ReadAlerts(strings.NewReader(`[{"labels":{"alertname":"Lag"},
		"startsAt":"2025-01-15T10:01:00+01:00","endsAt":"2025-01-15T09:04:00Z"}]`))
	require.NoError(t, err)
	logs, err := incident.ReadLogs(strings.NewReader(
		`{"time":"2025-01-15T09:02:00Z","level":"WARN","msg":"seal","reason":"away","n":3}` +
			"\n\n" + `{"time":"2025-01-15T08:59:59.999Z","level":"INFO","msg":"before"}` + "\n"))
	require.NoError(t, err)
	events := []incident.Entry{{at("2025-01-15T09:05:00Z"), "event", "trade.new", "T1"}}
	require.Equal(t, []incident.Entry{
		{at("2025-01-15T09:01:00Z"), "alert", "Lag begins", ""},
		{at("2025-01-15T09:02:00Z"), "alert", "SealAge begins", "severity=page runbook=u.md"},
		{at("2025-01-15T09:02:00Z"), "log", "WARN seal", "n=3 reason=away"},
		{at("2025-01-15T09:04:00Z"), "alert", "Lag ends", ""},
		{at("2025-01-15T09:05:00Z"), "event", "trade.new", "T1"},
	}, incident.Timeline(at("2025-01-15T09:00:00Z"), at("2025-01-15T09:05:00Z"), prometheus,
		manager, logs, events))
}

// A file that cannot be read is refused, with the place of the fault.
func TestBadFilesAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", `[{"labels":{}}]`,
		`[{"labels":{"alertname":"Lag"}}]`} {
		_, err := incident.ReadAlerts(strings.NewReader(text))
		require.ErrorContains(t, err, "alert", text)
	}
	for text, want := range map[string]string{
		"seal away\n":                              "no line is a JSON object with a time",
		"seal away\n[1]":                           "line 2: not a JSON object",
		`{"time":"yesterday","msg":"seal"}`:        "line 1: no field time in RFC 3339",
		"seal away\n" + strings.Repeat("x", 1<<20): "line 2: bufio.Scanner: token too long",
	} {
		_, err := incident.ReadLogs(strings.NewReader(text))
		require.ErrorContains(t, err, want)
	}
}

// The log of a service has lines of other writers: those of a crash, and of the start of a program.
func TestTextAmongJSONIsKept(t *testing.T) {
	t.Parallel()
	logs, err := incident.ReadLogs(strings.NewReader("started\n\n" +
		`{"time":"2025-01-15T09:02:00Z","level":"WARN","msg":"seal"}` +
		"\npanic: away\n\tmain.go\n"))
	require.NoError(t, err)
	at := time.Date(2025, 1, 15, 9, 2, 0, 0, time.UTC)
	require.Equal(t, []incident.Entry{{at, "log", "started", ""}, {at, "log", "WARN seal", ""},
		{at, "log", "panic: away", ""}, {at, "log", "main.go", ""}}, logs)
}
