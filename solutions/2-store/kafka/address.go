package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// An address is of one process at a time, the last that came up under it. The group cannot be asked which that is: it has let in whoever
// joined last, and that may be one that slept while it was replaced, if its successor died and was forgotten before it woke. So the
// broker keeps a number for each address: the producer id and epoch of a transactional id that is made of it. Each process that comes up has it raised
// (InitProducerID), BEFORE it joins. Nothing is ever written under it.
type tenure struct {
	producer int64
	epoch    int16
}

func (s *Store) tenureID() string { return s.opts.Prefix + "@" + s.opts.Address }

// occupy makes the address ours, and sees to it that we can ask later whether it still is. A crash here leaves the address to whoever comes next.
func (s *Store) occupy(ctx context.Context) error {
	if s.opts.Address == "" {
		return nil
	}
	err := s.raise(ctx)
	for errors.Is(err, kerr.ConcurrentTransactions) && ctx.Err() == nil { // another does so at this moment
		s.pause()
		err = s.raise(ctx)
	}
	if err == nil {
		_, err = s.isReplaced(ctx)
	}
	return err
}

// raise has the broker raise the number of the address, as one who begins.
func (s *Store) raise(ctx context.Context) error {
	ask, id := kmsg.NewPtrInitProducerIDRequest(), s.tenureID()
	ask.TransactionalID, ask.TransactionTimeoutMillis = &id, 1000
	ask.ProducerID, ask.ProducerEpoch = -1, -1
	answer, err := ask.RequestWith(ctx, s.client)
	if err != nil {
		return err
	}
	s.tenure = tenure{answer.ProducerID, answer.ProducerEpoch}
	return kerr.ErrorForCode(answer.ErrorCode)
}

// isReplaced says whether another process has come up under our address since we did. kerr.TransactionalIDNotFound is for an address that the broker
// has forgotten, as it does where nobody came up under it for days (transactional.id.expiration.ms).
func (s *Store) isReplaced(ctx context.Context) (bool, error) {
	if s.opts.Address == "" {
		return false, nil
	}
	described, err := s.admin.DescribeTransactions(ctx, s.tenureID())
	if err != nil {
		return false, err
	}
	now, err := described.On(s.tenureID(), nil)
	if err == nil {
		err = now.Err
	}
	return tenure{now.ProducerID, now.ProducerEpoch} != s.tenure && err == nil, err
}

// awaitWord asks until there is an answer, whether we are replaced, or the store is closed. Of several under an address that was forgotten, who
// asks first has it.
func (s *Store) awaitWord() bool {
	for said := false; ; said = true {
		ctx, cancel := context.WithTimeout(s.ctx, s.opts.Timeout)
		replaced, err := s.isReplaced(ctx)
		if errors.Is(err, kerr.TransactionalIDNotFound) {
			err = s.raise(ctx)
		}
		cancel()
		if err == nil || s.ctx.Err() != nil {
			return replaced
		}
		if !said {
			s.opts.Log.Warn("cannot ask who has our address; asking again", "log", s.opts.Prefix, "address", s.opts.Address, "err", err)
		}
		s.pause()
	}
}
