package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/tracing"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	kafkastore "example.com/blotter/solutions/2-store/kafka"
	postgresstore "example.com/blotter/solutions/2-store/postgres"
)

// Stores has a row for each kind of log. A new store is a package and a row.
var Stores = []Store{
	{"kafka", true, "kafka", reachKafka, findTopic, openKafkaLog, nil},
	{"postgres", false, "postgres", reachPostgres, nil, openPostgresLog, migratePostgresLog},
}

// A Store is one kind of log.
type Store struct {
	Name      string // as --store gives it
	Owned     bool   // a log has partitions, and each has one owner that appends to it
	Component string // the component of the stack that holds the log

	// Reach starts the component that holds the log, and returns its address.
	Reach func(context.Context, stack.Stack) (Endpoint, error)
	// Topic finds the topic of a log. It is nil for a store without topics.
	Topic func(context.Context, Endpoint, logdir.Name) (logdir.Topic, error)
	Open  func(context.Context, Endpoint, LogOptions) (Log, error)
	// Migrate creates or migrates the database schema of a log. It is nil for a store without one.
	Migrate func(context.Context, stack.Postgres, logdir.Settings) error
}

// ErrIndexDiffers is wrapped by the error of Session.CheckIndex.
var ErrIndexDiffers = kafkastore.ErrIndexDiffers

// An Endpoint is the servers that a store needs, for a process that has no stack.
type Endpoint struct {
	Kafka    stack.Kafka    `json:",omitzero"`
	Registry stack.Registry `json:",omitzero"` // for the codec of heads
	Postgres stack.Postgres `json:",omitzero"`
}

// LogOptions are the choices of one process that opens a log.
type LogOptions struct {
	Name       logdir.Name
	Partitions int32
	Clock      contract.Clock
	Simulated  bool               // of a log that is created now: see contract.Timeline
	Heads      contract.HeadCodec // nil opens that of the registry; a reader needs neither
	Address    string             // of this process, for other owners
	Dir        string             // of index files; empty keeps the index in memory
	ReadOnly   bool
	Existing   bool          // the log was created before: do not migrate it
	Alone      bool          // with ReadOnly: nobody owns a partition while this log is open
	Timeout    time.Duration // for a commit; 0 means the store's default
	Unwritten  int           // see kafka.Options; 0 means its default
	Log        *slog.Logger
	Grouped    func(events int)     // see kafka.Options
	Traces     trace.TracerProvider // nil: there are no spans
}

// A Log is an open store.
type Log interface {
	contract.Store
	Close() error
}

// StoreNames returns the names of all stores.
func StoreNames() (names []string) {
	for _, s := range Stores {
		names = append(names, s.Name)
	}
	return names
}

// StoreOf returns the store of a name, as settings and the command line give it.
func StoreOf(name string) (Store, error) {
	for _, s := range Stores {
		if s.Name == name {
			return s, nil
		}
	}
	return Store{}, fmt.Errorf("there is no store %q", name)
}

// guarded is a log that can tell whether its protection is as it was made.
type guarded interface {
	Drift(context.Context) ([]string, error)
	Strays(context.Context) ([]string, error)
}

// Drift describes what protects the log in its database and has changed. Brokers and buckets that
// no longer protect a log are refused when they are opened.
func (s *Session) Drift(ctx context.Context) ([]string, error) {
	if s.guarded == nil {
		return nil, nil
	}
	return s.guarded.Drift(ctx)
}

// Strays describes the events that were put into the log's database past the store. No reader of
// the log sees them.
func (s *Session) Strays(ctx context.Context) ([]string, error) {
	if s.guarded == nil {
		return nil, nil
	}
	return s.guarded.Strays(ctx)
}

// A role is the relation of a process to a log with owners, while it has the log open.
type role int

const (
	reader role = iota
	alone       // a reader, and there is no owner
	owner
)

// openStore opens the log in the role that the access asks for.
func (s *Session) openStore(ctx context.Context, heads contract.HeadCodec) (Log, error) {
	kind, err := StoreOf(s.Settings().Store)
	if err != nil {
		return nil, err
	}
	at, err := kind.Reach(ctx, s.stack)
	if err != nil {
		return nil, err
	}
	if err := s.checkTopic(ctx, kind, at); err != nil {
		return nil, err
	}
	as := reader
	if kind.Owned {
		if as, err = s.takeRole(ctx); err != nil {
			return nil, err
		}
	}
	s.owns = as == owner
	log, err := kind.Open(ctx, at, LogOptions{
		Name: s.Settings().Name, Partitions: s.Settings().Partitions, Clock: s.clock(),
		Simulated: s.Settings().Simulated,
		Heads:     heads, Address: s.dir.Address(), Dir: s.dir.Index(), Alone: as == alone,
		ReadOnly: kind.Owned && as != owner || s.access == Inspect,
		// A query leaves the schema as it is, so that status sees it as somebody else left it.
		Existing: s.access != Write && !s.dir.IsNew(),
		Log:      s.config.logger(),
		Grouped:  s.config.Grouped, Traces: s.config.Traces,
	})
	if err != nil {
		return nil, err
	}
	s.onClose(log.Close)
	s.guarded, _ = log.(guarded)
	// BEFORE the first append: the clock is that of the settings.
	if s.timeline, err = log.Timeline(ctx); err == nil {
		err = s.dir.CheckTimeline(s.timeline)
	}
	if err != nil {
		return nil, err
	}
	if kind.Topic != nil && s.dir.IsNew() {
		found, err := kind.Topic(ctx, at, s.Settings().Name)
		if err != nil {
			return nil, err
		}
		s.dir.Identify(found)
	}
	return log, nil
}

