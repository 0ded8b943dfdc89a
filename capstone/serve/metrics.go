package serve

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/tracing"
	"example.com/blotter/labs/kit/contract"
)

// Labels after OpenTelemetry's semantic conventions for messaging, as its translation to
// Prometheus spells them: a dot becomes an underscore.
const (
	system    = "messaging_system"
	operation = "messaging_operation_name"
	consumer  = "messaging_consumer_group_name"      // a reader of the log
	partition = "messaging_destination_partition_id" // of the log
	errorType = "error_type"                         // empty for a success
	database  = "db_system_name"                     // of a read model
	dbCall    = "db_operation_name"                  // apply or cursor
	model     = "db_collection_name"                 // the read model
	other     = "_OTHER"                             // the convention's type of any other error
)

// metrics are the counts of one server. Those whose names begin with messaging or db are of
// OpenTelemetry's semantic conventions 1.37; the others have no convention.
type metrics struct {
	registry *prometheus.Registry

	requests *prometheus.CounterVec   // by operation and status
	took     *prometheus.HistogramVec // seconds, by operation
	commands *prometheus.CounterVec   // by outcome and rule
	orphaned prometheus.Counter       // follow-ups that were refused
	refused  *prometheus.CounterVec   // by rule of access
	verdicts *prometheus.CounterVec   // by check and verdict

	appends   *prometheus.HistogramVec // seconds
	sent      *prometheus.CounterVec   // events
	processed *prometheus.HistogramVec // seconds of a batch, by consumer
	consumed  *prometheus.CounterVec   // events, by consumer
	dbCalls   *prometheus.HistogramVec // seconds, by read model

	// These are measured when they are asked for: see measure.
	end        *prometheus.GaugeVec // by partition
	offsets    *prometheus.GaugeVec // by consumer and partition, as the next two
	lagEvents  *prometheus.GaugeVec
	lagSeconds *prometheus.GaugeVec
	// The next ones have no labels, and no series before their first measurement: a zero would say
	// that all is well.
	unsealed    *prometheus.GaugeVec // events
	unsealedAge *prometheus.GaugeVec
	leaves      *prometheus.GaugeVec
	sealAge     *prometheus.GaugeVec
	snapshotAge *prometheus.GaugeVec
	missing     *prometheus.GaugeVec
	parked      *prometheus.GaugeVec
	breaks      *prometheus.GaugeVec
	late        *prometheus.GaugeVec // by rule set
	failures    *prometheus.CounterVec
}

// seconds are the buckets of a duration: from 1 ms to 8 s. 100 ms is one of them, which the
// objectives in runbooks/slo.yaml ask for.
var seconds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// NewGroups returns a histogram of the sizes of groups of appends. It is made BEFORE the log is
// opened, and given to the log and to Config.
func NewGroups() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "blotter_append_group_events", Help: "Events that were committed together.",
		Buckets: prometheus.ExponentialBuckets(1, 4, 8)})
}

func newMetrics(groups prometheus.Histogram) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	if groups == nil {
		groups = NewGroups()
	}
	m.registry.MustRegister(groups)
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.addCounts()
	m.addDurations()
	m.addMeasured()
	// A rate needs the zero before the first.
	m.commands.WithLabelValues(accepted, "")
	m.commands.WithLabelValues(failedOutcome, "")
	for _, measurement := range measurements {
		m.failures.WithLabelValues(measurement)
	}
	for _, check := range []string{"replay", "verify"} {
		for _, verdict := range []string{holds, differs, unknown} {
			m.verdicts.WithLabelValues(check, verdict)
		}
	}
	return m
}

