package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// Streams is the part of a contract.Store that clients use.
type Streams interface {
	Append(context.Context, string, int64, ...contract.Event) ([]contract.Receipt, error)
	Find(context.Context, uuid.UUID) (contract.Recorded, error)
	Stream(context.Context, string) iter.Seq2[contract.Recorded, error]
}

// Serve is a writer: it answers the requests on in, many at a time, until in ends, and waits for
// the last answer. Its first answer says that it has started. An error that is one of unsure means
// that the outcome of an append is unknown, although the error may also be contract.ErrFenced.
func Serve(
	ctx context.Context, store Streams, in io.Reader, out io.Writer, unsure ...error,
) error {
	w := &server{store: store, unsure: unsure, out: json.NewEncoder(out)}
	if err := w.answer(Return{Outcome: OK}); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the clients have gone
	for requests := json.NewDecoder(in); ; {
		var r Request
		if err := requests.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		wg.Go(func() { _ = w.answer(w.handle(ctx, r)) }) // an error means that the client has gone
	}
}

type server struct {
	store  Streams
	unsure []error

	mu  sync.Mutex
	out *json.Encoder
}

func (w *server) answer(r Return) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Encode(r)
}

func (w *server) handle(ctx context.Context, r Request) Return {
	answer, err := w.do(ctx, r)
	if err != nil {
		answer = w.failed(err)
	}
	answer.Op = r.Op
	return answer
}

func (w *server) do(ctx context.Context, r Request) (Return, error) {
	answer := Return{Outcome: OK}
	switch r.Kind {
	case Append:
		var batch []contract.Event
		for _, id := range r.IDs {
			batch = append(batch, Event(r.Stream, id))
		}
		receipts, err := w.store.Append(ctx, r.Stream, r.Expected, batch...)
		answer.Receipts = receipts
		return answer, err
	case Find:
		e, err := w.store.Find(ctx, r.IDs[0])
		answer.Events = []Seen{seen(e)}
		return answer, err
	default:
		for e, err := range w.store.Stream(ctx, r.Stream) {
			if err != nil {
				return answer, err
			}
			s := seen(e)
			s.Stream, s.Position = "", contract.Position{}
			answer.Events = append(answer.Events, s)
		}
		return answer, nil
	}
}

// failed returns the outcome that an error means. An error that does not certainly mean that
// nothing was recorded is Unknown. Damage always counts, because no fault of the nemesis is a
// reason for it.
func (w *server) failed(err error) Return {
	r := Return{Outcome: Unknown, Error: err.Error()}
	conflict, owner := new(contract.ConflictError), new(contract.NotOwnerError)
	reused, damaged := new(contract.ReusedError), new(contract.DamagedError)
	switch {
	case errors.As(err, &damaged):
		r.Outcome = Damaged
		return r
	case errors.As(err, &conflict):
		r.Outcome, r.Actual = Conflict, conflict.Actual
	case errors.As(err, &owner):
		r.Outcome, r.Owner = Elsewhere, owner.Owner
	case errors.Is(err, contract.ErrNotFound):
		r.Outcome = Absent
	case errors.As(err, &reused), errors.Is(err, contract.ErrPartial),
		errors.Is(err, contract.ErrInvalid):
		r.Outcome = Refused
	case errors.Is(err, contract.ErrFenced):
		r.Outcome = Fenced
	}
	for _, u := range w.unsure {
		if errors.Is(err, u) {
			r.Outcome = Unknown
		}
	}
	return r
}
