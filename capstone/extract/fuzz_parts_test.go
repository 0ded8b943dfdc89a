package extract

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/schemas"
)

// Any schema and any data give a value or an error.
func FuzzData(f *testing.F) {
	for _, s := range schemas.All() {
		f.Add(s.Text, []byte{0, 2, 4, 0})
	}
	f.Add(`{"type":"array","items":{"type":"record","name":"R","fields":[]}}`, []byte{2, 0})
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		s, err := newSchema("trade.new", 1, text)
		if err != nil {
			return
		}
		(catalog{{"trade.new", 1}: s}).columns()
		if v, err := s.root.decode(data); err == nil {
			require.NotEmpty(t, v.json())
			flatten("data", v, map[string]string{"data": ""})
		}
	})
}

// A line of proofs is refused, or it is written in one way only. No other leaf has a proof.
func FuzzProofs(f *testing.F) {
	text, err := os.ReadFile("testdata/bundle/proofs.jsonl")
	require.NoError(f, err)
	for line := range bytes.Lines(text) {
		f.Add(bytes.TrimSpace(line), int64(6))
	}
	f.Add([]byte(`{"leaf":1,"header":"AAAAAA==","hashes":[]}`), int64(2))
	f.Fuzz(func(t *testing.T, text []byte, size int64) {
		p, err := parseProof(line{number: 1, text: text})
		if err != nil {
			return
		}
		require.Equal(t, string(text), string(encodeLine(p)))
		require.Error(t, p.check(size, tlog.Hash{1}, []byte("no leaf")))
		if h, err := parseHeader(p.Header); err == nil {
			require.Len(t, p.Header, 4+16+4+8+4+32+4+8*len(h.from)+4+8*len(h.to)+4+8)
		}
	})
}
