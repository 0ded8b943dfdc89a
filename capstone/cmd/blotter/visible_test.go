package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
)

func TestInvisibleCharactersAreEscaped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, tabs\t and lines\n":    "plain, tabs\t and lines\n",
		"é 火 €":                        "é 火 €",
		"\x1b[2J\x1b]0;title\x07":      `\u001b[2J\u001b]0;title\u0007`,
		"50\r70, 50\b\b70":             `50\u000d70, 50\u0008\u000870`,
		"\x7f\u0085\u009b31m":          `\u007f\u0085\u009b31m`,
		"\x9b31m \xff\xc3(":            `\x9b31m \xff\xc3(`,
		"\u202e57\u2066\u200b\ufeff":   `\u202e57\u2066\u200b\ufeff`,
		"\U000e0041":                   `\udb40\udc41`,
		"{\"a\":\"\u009b\U000e0041\"}": `{"a":"\u009b\udb40\udc41"}`,
	} {
		for size := 1; size <= len(text); size++ { // a write may end within a character
			var out bytes.Buffer
			v := &visible{out: &out}
			for rest := []byte(text); len(rest) > 0; rest = rest[min(size, len(rest)):] {
				n, err := v.Write(rest[:min(size, len(rest))])
				require.NoError(t, err)
				require.Equal(t, min(size, len(rest)), n)
			}
			require.Equal(t, want, out.String(), "%q in pieces of %d bytes", text, size)
		}
	}
	value := map[string]string{}
	require.NoError(t, json.Unmarshal([]byte(`{"a":"\u009b\udb40\udc41"}`), &value))
	require.Equal(t, "\u009b\U000e0041", value["a"], "JSON keeps its meaning")
}

func TestErrorsCannotForgeHints(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	complain(&stderr, false, errors.New("no file x\nhint: run evil.sh"))
	require.Equal(t, "error: no file x\n  hint: run evil.sh\n", stderr.String())
}

// evil changes the screen, if it reaches a terminal, and begins a forged line.
const evil = "\x1b]0;x\x07\x1b[2J\u009b31m\u202e\nerror: forged"

// Text from outside never reaches a terminal raw, and begins no line: not from an event of another
// producer, whatever its field, and not from the name of a file.
func TestNoCommandPrintsControls(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	data, out := stacktest.Dir(t), filepath.Join(t.TempDir(), evil)
	writeEvil(t, data)
	file := filepath.Join(t.TempDir(), evil+".jsonl")
	require.NoError(t, os.WriteFile(file, []byte(novation+"\n{\"op\":\""+evil+"\"}\n"), 0o600))
	key := filepath.Join(data, "keys", "verifier")
	for _, tc := range []struct {
		name  string
		args  []string
		shown bool // the text from outside is shown, escaped
	}{
		{"import", []string{"import", file}, true},
		{"missing file", []string{"import", file + "x"}, true},
		{"history", []string{"history", "A" + evil}, true},
		{"json", []string{"--json", "history", "A" + evil}, true},
		{"history of a file", []string{"history", "--source", file}, true},
		{"state", []string{"state", "A" + evil}, true},
		{"no trade", []string{"state", evil}, true},
		{"position", []string{"position"}, true},
		{"pnl", []string{"pnl"}, true},
		{"status", []string{"status"}, true},
		{"snapshot", []string{"snapshot"}, false},
		{"seal", []string{"seal"}, false},
		{"extract", []string{"extract", out, "--actor", "audit/1", "--reason", evil}, true},
		{"verify extract", []string{"verify-extract", out, "--key", key}, true},
		{"verify nothing", []string{"verify-extract", out + "x", "--key", key}, false},
		{"no command", []string{evil}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append([]string{"--stack", "embedded", "--data", data}, tc.args...)
			run(args, &stdout, &stderr)
			requireHarmless(t, stdout.String())
			requireHarmless(t, stderr.String())
			if tc.shown {
				require.Contains(t, stdout.String()+stderr.String(), `\u001b`)
			}
		})
	}
}

func requireHarmless(t *testing.T, text string) {
	require.True(t, utf8.ValidString(text))
	for _, r := range text {
		require.True(t, r == '\n' || r == '\t' || trade.IsPrintable(r), "%q in %q", r, text)
	}
	for line := range strings.Lines(text) {
		require.False(t, strings.HasPrefix(line, "error: forged"), "%q", text)
	}
}

// writeEvil makes a log with a trade of another producer, whose texts are evil.
func writeEvil(t *testing.T, data string) {
	s, err := session.Open(t.Context(), session.Config{
		Data: data, Stack: "embedded", Progress: io.Discard, New: &logdir.Settings{
			Name: "example", Stack: "embedded", Store: "kafka", Partitions: 1, Simulated: true,
		},
	}, session.Write)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	payload, err := s.Codec.Encode(t.Context(), trade.New{
		Book: evil, Counterparty: evil, Trader: evil, Side: trade.Buy, Currency: "USD",
		Instrument: trade.Instrument{
			Commodity: trade.Oil, Zone: "BRENT", Delivery: trade.Period{Start: 20240, End: 20270},
		},
		Quantity: trade.Quantity{Value: trade.Int(1), Unit: trade.BBL}, Price: trade.Int(70),
	})
	require.NoError(t, err)
	stream := "trade/A" + evil
	_, err = s.Log.Append(t.Context(), stream, contract.Any, contract.Event{
		ID: trade.EventID(evil, 1), Stream: stream, Type: payload.Type, Schema: payload.Schema,
		Fingerprint: payload.Fingerprint, Data: payload.Data,
		EffectiveAt: time.Unix(1_700_000_000, 0).UTC(),
		EnteredAt:   time.Unix(1_700_000_000, 0).UTC(),
		CommandID:   evil, Actor: evil, Approver: evil, Reason: evil, Source: evil,
		SubmittedBy: evil, Correlation: uuid.New(), Causation: uuid.New(),
	})
	require.NoError(t, err)
}
