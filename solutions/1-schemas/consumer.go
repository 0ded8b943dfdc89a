package codec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Consumer reads typed events as a member of a consumer group.
//
// A record that cannot be read must neither stop its partition for ever nor disappear. It is
// parked: the consumer copies it byte for byte to a topic of its own, and adds headers with its
// position and its error. A person can look at it there and send it again. The error may quote the
// record, so it is truncated: a copy that is too large to be parked would stop the partition after
// all.
type Consumer struct {
	client *kgo.Client
	parked string
	codec  contract.Codec
	json   contract.JSONCodec // see ReadJSON
}

var _ contract.Consumer = (*Consumer)(nil)

// handler is the caller's function for one event.
type handler = func(context.Context, contract.Event, trade.Body) error

// NewConsumer reads through client, which stays the caller's. The client is a member of a group
// without automatic commits (kgo.ConsumerGroup, kgo.ConsumeTopics, kgo.DisableAutoCommit).
//
// The client keeps its partitions while it has records in flight (kgo.BlockRebalanceOnPoll).
// Otherwise a member that joins begins at the last commit, and two members handle the same records.
// Records in flight must be handled within the group's rebalance timeout (kgo.RebalanceTimeout), or
// the group continues without this member. A client that blocks rebalances is closed by
// kgo.Client.CloseAllowingRebalance.
//
// Records that are not events go to the topic parked. The added headers take about 1.5 kB, so the
// limits for parked records must be 1.5 kB above the max.message.bytes of the topics that the
// client reads (1,048,588 by default). These limits are the parked topic's max.message.bytes and
// the client's kgo.ProducerBatchMaxBytes, whose default is too low. Otherwise a record of almost
// the maximum size stops its partition.
func NewConsumer(client *kgo.Client, parked string, codec contract.Codec) *Consumer {
	return &Consumer{client: client, parked: parked, codec: codec}
}

// Run hands over events, one at a time (see contract.Consumer). It commits an offset after the
// record was handled or parked. After a crash, or when the group did not wait, an event comes twice
// and is never lost; handle must tolerate that. After an error the client has fetched more records
// than were handled: close it and continue with a new one.
func (c *Consumer) Run(ctx context.Context, handle handler) error {
	defer c.client.AllowRebalance()
	for {
		fetches := c.client.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return nil
		}
		done, failed := c.handleAll(ctx, fetches.Records(), handle)
		// A crash here means that the records in done come again.
		//
		// A fetch may have errors beside the records of other partitions, and the client reports
		// each once. It retries temporary ones by itself. The rest, such as lost or forbidden
		// records, would be a silent gap.
		if err := cmp.Or(failed, c.commit(ctx, done), fetches.Err()); err != nil {
			return unlessEnded(ctx, err)
		}
		// AFTER the commit: the next owner of a partition then begins after the records in done.
		c.client.AllowRebalance()
	}
}

// handleRecord hands over the event of a record, or parks the record.
func (c *Consumer) handleRecord(ctx context.Context, r *kgo.Record, handle handler) error {
	e, err := eventOf(r)
	if err != nil {
		return c.park(ctx, r, err)
	}
	e, body, err := c.decode(ctx, r, e)
	isCause := func(p error) bool { return errors.Is(err, p) }
	switch {
	case slices.ContainsFunc(poison, isCause):
		return c.park(ctx, r, err)
	case err != nil:
		return err
	}
	return handle(ctx, e, body)
}

// poison lists the errors that are the same however often a record is read. An unknown schema is
// poison: after it is published, a person can send the parked record again. The error of a registry
// that does not answer is not poison.
var poison = []error{
	contract.ErrMagic, contract.ErrTruncated, contract.ErrTrailing, contract.ErrOversize,
	contract.ErrMalformed, contract.ErrUnknownSchema, contract.ErrWrongType,
}

// Avro returns an event in the JSON form as the event in Avro that it is (see contract.JSONCodec).
// The text is read under the version that its id names, and written in Avro under the same version:
// it becomes today's body only later, as all data does. The schema is that of the id, and not that
// of the headers, which the digest would believe.
func (j *JSONForm) Avro(ctx context.Context, e contract.Event) (contract.Event, error) {
	s, avroID, err := j.schemaOf(ctx, e.Data)
	switch {
	case err != nil:
		return contract.Event{}, err
	case s.Type != e.Type:
		return contract.Event{}, fmt.Errorf("%w: %s", contract.ErrWrongType, s.Type)
	}
	f := formatOf(s)
	value, err := f.readJSON(e.Data[prefixSize:])
	if err != nil {
		return contract.Event{}, err
	}
	data, err := f.write(prefixOf(avroID), value)
	if err != nil { // %v, not %w: the data is at fault, and not a caller that encodes
		return contract.Event{}, fmt.Errorf("%w: %v", contract.ErrMalformed, err)
	}
	e.Schema, e.Fingerprint, e.Data = s.Version, s.Fingerprint, data
	return e, nil
}

// park copies r to the parked topic BEFORE its offset is committed.
func (c *Consumer) park(ctx context.Context, r *kgo.Record, reason error) error {
	headers := slices.Clone(r.Headers)
	add := func(key, value string) {
		headers = append(headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	add(contract.ParkedTopic, r.Topic)
	add(contract.ParkedPartition, strconv.Itoa(int(r.Partition)))
	add(contract.ParkedOffset, strconv.FormatInt(r.Offset, 10))
	add(contract.ParkedError, truncate(reason.Error(), contract.MaxAttribute))
	parked := &kgo.Record{Topic: c.parked, Key: r.Key, Value: r.Value, Headers: headers}
	if err := c.client.ProduceSync(ctx, parked).FirstErr(); err != nil {
		return fmt.Errorf("park: %w", err)
	}
	// A crash here means that the record is parked twice, with the same headers.
	return nil
}
