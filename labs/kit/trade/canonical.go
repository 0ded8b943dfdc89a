package trade

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Canonical is s as bytes, the same for the same history wherever and whenever it was folded. It is JSON Lines: a line for
// each trade, sorted by UTI, then one for each position, sorted by book, instrument and currency. Fields are in the
// order of their structs, decimals are strings without trailing zeros, and nothing in it was chosen by a store:
//
//	{"trade":{"uti":"T1","status":"LIVE",…,"price":"80","contracted":"7430",…}}
//	{"position":{"book":"power","instrument":"power/CET/base@2025-03","currency":"EUR",…}}
func (s State) Canonical() []byte {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	write := func(line any) {
		if err := lines.Encode(line); err != nil {
			panic(fmt.Sprintf("trade: a state that does not marshal: %v", err)) // every field is plain data
		}
	}
	for _, t := range s.Trades {
		write(struct {
			Trade Trade `json:"trade"`
		}{t})
	}
	for _, p := range s.Positions {
		write(struct {
			Position Position `json:"position"`
		}{p})
	}
	return b.Bytes()
}

// Digest is SHA-256 of Canonical.
func (s State) Digest() [sha256.Size]byte { return sha256.Sum256(s.Canonical()) }
