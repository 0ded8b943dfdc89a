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
	codec "example.com/blotter/solutions/1-schemas"
)

// The wire format belongs to nobody: avsc, in JavaScript, reads what the codec writes and writes the same bytes again, and the codec
// reads what avsc writes. See testdata/interop.
func TestAnotherImplementationReadsAndWritesTheSameBytes(t *testing.T) {
	t.Parallel()
	c := codec.Offline()
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
	settled, _ := schemas.Latest("trade.settled")
	first, _ := schemas.Find("trade.settled", 1)
	plain := map[string]any{"quantity": map[string]any{"value": "2160", "unit": "MWh"}, "price": "-83.1"}
	ask.Make = append(ask.Make, value{first.Text, idOf(first), plain})
	full := map[string]any{"quantity": plain["quantity"], "price": "9999999999999999999999.999999", "price_source": map[string]any{"string": "EPEX “DE”"}}
	ask.Make = append(ask.Make, value{settled.Text, idOf(settled), full})

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
		{Quantity: mwh("2160"), Price: trade.Dec("9999999999999999999999.999999"), PriceSource: "EPEX “DE”"},
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

// idOf is the id that an offline codec gives a schema: it numbers the catalog in its order.
func idOf(s schemas.Schema) int {
	for i, other := range schemas.All() {
		if other == s {
			return i + 1
		}
	}
	return 0
}

// node runs testdata/interop/interop.mjs. Without Node, or before its one package is installed, the test is skipped, but not in CI.
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
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = "testdata/interop", bytes.NewReader(in), &out, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	require.NoError(t, json.Unmarshal(out.Bytes(), answer))
}
