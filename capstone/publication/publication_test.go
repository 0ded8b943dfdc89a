package publication_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/ledger"
	"example.com/blotter/capstone/publication"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	"example.com/blotter/solutions/2-store/memory"
)

var start = time.Date(2025, 1, 10, 9, 0, 0, 0, time.UTC)

const topic = "books.public"

// A bench is a log with ledgers, and a cluster with the topic of its public events.
type bench struct {
	t       *testing.T
	log     *memory.Store
	desk    *ledger.Desk
	cluster *kfake.Cluster
	cursor  *cursor
	of      *savedID
	n       int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	log := memory.New(contract.SimulatedClock)
	desk := &ledger.Desk{Log: log, Codec: domain.Offline(), Zone: trade.BookZone(), Source: "test"}
	return &bench{t: t, log: log, desk: desk, cluster: cluster, cursor: new(cursor),
		of: new(savedID)}
}

func (b *bench) brokers() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(b.cluster.ListenAddrs()...)}
}

// publisher returns a publisher of a new process.
func (b *bench) publisher() *publication.Publisher {
	b.t.Helper()
	to, err := publication.OpenTopic(b.brokers(), topic)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, to.Close()) })
	return &publication.Publisher{Log: b.log, Name: "books", Topic: to, Cursor: b.cursor, Of: b.of}
}

// do sends requests to a ledger, which accepts them.
func (b *bench) do(name string, requests ...ledger.Request) {
	b.t.Helper()
	for _, r := range requests {
		b.n++
		out, err := b.desk.Do(b.t.Context(), ledger.Command{
			ID: fmt.Sprint("command-", b.n), Ledger: name,
			EnteredAt: start.Add(time.Duration(b.n) * time.Minute), Actor: "clerk/1",
			Approver: "chief/1", Reason: "private reason", Do: r})
		require.NoError(b.t, err)
		require.Nil(b.t, out.Refusal, "%+v", r)
	}
}

// keepBooks makes every kind of event of a ledger.
func (b *bench) keepBooks(name string) {
	b.t.Helper()
	b.do(name, open("cash", ledger.Asset), open("sales", ledger.Income), open("old", ledger.Asset),
		ledger.RenameAccount{Account: "cash", Name: "Jane Doe"},
		ledger.OpenPeriod{Period: "2024-12"}, ledger.OpenPeriod{Period: "2025-01"},
		post("E-1", "10.50"), post("E-2", "3"), ledger.ReverseEntry{Entry: "E-2", By: "E-2-back"},
		ledger.CreateEntry{Entry: "D-1", Description: "a draft", Lines: lines("1")},
		ledger.CorrectEntry{Entry: "E-1", Reversal: "E-1-back", Replacement: "E-3",
			Description: "again", Lines: lines("12.25")},
		ledger.ClosePeriod{Period: "2024-12"}, ledger.ReopenPeriod{Period: "2024-12"},
		ledger.BlockAccount{Account: "old"}, ledger.UnblockAccount{Account: "old"},
		ledger.CloseAccount{Account: "old"}, ledger.ReopenAccount{Account: "old"})
	late := post("E-4", "0.07")
	late.OriginalAt = start.AddDate(0, -1, 0)
	b.do(name, late)
	out, err := b.desk.Do(b.t.Context(), ledger.Command{ID: name + "-no", Ledger: name,
		EnteredAt: start, Actor: "clerk/1", Reason: "private reason", Do: post("E-1", "1")})
	require.NoError(b.t, err)
	require.NotNil(b.t, out.Refusal)
}

func open(name string, of ledger.AccountType) ledger.OpenAccount {
	return ledger.OpenAccount{Account: name, Name: "Jane Doe", Type: of, Currency: "EUR"}
}

func post(entry, amount string) ledger.PostEntry {
	return ledger.PostEntry{Entry: entry, Description: "private text", Lines: lines(amount)}
}

func lines(amount string) []ledger.Line {
	return []ledger.Line{ledger.LineOf("cash", trade.Dec(amount), "EUR"),
		ledger.LineOf("sales", trade.Dec("-"+amount), "EUR")}
}

