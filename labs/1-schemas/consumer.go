package codec

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Consumer reads typed events as a member of a consumer group.
type Consumer struct {
	client *kgo.Client
	parked string
	codec  contract.Codec
	json   contract.JSONCodec // see ReadJSON (consuming.go)
}

var _ contract.Consumer = (*Consumer)(nil)

// handler is the caller's function for one event.
type handler = func(context.Context, contract.Event, trade.Body) error

// NewConsumer reads through client, which stays the caller's. The client is a member of a group and
// does not commit by itself. The group takes no partition away from it between a poll and the next
// AllowRebalance (kgo.BlockRebalanceOnPoll). You must call AllowRebalance.
//
// Records that are no events go to the topic parked. The client and that topic accept records that
// are somewhat larger than those that are read.
func NewConsumer(client *kgo.Client, parked string, codec contract.Codec) *Consumer {
	return &Consumer{client: client, parked: parked, codec: codec}
}

// Run hands over events, one at a time, until ctx ends (L1.I8, L1.I10, L1.I11).
//
// Exercise 4. In each turn: poll, handleAll, commit, AllowRebalance. handleAll and commit are in
// consuming.go, and so is unlessEnded, for an error after the end of ctx. After another error the
// client has fetched more records than were handled: nobody calls Run again on it, and the program
// continues with a new client.
func (c *Consumer) Run(ctx context.Context, handle handler) error {
	return check.TODO("L1.consume")
}

// handleRecord hands over the event of a record, or parks the record (L1.I9, L1.I10). handleAll
// (consuming.go) calls it.
//
// Exercise 4. eventOf (envelope.go) reads the headers, and c.decode (consuming.go) the body. Send
// every error of these two to c.park for now. Hand over the event that c.decode returns.
//
// Exercise 5. Decide for each error of the codec whether the record is its cause: would the same
// record give the same error tomorrow?
func (c *Consumer) handleRecord(ctx context.Context, r *kgo.Record, handle handler) error {
	return check.TODO("L1.consume")
}

// poison lists the errors of the codec that are the same however often a record is read.
//
// Exercise 5.
var poison []error

// park copies r to the parked topic, with its place and the reason in further headers: the names
// are contract.Parked… (L1.I9). It returns after the brokers have acknowledged the copy.
//
// Exercise 5. truncate (consuming.go) shortens a text.
func (c *Consumer) park(ctx context.Context, r *kgo.Record, reason error) error {
	return check.TODO("L1.park")
}

// Avro returns an event in the JSON form as the event that a producer of Avro sends under the same
// version of the schema (L1.I12). c.decode (consuming.go) calls it. Its errors are those of Decode.
//
// Exercise 6. j.schemaOf (jsonform.go) has the schema that the data names, and the id of that
// schema in Avro. The format of the schema (formatOf) reads the text with readJSON, and writes the
// value in Avro with write. If write fails, which program is at fault?
func (j *JSONForm) Avro(ctx context.Context, e contract.Event) (contract.Event, error) {
	return contract.Event{}, check.TODO("L1.json")
}

// Provided and not used yet: remove this line when you use them.
var _, _, _, _ = eventOf, poison, truncate, (*JSONForm).schemaOf
var _, _, _, _ = (*Consumer).park, (*Consumer).handleAll, (*Consumer).decode, format.readJSON
