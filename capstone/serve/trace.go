package serve

import (
	"context"
	"log/slog"
	"net/http"
	"slices"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/tracing"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// traced gives each request a span, which continues the trace of a client that sends one. A feed
// lasts for hours, and probes come every second: they have none.
func (s *Server) traced(traces trace.TracerProvider, next http.Handler) http.Handler {
	untraced := []string{"/v1/feed", "/metrics", "/livez", "/readyz"}
	return otelhttp.NewHandler(next, "request",
		otelhttp.WithTracerProvider(traces), otelhttp.WithPropagators(tracing.W3C),
		otelhttp.WithFilter(func(r *http.Request) bool {
			return !slices.Contains(untraced, r.URL.Path)
		}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			if _, pattern := s.mux.Handler(r); pattern != "" {
				return pattern
			}
			return r.Method
		}))
}

// observeCommand gives a command a span, and its outcome a line in the log of the service.
func (s *Server) observeCommand(
	ctx context.Context, cmd trade.Command,
) (context.Context, func(capstone.Outcome, error)) {
	ctx = context.WithValue(ctx, commandID{}, cmd.ID)
	ctx, span := s.tracer.Start(ctx, "command "+cmd.Label(), trace.WithAttributes(
		attribute.String("blotter.command.id", cmd.ID)))
	return ctx, func(out capstone.Outcome, err error) {
		o := outcomeOf(out)
		if err == nil {
			span.SetAttributes(attribute.String("blotter.outcome", o.Result),
				attribute.String("blotter.rule", o.Rule),
				attribute.String("blotter.stream", o.Stream))
			s.Log.DebugContext(ctx, "a command was decided", "outcome", o.Result, "rule", o.Rule,
				"stream", o.Stream, "version", o.Version)
		}
		tracing.End(span, err)
	}
}

// commandID is the key of the id of the command in a context.
type commandID struct{}

// begin begins the span of an append.
func (l *observedLog) begin(ctx context.Context, events int) (context.Context, trace.Span) {
	return l.tracer.Start(ctx, "append", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(messaging(l.system, "append", events)...))
}

// messaging returns the attributes of the semantic conventions for messaging.
func messaging(system, operation string, events int) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("messaging.system", system),
		attribute.String("messaging.operation.name", operation),
		attribute.Int("messaging.batch.message_count", events)}
}

// inTrace returns the events with the trace of ctx as their traceparent, if it has one. An event
// that has a traceparent keeps it.
func inTrace(ctx context.Context, events []contract.Event) []contract.Event {
	parent := tracing.Traceparent(ctx)
	if parent == "" {
		return events
	}
	events = slices.Clone(events)
	for i := range events {
		if events[i].Traceparent == "" {
			events[i].Traceparent = parent
		}
	}
	return events
}

// begin begins the span of a batch, in the trace of its events.
func (m observedModel) begin(
	ctx context.Context, events []contract.Recorded,
) (context.Context, trace.Span) {
	var origins tracing.Origins
	for _, e := range events {
		if !origins.Add(e.Traceparent) {
			break
		}
	}
	attributes := append(messaging(m.system, "process", len(events)),
		attribute.String("messaging.consumer.group.name", m.Name))
	return origins.Start(ctx, m.tracer, "process "+m.Name,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attributes...))
}

// seal seals the log in the trace of the events after from, the last sealed cursor. It reads them
// only if there is somebody to take the span.
func (s *Server) seal(ctx context.Context, from, end contract.Cursor) (contract.Checkpoint, error) {
	var origins tracing.Origins
	if s.Traces != nil {
		for e, err := range s.System.Log.Read(ctx, from, end) {
			if err != nil || !origins.Add(e.Traceparent) {
				break // the seal itself will say what is wrong with the log
			}
		}
	}
	ctx, span := origins.Start(ctx, s.tracer, "seal", trace.WithSpanKind(trace.SpanKindConsumer))
	c, err := s.Seal(ctx)
	span.SetAttributes(attribute.Int64("blotter.checkpoint.leaves", c.Size))
	tracing.End(span, err)
	return c, err
}

// tracedLines adds the trace and the command of the context to each line of a log.
type tracedLines struct{ slog.Handler }

func (h tracedLines) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()),
			slog.String("span_id", span.SpanID().String()))
	}
	if id, ok := ctx.Value(commandID{}).(string); ok {
		r.AddAttrs(slog.String("command_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h tracedLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLines{h.Handler.WithAttrs(attrs)}
}

func (h tracedLines) WithGroup(name string) slog.Handler {
	return tracedLines{h.Handler.WithGroup(name)}
}
