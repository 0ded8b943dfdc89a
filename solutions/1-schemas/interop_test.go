package codec_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// The wire format is a standard. avsc, in JavaScript, reads the codec's bytes and writes the same
// bytes again, and the codec reads the bytes of avsc. See testdata/interop.
func TestJavaScriptReadsAndWritesSameBytes(t *testing.T) {
	t.Parallel()
	c := newOffline(t)
	type record struct {
		Schema string `json:"schema"`
		Data   string `json:"data"`
	}
	type value struct {
		Schema string `json:"schema"`
		ID     int    `json:"id"`
		Value  any    `json:"value"`
	}
	var ask struct {
		Records []record `json:"records"`
		Make    []value  `json:"make"`
	}
	for seed := range 10 {
		for _, kind := range kinds {
			p, err := c.Encode(t.Context(), kind.Example(seed))
			require.NoError(t, err)
			ask.Records = append(ask.Records, record{textOf(p), hex.EncodeToString(p.Data)})
		}
	}
	const largest, source = "9999999999999999999999.999999", "EPEX “DE”"
	quantity := map[string]any{"value": "2160", "unit": "MWh"}
	for i, settled := range []map[string]any{
		{"quantity": quantity, "price": "-83.1"},
		{"quantity": quantity, "price": largest, "price_source": map[string]any{"string": source},
			"from": nil, "to": nil},
	} {
		s, _ := schemas.Find("trade.settled", i+1)
		id := c.id(t, s.Type, s.Version)
		ask.Make = append(ask.Make, value{s.Text, id, settled})
	}

	var answer struct {
		Records []struct {
			ID    int    `json:"id"`
			Again string `json:"again"`
		} `json:"records"`
		Made []string `json:"made"`
	}
	node(t, ask, &answer)
	require.Len(t, answer.Records, len(ask.Records))
	for i, r := range answer.Records {
		require.Equal(t, ask.Records[i].Data, r.Again)
	}
	require.Len(t, answer.Made, 2)
	for i, want := range []trade.Settle{
		{Quantity: mwh("2160"), Price: trade.Dec("-83.1")},
		{Quantity: mwh("2160"), Price: trade.Dec(largest), PriceSource: source},
	} {
		data, err := hex.DecodeString(answer.Made[i])
		require.NoError(t, err)
		got, err := c.Decode(t.Context(), "trade.settled", data)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func textOf(p contract.Payload) string {
	s, _ := schemas.Find(p.Type, p.Schema)
	return s.Text
}

// node runs testdata/interop/interop.mjs. Without Node or its one package, the test is skipped,
// except in CI.
func node(t *testing.T, ask, answer any) {
	t.Helper()
	const install = "npm ci --prefix solutions/1-schemas/testdata/interop"
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "there is no node in PATH"
	} else if _, err := os.Stat("testdata/interop/node_modules/avsc"); err != nil {
		missing = "avsc is not installed: " + install
	}
	if missing != "" && os.Getenv("BLOTTER_CI") != "" {
		t.Fatal(missing)
	} else if missing != "" {
		t.Skip(missing)
	}
	in, err := json.Marshal(ask)
	require.NoError(t, err)
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", "interop.mjs")
	cmd.Dir, cmd.Stdin = "testdata/interop", bytes.NewReader(in)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	require.NoError(t, json.Unmarshal(out.Bytes(), answer))
}
