package membership

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// An address belongs to one process at a time: the process that started last under it. The group
// cannot tell which process that is, because it admits the process that joined last. That may be a
// replaced process: it slept, its successor died and was forgotten, and then it woke and joined.
//
// So the broker keeps a number for each address: the producer id and epoch of a transactional id
// that is made from it. Each process that starts has the broker raise the number (InitProducerID),
// BEFORE it joins. Nothing is ever written under this transactional id.
type address struct {
	name   string // empty: this process has none, and cannot be replaced
	id     string // transactional id
	client *kgo.Client
	number number // as this process raised it
}

type number struct {
	producer int64
	epoch    int16
}

// occupy takes the address, and checks that the broker can be asked about it later. A crash here
// leaves the address to the next process that starts.
func (a *address) occupy(ctx context.Context, pause func()) error {
	if a.name == "" {
		return nil
	}
	err := a.raise(ctx)
	for errors.Is(err, kerr.ConcurrentTransactions) && ctx.Err() == nil {
		pause() // another process raises it at this moment
		err = a.raise(ctx)
	}
	if err == nil {
		_, err = a.isReplaced(ctx)
	}
	return err
}

func (a *address) raise(ctx context.Context) error {
	ask := kmsg.NewPtrInitProducerIDRequest()
	ask.TransactionalID, ask.TransactionTimeoutMillis = &a.id, 1000
	ask.ProducerID, ask.ProducerEpoch = -1, -1 // those of a new producer
	answer, err := ask.RequestWith(ctx, a.client)
	if err != nil {
		return err
	}
	a.number = number{answer.ProducerID, answer.ProducerEpoch}
	return kerr.ErrorForCode(answer.ErrorCode)
}

// isReplaced reports whether another process has started under the address since this one did.
// kerr.TransactionalIDNotFound means that the broker has forgotten the address. It does so if no
// process started under it for days (transactional.id.expiration.ms).
func (a *address) isReplaced(ctx context.Context) (bool, error) {
	if a.name == "" {
		return false, nil
	}
	described, err := kadm.NewClient(a.client).DescribeTransactions(ctx, a.id)
	if err != nil {
		return false, err
	}
	now, err := described.On(a.id, nil)
	if err == nil {
		err = now.Err
	}
	return err == nil && number{now.ProducerID, now.ProducerEpoch} != a.number, err
}