// trial returns the balances of a ledger's trial balance, which its own fold makes of the log.
func (b *bench) trial(name string) map[string]string {
	b.t.Helper()
	end, err := b.log.End(b.t.Context())
	require.NoError(b.t, err)
	books := ledger.NewBooks(name, trade.BookZone())
	for f, err := range ledger.Facts(b.log.Read(b.t.Context(), nil, end), name) {
		require.NoError(b.t, err)
		books.Take(f)
	}
	balances := map[string]string{}
	for _, s := range books.Trial(trade.AsOf{}).Balances {
		balances[s.Account+" "+string(s.Currency)] = s.Balance.String()
	}
	return balances
}

// A cursor keeps the cursor of a publisher. It fails where a crash is to be.
type cursor struct {
	at   contract.Cursor
	left int // saves before the next crash; 0 for none
}

// A savedID keeps the id of a topic.
type savedID string

func (s *savedID) Load() (string, error) { return string(*s), nil }

func (s *savedID) Save(id string) error {
	*s = savedID(id)
	return nil
}

var errCrash = errors.New("crash")

func (c *cursor) Load() (contract.Cursor, error) { return c.at, nil }

func (c *cursor) Save(at contract.Cursor) error {
	if c.left > 0 {
		if c.left--; c.left == 0 {
			return errCrash
		}
	}
	c.at = at
	return nil
}

