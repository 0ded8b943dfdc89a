package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"example.com/blotter/labs/kit/contract"
)

// Serve is a writer: it answers the requests on in, many at a time, until in ends, and waits for the last answer. The first thing it says
// is that it is there. An error that is one of unsure says of an append that its outcome is not known, although it may also be
// contract.ErrFenced.
func Serve(ctx context.Context, store contract.Store, in io.Reader, out io.Writer, unsure ...error) error {
	w := &server{store: store, unsure: unsure, out: json.NewEncoder(out)}
	if err := w.answer(Return{Outcome: OK}); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // who asked has gone
	for requests := json.NewDecoder(in); ; {
		var r Request
		if err := requests.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		wg.Go(func() { _ = w.answer(w.handle(ctx, r)) }) // nobody is there to be told that nobody is there
	}
}

type server struct {
	store  contract.Store
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
			batch = append(batch, event(r.Stream, id))
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
			answer.Events = append(answer.Events, Seen{ID: s.ID, Version: s.Version, RecordedAt: s.RecordedAt, Altered: s.Altered})
		}
		return answer, nil
	}
}

// failed says what an error tells of the outcome. What is not known to tell that nothing was recorded leaves it open. Damage is told
// whatever comes with it: no fault of the nemesis is a reason for it.
func (w *server) failed(err error) Return {
	r := Return{Outcome: Unknown, Error: err.Error()}
	conflict, owner, reused, damaged := new(contract.ConflictError), new(contract.NotOwnerError), new(contract.ReusedError), new(contract.DamagedError)
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
	case errors.As(err, &reused), errors.Is(err, contract.ErrPartial), errors.Is(err, contract.ErrInvalid):
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
