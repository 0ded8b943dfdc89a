package codec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Consumer reads typed events as a member of a consumer group.
//
// What cannot be read must neither stop the partition for ever nor vanish. So it is parked: the record goes to a topic of its own, byte
// for byte, with where it was and what is wrong in headers beside its own, for somebody to look at and to send again. What is wrong may
// quote the record: it is cut, for a parked record that is too large to be parked would stop the partition after all.
type Consumer struct {
	client *kgo.Client
	parked string
	codec  contract.Codec
}

var _ contract.Consumer = (*Consumer)(nil)

// NewConsumer reads through client, which stays the caller's and is a member of a group with its automatic commits turned off
// (kgo.ConsumerGroup, kgo.ConsumeTopics, kgo.DisableAutoCommit), and keeps its partitions while it has records at hand
// (kgo.BlockRebalanceOnPoll): else a member that joins begins at the last commit, and the two handle the same records side by side. What is
// at hand must be handled within the group's rebalance timeout (kgo.RebalanceTimeout), or the group goes on without this member. A client
// that blocks rebalances is closed by kgo.Client.CloseAllowingRebalance.
//
// Records that are no events go to the topic parked. A parked record is larger than it was, by headers of some 1.5 kB: so the client's
// kgo.ProducerBatchMaxBytes and the topic's max.message.bytes must be above the max.message.bytes of the topics that are read (1,048,588,
// where nobody set it; the client's own default is less). Else one that is nearly as large as they allow stops its partition.
func NewConsumer(client *kgo.Client, parked string, codec contract.Codec) *Consumer {
	return &Consumer{client, parked, codec}
}

// Run hands over events, one at a time (see contract.Consumer). An offset is committed after its record was handled or parked: so a crash, or
// a group that did not wait, makes an event come twice, never not at all, and handle must bear that. After an error the client has fetched more than was handled: close
// it, and go on with a new one.
func (c *Consumer) Run(ctx context.Context, handle func(context.Context, contract.Event, trade.Body) error) error {
	defer c.client.AllowRebalance()
	for {
		fetches := c.client.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return nil
		}
		done, failed := c.take(ctx, fetches.Records(), handle)
		// Crash here: what is done comes again.
		if err := cmp.Or(failed, c.commit(ctx, done), unread(fetches)); err != nil {
			return stopped(ctx, err)
		}
		// AFTER the commit: whoever is given the partition now begins behind what is done.
		c.client.AllowRebalance()
	}
}

// unread is the first error of a fetch, wherever it stands: the client tells of each but once, and beside the records of other partitions.
// It tries again by itself what may pass. What is left, such as records that are lost or may not be read, would be a hole in silence.
func unread(fetches kgo.Fetches) error {
	if err := fetches.Err(); err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	return nil
}

// take goes through records until one fails, and gives those that are done.
func (c *Consumer) take(ctx context.Context, records []*kgo.Record, handle func(context.Context, contract.Event, trade.Body) error) ([]*kgo.Record, error) {
	for i, r := range records {
		if err := c.one(ctx, r, handle); err != nil {
			return records[:i], fmt.Errorf("%s %d/%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	return records, nil
}

func (c *Consumer) one(ctx context.Context, r *kgo.Record, handle func(context.Context, contract.Event, trade.Body) error) error {
	e, err := eventOf(r)
	if err != nil {
		return c.park(ctx, r, err)
	}
	body, err := c.codec.Decode(ctx, e.Type, e.Data)
	switch {
	case isPoison(err):
		return c.park(ctx, r, err)
	case err != nil:
		return err
	}
	return handle(ctx, e, body)
}

// poison are the errors that will be the same however often the record is read. A schema that the registry does not have is one of
// them: whoever publishes it late can send the parked record again. A registry that does not answer is none.
var poison = []error{
	contract.ErrMagic, contract.ErrTruncated, contract.ErrTrailing, contract.ErrOversize, contract.ErrMalformed,
	contract.ErrUnknownSchema, contract.ErrWrongType,
}

func isPoison(err error) bool {
	return slices.ContainsFunc(poison, func(p error) bool { return errors.Is(err, p) })
}

// park writes r to the parked topic BEFORE its offset is committed.
func (c *Consumer) park(ctx context.Context, r *kgo.Record, why error) error {
	parked := &kgo.Record{Topic: c.parked, Key: r.Key, Value: r.Value, Headers: append(slices.Clone(r.Headers),
		kgo.RecordHeader{Key: contract.ParkedTopic, Value: []byte(r.Topic)},
		kgo.RecordHeader{Key: contract.ParkedPartition, Value: []byte(strconv.Itoa(int(r.Partition)))},
		kgo.RecordHeader{Key: contract.ParkedOffset, Value: []byte(strconv.FormatInt(r.Offset, 10))},
		kgo.RecordHeader{Key: contract.ParkedError, Value: []byte(cut(why.Error(), contract.MaxAttribute))},
	)}
	if err := c.client.ProduceSync(ctx, parked).FirstErr(); err != nil {
		return fmt.Errorf("park: %w", err)
	}
	// Crash here: it is parked twice, under the same headers.
	return nil
}

// cut is text up to n bytes, without a part of a character at its end.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

// commit has a few seconds even when ctx has ended, so that what is done is not handed over again.
func (c *Consumer) commit(ctx context.Context, done []*kgo.Record) error {
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := c.client.CommitRecords(ctx, done...); err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	return nil
}

const commitTimeout = 5 * time.Second

// stopped is err, unless the reason to stop is that ctx has ended.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
