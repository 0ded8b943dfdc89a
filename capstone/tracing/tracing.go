// Package tracing carries a trace (W3C Trace Context) from a command through the log to the readers
// of its event.
//
//	request ── command ── append ─▶ event.traceparent ─▶ process (a read model), seal
//
// The span of the append is the traceparent of its events. A reader that takes events of one trace
// continues it. A reader that takes events of several traces has a span of its own, with a link to
// each of them, as OpenTelemetry's conventions for messaging say about batches.
package tracing

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// W3C reads and writes traceparent and tracestate.
var W3C = propagation.TraceContext{}

const traceparent = "traceparent"

// Traceparent returns the trace of ctx as an attribute of an event; empty if ctx has none.
func Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	W3C.Inject(ctx, carrier)
	return carrier[traceparent]
}

// Of returns the span that a traceparent names; the zero value if the text names none.
func Of(text string) trace.SpanContext {
	carrier := propagation.MapCarrier{traceparent: text}
	return trace.SpanContextFromContext(W3C.Extract(context.Background(), carrier))
}

// MaxTraces is the most traces that one span has links to. It is the default limit of
// OpenTelemetry's SDK.
const MaxTraces = 128

// Origins collects the sampled traces of events, each once, and at most MaxTraces.
type Origins struct {
	spans []trace.SpanContext
	seen  map[trace.TraceID]bool
}

// Add adds the trace of an event, and reports whether there is room for another one.
func (o *Origins) Add(traceparent string) bool {
	if traceparent == "" || o.Full() {
		return !o.Full()
	}
	span := Of(traceparent)
	if span.IsSampled() && !o.seen[span.TraceID()] {
		if o.seen == nil {
			o.seen = map[trace.TraceID]bool{}
		}
		o.seen[span.TraceID()] = true
		o.spans = append(o.spans, span)
	}
	return !o.Full()
}

// Full reports whether there is no room for another trace.
func (o *Origins) Full() bool { return len(o.spans) >= MaxTraces }

// Start begins the span of work on events. It continues their trace if there is one, and has links
// to them if there are several. Events without a trace begin no span.
func (o *Origins) Start(
	ctx context.Context, tracer trace.Tracer, name string, options ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	switch len(o.spans) {
	case 0:
		return ctx, noop.Span{}
	case 1:
		ctx = trace.ContextWithRemoteSpanContext(ctx, o.spans[0])
	default:
		for _, span := range o.spans {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: span}))
		}
	}
	return tracer.Start(ctx, name, options...)
}

// End ends a span with the error of its work.
func End(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// Kafka returns a hook for a Kafka client: the records of traced events get a span each until the
// broker has them. The owner of a partition produces them in groups, so the trace comes from the
// record and not from the caller's context. Fetched records get no span: a log is read again and
// again, and a trace of its first day must not grow for years.
func Kafka(provider trace.TracerProvider) kgo.Hook {
	return &producing{kotel.NewTracer(kotel.TracerProvider(provider),
		kotel.TracerPropagator(propagation.NewCompositeTextMapPropagator()))} // the record is whole
}

type producing struct{ tracer *kotel.Tracer }

var (
	_ kgo.HookProduceRecordBuffered   = (*producing)(nil)
	_ kgo.HookProduceRecordUnbuffered = (*producing)(nil)
)

// OnProduceRecordBuffered begins the span of a record.
func (p *producing) OnProduceRecordBuffered(r *kgo.Record) {
	for _, h := range r.Headers {
		if h.Key != "ce_"+traceparent {
			continue
		}
		if span := Of(string(h.Value)); span.IsSampled() {
			ctx := context.WithValue(r.Context, traced{}, true)
			r.Context = trace.ContextWithRemoteSpanContext(ctx, span)
			p.tracer.OnProduceRecordBuffered(r)
		}
		return
	}
}

// OnProduceRecordUnbuffered ends the span of a record. The context of another record may have a
// span of the caller, which goes on.
func (p *producing) OnProduceRecordUnbuffered(r *kgo.Record, err error) {
	if r.Context.Value(traced{}) != nil {
		p.tracer.OnProduceRecordUnbuffered(r, err)
	}
}

// traced is the key of a mark in the context of a record with a span.
type traced struct{}