// records reads n records of the topic, those of each partition in their order.
func (b *bench) records(n int) (all []*kgo.Record) {
	b.t.Helper()
	client, err := kgo.NewClient(append(b.brokers(), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	require.NoError(b.t, err)
	defer client.Close()
	for len(all) < n {
		fetches := client.PollFetches(b.t.Context())
		require.NoError(b.t, fetches.Err())
		all = append(all, fetches.Records()...)
	}
	require.Len(b.t, all, n)
	return all
}

// size returns the number of records of the topic.
func (b *bench) size() (n int) {
	b.t.Helper()
	client, err := kgo.NewClient(b.brokers()...)
	require.NoError(b.t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(b.t.Context(), topic)
	require.NoError(b.t, err)
	ends.Each(func(o kadm.ListedOffset) { n += int(o.Offset) })
	return n
}

// A consumer is another system. It knows CloudEvents and the files of schemas/public, and no type
// of this program.
type consumer struct {
	t        *testing.T
	schemas  map[string]*jsonschema.Schema // by the end of dataschema
	texts    map[string]string             // of the events, by source and id
	order    map[string][]string           // the new ids of a ledger, as they came
	kinds    map[string]int                // new events, by type
	doubled  int
	balances map[string]map[string]trade.Decimal // by ledger, account and currency
}

func newConsumer(t *testing.T) *consumer {
	t.Helper()
	c := &consumer{t: t, schemas: map[string]*jsonschema.Schema{}, texts: map[string]string{},
		order: map[string][]string{}, kinds: map[string]int{},
		balances: map[string]map[string]trade.Decimal{}}
	const folder = "../../schemas/public"
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for _, f := range files {
		c.schemas[f.Name()], err = compiler.Compile(path.Join(folder, f.Name()))
		require.NoError(t, err)
	}
	return c
}

// read validates the records, leaves out the ids that it knows, and adds up the entries.
func (c *consumer) read(records []*kgo.Record) {
	c.t.Helper()
	for _, r := range records {
		require.Equal(c.t, []kgo.RecordHeader{{Key: "content-type",
			Value: []byte("application/cloudevents+json; charset=UTF-8")}}, r.Headers)
		var e struct {
			SpecVersion, ID, Source, Type, Subject, DataSchema, DataContentType string
			PartitionKey                                                        string
			Time                                                                time.Time
			Data                                                                json.RawMessage
		}
		require.NoError(c.t, json.Unmarshal(r.Value, &e))
		require.Equal(c.t, []string{"1.0", "application/json", string(r.Key)},
			[]string{e.SpecVersion, e.DataContentType, e.PartitionKey})
		require.NotContains(c.t, []string{e.ID, e.Source, e.Type, e.Subject}, "")
		require.False(c.t, e.Time.IsZero())
		key := e.Source + " " + e.ID
		if text, known := c.texts[key]; known {
			require.Equal(c.t, text, string(r.Value), "an event came again with other content")
			c.doubled++
			continue
		}
		c.texts[key] = string(r.Value)
		c.order[e.PartitionKey] = append(c.order[e.PartitionKey], e.ID)
		c.kinds[path.Base(e.DataSchema)]++
		data, err := jsonschema.UnmarshalJSON(strings.NewReader(string(e.Data)))
		require.NoError(c.t, err)
		schema := c.schemas[path.Base(e.DataSchema)]
		require.NotNil(c.t, schema, e.DataSchema)
		require.NoError(c.t, schema.Validate(data), "%s", e.Data)
		if strings.HasSuffix(e.Type, ".entry-posted") {
			c.add(e.Data)
		}
	}
}

func (c *consumer) add(data []byte) {
	c.t.Helper()
	var entry struct {
		Ledger string
		Lines  []struct{ Account, Side, Amount, Currency string }
	}
	require.NoError(c.t, json.Unmarshal(data, &entry))
	if c.balances[entry.Ledger] == nil {
		c.balances[entry.Ledger] = map[string]trade.Decimal{}
	}
	for _, l := range entry.Lines {
		amount := trade.Dec(l.Amount)
		if l.Side == "credit" {
			amount = amount.Neg()
		}
		sum := c.balances[entry.Ledger]
		sum[l.Account+" "+l.Currency] = sum[l.Account+" "+l.Currency].Add(amount)
	}
}

// requireBooks holds the consumer against the log: every ledger's balances and order of events.
func (c *consumer) requireBooks(b *bench, ledgers ...string) {
	c.t.Helper()
	for _, name := range ledgers {
		balances := map[string]string{}
		for account, sum := range c.balances[name] {
			balances[account] = sum.String()
		}
		require.NotEmpty(c.t, balances)
		require.Equal(c.t, b.trial(name), balances)
		end, err := b.log.End(c.t.Context())
		require.NoError(c.t, err)
		var order []string
		for f, err := range ledger.Facts(b.log.Read(c.t.Context(), nil, end), name) {
			require.NoError(c.t, err)
			if _, public, err := publication.Of("books", f); public {
				require.NoError(c.t, err)
				order = append(order, f.ID.String())
			}
		}
		require.Equal(c.t, order, c.order[name], "the events of ledger %s, in their order", name)
	}
}

// A consumer that has the public schemas alone reads every public event, and its balances are those
// of the trial balance. Nothing private leaves: no text, no principal, no name for people.
func TestConsumerRebuildsTheBalances(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.keepBooks("main")
	b.keepBooks("house")
	n, err := b.publisher().CatchUp(t.Context())
	require.NoError(t, err)
	c := newConsumer(t)
	c.read(b.records(n))
	c.requireBooks(b, "main", "house")
	require.Zero(t, c.doubled)
	kinds := slices.Sorted(maps.Keys(c.kinds))
	require.Equal(t, slices.Sorted(maps.Keys(c.schemas)), kinds, "a kind is not published")
	for _, text := range c.texts {
		for _, private := range []string{"Jane Doe", "private", "clerk/1", "chief/1", "command-"} {
			require.NotContains(t, text, private)
		}
	}

	n, err = b.publisher().CatchUp(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "another process goes on at the cursor")
	b.do("main", post("E-5", "7"))
	n, err = b.publisher().CatchUp(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// inside are the types of the ledger that are not published.
var inside = []string{"ledger.account-blocked", "ledger.account-credited",
	"ledger.account-debited", "ledger.account-renamed", "ledger.account-unblocked",
	"ledger.command-refused", "ledger.journal-created", "ledger.journal-entry-reversed"}

// Each type of the ledger is published or is named as private: a new one needs a decision.
func TestEachTypeIsPublicOrInside(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.keepBooks("main")
	end, err := b.log.End(t.Context())
	require.NoError(t, err)
	seen := map[string]bool{}
	for f, err := range ledger.Facts(b.log.Read(t.Context(), nil, end), "") {
		require.NoError(t, err)
		_, public, err := publication.Of("books", f)
		require.NoError(t, err)
		require.Equal(t, !slices.Contains(inside, f.Body.EventType()), public, f.Body.EventType())
		seen[f.Body.EventType()] = true
	}
	for _, s := range schemas.Domain() {
		if strings.HasPrefix(s.Type, "ledger.") {
			require.True(t, seen[s.Type], "%s: decide whether other systems get it", s.Type)
		}
	}
}

// A process dies at each save of the cursor, after the brokers have the events. The next one sends
// them again with the same ids: the consumer leaves them out, and misses nothing.
func TestPublisherDiesBeforeTheCursor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := newConsumer(t)
	b.keepBooks("main")
	b.cursor.left = 2 // the first save is that of the new topic
	_, err := b.publisher().CatchUp(t.Context())
	require.ErrorIs(t, err, errCrash)
	first := b.size()
	require.Positive(t, first)
	b.keepBooks("house")
	b.cursor.left = 1
	_, err = b.publisher().CatchUp(t.Context())
	require.ErrorIs(t, err, errCrash)
	require.Equal(t, 3*first, b.size())
	n, err := b.publisher().CatchUp(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2*first, n)
	c.read(b.records(5 * first))
	require.Equal(t, 3*first, c.doubled)
	c.requireBooks(b, "main", "house")
}

// The events of a long catch-up are sent in chunks. A process that dies between two of them goes on
// at the last cursor, and the order of each ledger is kept.
func TestPublisherDiesBetweenChunks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.do("main", open("cash", ledger.Asset), open("sales", ledger.Income),
		ledger.OpenPeriod{Period: "2025-01"})
	const entries, all = 6, 9
	for i := range entries {
		long := post(fmt.Sprint("L-", i), "1")
		for len(long.Lines) < 200 {
			long.Lines = append(long.Lines, lines("1")...)
		}
		b.do("main", long)
	}
	b.cursor.left = 3 // after those of the topic and of the first chunk
	_, err := b.publisher().CatchUp(t.Context())
	require.ErrorIs(t, err, errCrash)
	sent := b.size()
	n, err := b.publisher().CatchUp(t.Context())
	require.NoError(t, err)
	require.Less(t, n, all, "it began at the first chunk again")
	c := newConsumer(t)
	c.read(b.records(sent + n))
	require.Positive(t, c.doubled)
	require.Len(t, c.order["main"], all)
	c.requireBooks(b, "main")
}

// Brokers that refuse the events leave the cursor where it was. A topic that is lost is made again
// with all events.
func TestPublisherLosesItsBrokers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.keepBooks("main")
	p := b.publisher()
	refused := false
	b.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		refused = true
		return refuse(r.(*kmsg.ProduceRequest)), nil, true
	})
	_, err := p.CatchUp(t.Context())
	require.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
	require.ErrorContains(t, err, "publish to topic books.public")
	require.True(t, refused)
	require.Nil(t, b.cursor.at)
	n, err := p.CatchUp(t.Context())
	require.NoError(t, err)
	require.Equal(t, n, b.size())

	client, err := kgo.NewClient(b.brokers()...)
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	for _, byAnother := range []bool{false, true} {
		_, err = admin.DeleteTopic(t.Context(), topic)
		require.NoError(t, err)
		if byAnother { // such as a consumer, by auto-creation
			_, err = admin.CreateTopic(t.Context(), 1, 1, nil, topic)
			require.NoError(t, err)
		}
		again, err := b.publisher().CatchUp(t.Context())
		require.NoError(t, err)
		require.Equal(t, n, again, "created by another: %v", byAnother)
		c := newConsumer(t)
		c.read(b.records(n))
		c.requireBooks(b, "main")
	}

	// A broker that does not know the topic yet: its answer is stale, and nothing is sent again.
	stale := true
	b.cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		asked := r.(*kmsg.MetadataRequest)
		if !stale || len(asked.Topics) == 0 {
			b.cluster.KeepControl()
			return nil, nil, false
		}
		stale = false
		return unknown(asked), nil, true
	})
	again, err := b.publisher().CatchUp(t.Context())
	require.NoError(t, err)
	require.Zero(t, again)
	require.False(t, stale)
	again, err = b.publisher().Again(t.Context())
	require.NoError(t, err)
	require.Equal(t, n, again)
}