func (m *metrics) addCounts() {
	m.requests = m.counter("blotter_requests_total", "Requests.", "operation", "status")
	m.commands = m.counter("blotter_commands_total", "Commands, with the rule that refused them.",
		"outcome", "rule")
	m.refused = m.counter("blotter_refused_requests_total", "Requests without access.", "rule")
	m.verdicts = m.counter("blotter_verdicts_total",
		"Replays and verifications: whether the log holds.", "check", "verdict")
	m.sent = m.counter("messaging_client_sent_messages_total", "Appended events.",
		system, operation, errorType)
	m.consumed = m.counter("messaging_client_consumed_messages_total",
		"Events that a reader took.", system, consumer)
	m.failures = m.counter("blotter_measure_failures_total",
		"Measurements for this page that failed.", "measurement")
	m.orphaned = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "blotter_followups_orphaned_total", Help: "Follow-ups that were refused."})
	m.registry.MustRegister(m.orphaned)
}

func (m *metrics) addDurations() {
	m.took = m.histogram("blotter_request_seconds", "Time of a request.", "operation")
	m.appends = m.histogram("messaging_client_operation_duration_seconds",
		"Time of an append, until its events are durable.", system, operation, errorType)
	m.processed = m.histogram("messaging_process_duration_seconds",
		"Time in which a reader took a batch of events.", system, consumer, errorType)
	m.dbCalls = m.histogram("db_client_operation_duration_seconds",
		"Time of a call to the database of a read model.", database, dbCall, model, errorType)
}

func (m *metrics) addMeasured() {
	m.end = m.gauges("blotter_log_end_offset", "End of the log.", partition)
	m.offsets = m.gauges("blotter_consumer_offset", "Next offset of a reader.", consumer, partition)
	m.lagEvents = m.gauges("blotter_consumer_lag_events", "Offsets between a reader and the end. "+
		"Kafka's commit markers have offsets, too.", consumer, partition)
	m.lagSeconds = m.gauges("blotter_consumer_lag_seconds",
		"Age of the first event that a reader has not read; 0 at the end.", consumer, partition)
	m.unsealed = m.gauges("blotter_unsealed_events", "Offsets past the last checkpoint.")
	m.unsealedAge = m.gauges("blotter_unsealed_age_seconds", "Age of the first unsealed event.")
	m.leaves = m.gauges("blotter_checkpoint_leaves", "Leaves under the last checkpoint.")
	m.sealAge = m.gauges("blotter_checkpoint_age_seconds", "Age of the last checkpoint.")
	m.snapshotAge = m.gauges("blotter_snapshot_age_seconds", "Age of the last snapshot on record.")
	m.missing = m.gauges("blotter_followups_missing",
		"Follow-ups of swept events that are not on record yet.")
	m.parked = m.gauges("blotter_parked_streams",
		"Streams with an event that cannot be processed.")
	m.breaks = m.gauges("blotter_breaks_open", "Open breaks after the last reconciliation.")
	m.late = m.gauges("blotter_reports_late",
		"Regulatory messages and reports past their deadline, at the last check.", "rules")
}

func (m *metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *metrics) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

// Outcomes of a command that are counted from the start.
const (
	accepted      = "accepted"
	failedOutcome = "failed" // none was told: a part was away
)

// Verdicts of a check.
const (
	holds   = "holds"
	differs = "differs"
	unknown = "unknown" // it could not look
)

// Verdict counts the verdict of a replay or a verification, given the exit code of its command.
func (s *Server) Verdict(check string, code int) {
	verdict := map[int]string{0: holds, 1: differs, 3: unknown}[code]
	if (check == "replay" || check == "verify") && verdict != "" {
		s.metrics.verdicts.WithLabelValues(check, verdict).Inc()
	}
}

// An observedLog measures the appends to a log.
type observedLog struct {
	contract.Store
	metrics *metrics
	system  string
	tracer  trace.Tracer
}

var (
	_ contract.Atomic  = (*observedLog)(nil)
	_ contract.Resumer = (*observedLog)(nil)
)

// StreamFrom implements contract.Resumer.
func (l *observedLog) StreamFrom(
	ctx context.Context, stream string, version int64,
) iter.Seq2[contract.Recorded, error] {
	return contract.StreamFrom(ctx, l.Store, stream, version)
}