// checkTopic compares the data folder with the broker's topic. If no broker answers it says
// nothing: the store is opened next, and waits.
func (s *Session) checkTopic(ctx context.Context, kind Store, at Endpoint) (err error) {
	if kind.Topic == nil {
		return nil
	}
	var mark contract.Cursor
	if !s.acceptsLoss() {
		if mark, err = s.dir.Reached(); err != nil { // BEFORE the topic is asked for
			return err
		}
	}
	found, err := kind.Topic(ctx, at, s.Settings().Name)
	if err != nil {
		return nil
	}
	return s.dir.CheckTopic(found, mark, s.config.Choices)
}

// takeRole returns the role that the access asks for. A query changes nothing, so it is a reader.
// Only an owner knows the frontier, or a process that keeps others from becoming an owner. With the
// embedded stack the lock does that, because no other folder has owners there.
func (s *Session) takeRole(ctx context.Context) (role, error) {
	if s.access == Inspect {
		return reader, nil
	}
	lock := s.dir.Lock
	if s.access == Write {
		lock = func() (func() error, error) { return s.dir.LockSoon(ctx) }
	}
	release, err := lock()
	busy := new(logdir.BusyError)
	switch {
	case s.access != Write && errors.As(err, &busy):
		s.Writer = busy.PID
		return reader, nil
	case err != nil:
		return reader, err
	case s.access == Query, s.access == Draft:
		return reader, release()
	}
	s.onClose(release)
	if s.access == AsOfQuery && s.Settings().Stack == "embedded" {
		return alone, nil
	}
	return owner, nil
}

func (s *Session) clock() contract.Clock {
	if s.Settings().Simulated || s.config.Restoring != "" {
		return contract.SimulatedClock
	}
	return func(context.Context) time.Time { return time.Now() }
}

func reachKafka(ctx context.Context, on stack.Stack) (at Endpoint, err error) {
	at.Kafka, err = on.Kafka(ctx)
	return at, err
}

func openKafkaLog(ctx context.Context, at Endpoint, o LogOptions) (Log, error) {
	if o.Heads == nil && at.Registry.URL != "" {
		codec, err := OpenCodec(ctx, at.Registry, o.Name)
		if err != nil {
			return nil, err
		}
		o.Heads = codec
	}
	brokers, err := at.Kafka.Options()
	if err != nil {
		return nil, err
	}
	if o.Traces != nil {
		brokers = append(brokers, kgo.WithHooks(tracing.Kafka(o.Traces)))
	}
	store, err := openKafka(ctx, kafkastore.Options{
		Brokers: brokers, Prefix: o.Name.Topics(), Partitions: o.Partitions,
		Place: kafkastore.ByPlace, // a refusal beside its trade, an entry beside its accounts
		Clock: o.Clock, Simulated: o.Simulated,
		Heads: o.Heads, Address: o.Address, ReadOnly: o.ReadOnly, Alone: o.Alone,
		Timeout: o.Timeout, Dir: o.Dir, Unwritten: o.Unwritten, Log: o.Log,
		Grouped: o.Grouped,
	})
	if err != nil {
		return nil, err // not a Log that holds a nil store
	}
	return store, nil
}

// findTopic asks the brokers once or twice, and again while a broker that has just started is not
// yet the leader of a partition. The store, which is opened next, waits longer.
func findTopic(ctx context.Context, at Endpoint, name logdir.Name) (t logdir.Topic, err error) {
	brokers, err := at.Kafka.Options()
	if err != nil {
		return t, err
	}
	client, err := kgo.NewClient(append(brokers, kgo.RequestRetries(2))...)
	if err != nil {
		return t, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		t, err = askForTopic(ctx, kadm.NewClient(client), name.EventTopic())
		if !kerr.IsRetriable(err) {
			return t, err
		}
		select {
		case <-ctx.Done():
			return t, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// askForTopic returns the topic, or an empty one if there is none.
func askForTopic(ctx context.Context, admin *kadm.Client, name string) (t logdir.Topic, err error) {
	found, err := admin.ListTopics(ctx, name)
	if err != nil {
		return t, err
	}
	detail := found[name]
	if errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
		return t, nil
	}
	if detail.Err != nil {
		return t, detail.Err
	}
	t.Partitions = int32(len(detail.Partitions))
	if detail.ID != (kadm.TopicID{}) {
		t.ID = detail.ID.String()
	}
	offsets, err := admin.ListCommittedOffsets(ctx, name)
	if err == nil {
		err = offsets.Error()
	}
	for p := range t.Partitions {
		end, _ := offsets.Lookup(name, p)
		t.Ends = append(t.Ends, end.Offset)
	}
	return t, err
}

func reachPostgres(ctx context.Context, on stack.Stack) (at Endpoint, err error) {
	at.Postgres, err = on.Postgres(ctx)
	return at, err
}

func openPostgresLog(ctx context.Context, at Endpoint, o LogOptions) (Log, error) {
	if o.Existing {
		at.Postgres.MigrationDSN = ""
	}
	var tracer pgx.QueryTracer
	if o.Traces != nil {
		tracer = otelpgx.NewTracer(otelpgx.WithTracerProvider(o.Traces))
	}
	store, err := postgresstore.Open(ctx, postgresstore.Options{
		Tracer: tracer, DSN: at.Postgres.MigrationDSN, AppDSN: at.Postgres.DSN,
		Schema: o.Name.LogSchema(), Clock: o.Clock, Simulated: o.Simulated,
		ReadOnly: o.ReadOnly, Log: o.Log, Grouped: o.Grouped,
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

func migratePostgresLog(ctx context.Context, at stack.Postgres, s logdir.Settings) error {
	return postgresstore.Migrate(ctx, postgresstore.Options{
		DSN: at.MigrationDSN, AppDSN: at.DSN, Schema: s.Name.LogSchema(), Simulated: s.Simulated,
	})
}