// unknown answers a request of metadata like a broker that does not know the topic.
func unknown(r *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	answer := r.ResponseKind().(*kmsg.MetadataResponse)
	for _, asked := range r.Topics {
		of := kmsg.NewMetadataResponseTopic()
		of.Topic, of.ErrorCode = asked.Topic, kerr.UnknownTopicOrPartition.Code
		answer.Topics = append(answer.Topics, of)
	}
	return answer
}

// A cutLog is a log whose read fails before an event.
type cutLog struct {
	contract.Reader
	at int
}

func (l cutLog) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		n := 0
		for r, err := range l.Reader.Read(ctx, from, to) {
			if n++; n == l.at {
				r, err = contract.Recorded{}, errCrash
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// The events before one that cannot be read are published, and the cursor is after them.
func TestPublisherStopsAtABadEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.keepBooks("main")
	p := b.publisher()
	p.Log = cutLog{b.log, 20}
	n, err := p.CatchUp(t.Context())
	require.ErrorIs(t, err, errCrash)
	require.Positive(t, n)
	require.Equal(t, n, b.size())
	require.NotNil(t, b.cursor.at)
	rest, err := b.publisher().CatchUp(t.Context())
	require.NoError(t, err)
	c := newConsumer(t)
	c.read(b.records(n + rest))
	require.Zero(t, c.doubled)
	c.requireBooks(b, "main")
}

// The cursor moves past many events of which none is public.
func TestPublisherPassesPrivateEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.do("main", open("cash", ledger.Asset))
	for n := range 10_000 {
		b.do("main", ledger.RenameAccount{Account: "cash", Name: fmt.Sprint("Jane ", n)})
	}
	b.cursor.left = 3 // the saves of the new topic, of the first 10,000 events, and of the end
	_, err := b.publisher().CatchUp(t.Context())
	require.ErrorIs(t, err, errCrash)
	require.NotNil(t, b.cursor.at)
	n, err := b.publisher().CatchUp(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "the only public event is not sent again")
}

