package projection

import (
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// An AheadError is a log that ends before what a reader has taken of it: it lost its end, or another was put in its place. What the
// reader derived from it is no longer what the log says.
type AheadError struct {
	Reader    string // for people
	Partition int32  // the first that is too short
	At, End   int64  // of the reader, and of the log, in that partition
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("the log ends too soon: partition %d at %d, and %s has it up to %d", e.Partition, e.End, e.Reader, e.At)
}

// Ahead is *AheadError if a reader that came to cursor is past the end of its log. That end must have been asked for after the cursor:
// a log grows, and its readers with it.
func Ahead(reader string, cursor, end contract.Cursor) error {
	for partition, at := range cursor {
		if last := end.At(int32(partition)); at > last {
			return &AheadError{reader, int32(partition), at, last}
		}
	}
	return nil
}
