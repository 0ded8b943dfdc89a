package replay

import (
	"bytes"

	"example.com/blotter/labs/kit/contract"
)

// Compare is nil if the two states are the same bytes, and else a *contract.Difference with the first line that is not.
func (Replayer) Compare(archived, replayed []byte) error {
	if bytes.Equal(archived, replayed) {
		return nil
	}
	for line := 1; ; line++ {
		a, restA, moreA := bytes.Cut(archived, []byte("\n"))
		r, restR, moreR := bytes.Cut(replayed, []byte("\n"))
		// A line that ends in a newline differs from the same text at the end of the file.
		if !bytes.Equal(a, r) || moreA != moreR {
			return &contract.Difference{Line: line, Archived: string(a), Replay: string(r)}
		}
		archived, replayed = restA, restR
	}
}