// refuse answers a request of a producer that may not write to the topic.
func refuse(r *kmsg.ProduceRequest) *kmsg.ProduceResponse {
	answer := r.ResponseKind().(*kmsg.ProduceResponse)
	for _, asked := range r.Topics {
		of := kmsg.NewProduceResponseTopic()
		of.Topic, of.TopicID = asked.Topic, asked.TopicID
		for _, p := range asked.Partitions {
			one := kmsg.NewProduceResponseTopicPartition()
			one.Partition, one.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
			of.Partitions = append(of.Partitions, one)
		}
		answer.Topics = append(answer.Topics, of)
	}
	return answer
}

// A cursor past the end of its log is that of events which the log has lost.
func TestPublisherAheadOfItsLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.keepBooks("main")
	p := b.publisher()
	_, err := p.CatchUp(t.Context())
	require.NoError(t, err)
	b.log = memory.New(contract.SimulatedClock)
	_, err = b.publisher().CatchUp(t.Context())
	require.ErrorAs(t, err, new(*contract.AheadError))
}

// The example of the ledger's guide is an event as it is published.
func TestGuideShowsAnEvent(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../ledger/README.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(string(guide))
	require.NotNil(t, block)
	id := trade.EventID("o-6", 0)
	lines := []ledger.Line{ledger.LineOf("assets:bank:EUR", trade.Dec("500.00"), "EUR"),
		ledger.LineOf("income:fees:EUR", trade.Dec("-500.00"), "EUR")}
	at := time.Date(2025, 1, 10, 9, 0, 0, 0, time.UTC)
	e, ok, err := publication.Of("blotter", ledger.Fact{Stream: ledger.JournalStream("club", "E-1"),
		ID: id, EffectiveAt: at, RecordedAt: at.Add(250 * time.Millisecond),
		Body: ledger.JournalEntryPosted{Entry: "E-1", Description: "fees of January",
			Lines: lines}})
	require.NoError(t, err)
	require.True(t, ok)
	text, err := json.MarshalIndent(e, "", "  ")
	require.NoError(t, err)
	require.JSONEq(t, block[1], string(text), "the guide should show:\n%s", text)
}