// Append implements contract.Store.
func (l *observedLog) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	var receipts []contract.Receipt
	err := l.observe(ctx, len(events), func(ctx context.Context) (err error) {
		receipts, err = l.Store.Append(ctx, stream, expected, inTrace(ctx, events)...)
		return err
	})
	return receipts, err
}

// AppendAll implements contract.Atomic. If the log does not, the error is errors.ErrUnsupported.
func (l *observedLog) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	log, ok := l.Store.(contract.Atomic)
	if !ok {
		return nil, fmt.Errorf("append to several streams at once: %w", errors.ErrUnsupported)
	}
	events := 0
	for _, a := range appends {
		events += len(a.Events)
	}
	var receipts [][]contract.Receipt
	err := l.observe(ctx, events, func(ctx context.Context) (err error) {
		traced := slices.Clone(appends)
		for i, a := range appends {
			traced[i].Events = inTrace(ctx, a.Events)
		}
		receipts, err = log.AppendAll(ctx, traced, guards...)
		return err
	})
	return receipts, err
}

// Together implements contract.Atomic.
func (l *observedLog) Together(streams ...string) bool {
	log, ok := l.Store.(contract.Atomic)
	return ok && log.Together(streams...)
}

// observe measures one append of a number of events, in a span of its own.
func (l *observedLog) observe(
	ctx context.Context, events int, do func(context.Context) error,
) error {
	began := time.Now()
	ctx, span := l.begin(ctx, events)
	err := do(ctx)
	tracing.End(span, err)
	kind := typeOf(err)
	l.metrics.appends.WithLabelValues(l.system, "append", kind).Observe(since(began))
	l.metrics.sent.WithLabelValues(l.system, "append", kind).Add(float64(events))
	return err
}

func since(began time.Time) float64 { return time.Since(began).Seconds() }

// typeOf returns the error_type of an append or an answer of a database.
func typeOf(err error) string {
	var conflict *contract.ConflictError
	var ended *contract.EndedError
	var reused *contract.ReusedError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &conflict):
		return "conflict"
	case errors.As(err, &ended):
		return "ended"
	case errors.As(err, &reused):
		return "reused"
	case capstone.IsElsewhere(err):
		return "not_owner"
	case errors.Is(err, contract.ErrFenced):
		return "fenced"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return other
}

// An observedModel measures the batches that a read model takes.
type observedModel struct {
	Model
	metrics *metrics
	system  string // of the log
	tracer  trace.Tracer
}

// Cursor asks the read model for its progress.
func (m observedModel) Cursor(ctx context.Context) (contract.Cursor, error) {
	began := time.Now()
	at, err := m.Model.Cursor(ctx)
	m.called("cursor", began, err)
	return at, err
}

// Claim claims partitions of a read model that is split. No partition of any other is claimed.
func (m observedModel) Claim(ctx context.Context, to contract.Cursor, size int64) (
	free contract.Cursor, release func(), err error) {
	if s, ok := m.Applier.(contract.Sharer); ok {
		return s.Claim(ctx, to, size)
	}
	return nil, nil, nil
}

// Apply hands a batch to the read model.
func (m observedModel) Apply(
	ctx context.Context, events []contract.Recorded, next contract.Cursor,
) error {
	began := time.Now()
	ctx, span := m.begin(ctx, events)
	err := m.Model.Apply(ctx, events, next)
	tracing.End(span, err)
	m.called("apply", began, err)
	m.metrics.processed.WithLabelValues(m.system, m.Name, typeOf(err)).Observe(since(began))
	if err == nil {
		m.metrics.consumed.WithLabelValues(m.system, m.Name).Add(float64(len(events)))
	}
	return err
}

func (m observedModel) called(name string, began time.Time, err error) {
	m.metrics.dbCalls.WithLabelValues("postgresql", name, m.Name, typeOf(err)).
		Observe(since(began))
}

// metricsPage measures, and answers with the text of Prometheus.
func (s *Server) metricsPage(w http.ResponseWriter, r *http.Request) {
	s.measure(r.Context())
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}
