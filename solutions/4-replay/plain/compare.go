package replay

import (
	"bytes"

	"example.com/blotter/labs/kit/contract"
)

// Compare returns nil if the two states are the same bytes, otherwise a *contract.Difference with
// the first line that differs (L4.I4).
func Compare(archived, replayed []byte) error {
	if bytes.Equal(archived, replayed) {
		return nil
	}
	for line := 1; ; line++ {
		a, restA, moreA := bytes.Cut(archived, []byte("\n"))
		r, restR, moreR := bytes.Cut(replayed, []byte("\n"))
		// A line with a newline differs from the same text at the end of the file without one.
		if !bytes.Equal(a, r) || moreA != moreR {
			return &contract.Difference{Line: line, Archived: string(a), Replay: string(r)}
		}
		archived, replayed = restA, restR
	}
}
