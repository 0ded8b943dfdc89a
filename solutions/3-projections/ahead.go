package projection

import (
	"context"
	"iter"

	"example.com/blotter/labs/kit/contract"
)

// readAhead yields the batches between cursors, which ascend. It reads the next ones while the
// caller works on these: one, then two, and so on up to most together. So the first batches of a
// log that fails later are projected.
func readAhead(
	ctx context.Context, log contract.Reader, cursors []contract.Cursor, end contract.Cursor,
	most int,
) (feed iter.Seq2[batch, error]) {
	type answer struct {
		batches []batch
		err     error
	}
	return func(yield func(batch, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		answers := make(chan answer)
		go func() {
			defer close(answers)
			for some := 1; len(cursors) > 1; some = min(2*some, most) {
				some = min(some, len(cursors)-1)
				batches, err := read(ctx, log, cursors[:some+1], end)
				if cursors = cursors[some:]; err == nil {
					cursors[0] = batches[len(batches)-1].next
				}
				select {
				case answers <- answer{batches, err}:
				case <-ctx.Done():
					return
				}
				if err != nil {
					return
				}
			}
		}()
		defer func() {
			stop()
			for range answers { // until the log is no longer read
			}
		}()
		for a := range answers {
			for _, b := range a.batches {
				if !yield(b, nil) {
					return
				}
			}
			if a.err != nil {
				yield(batch{}, a.err)
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(batch{}, err)
		}
	}
}
