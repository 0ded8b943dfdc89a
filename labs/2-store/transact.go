package store

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
)

// errUnconfirmed is wrapped by the error of a transaction whose commit was requested and not
// confirmed: it may have landed. Any other error of transact means that no commit was requested:
// such a transaction never lands.
var errUnconfirmed = errors.New("commit is not confirmed")

// transact writes records in one transaction, and fills in their offsets (L2.I2). It returns after
// readers of committed records can see them. After any error the producer cannot be used again.
//
// Exercise 2. p.client has BeginTransaction and EndTransaction(ctx, kgo.TryCommit). p.produce and
// p.awaitVisible (producer.go) are provided. Which steps may ctx interrupt, and which not? Wait no
// longer than p.timeout.
func (p *producer) transact(ctx context.Context, records []*kgo.Record) error {
	return check.TODO("L2.transact")
}

// These are provided or exercises. Remove this line when you use them.
var _, _, _, _ = (*producer).produce, (*producer).awaitVisible, (*producer).transact, errUnconfirmed
