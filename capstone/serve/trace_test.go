package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

const (
	clientTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan  = "00f067aa0ba902b7"
	parent      = "00-" + clientTrace + "-" + clientSpan + "-01"
)

// spansOf waits for the named spans of a trace, and returns the names of their parents by name.
func spansOf(t *testing.T, exporter *tracetest.InMemoryExporter, id string, want ...string) (
	parents map[string]string) {
	t.Helper()
	require.Eventually(t, func() bool {
		ids := map[string]string{clientSpan: "client"}
		all := exporter.GetSpans()
		for _, s := range all {
			ids[s.SpanContext.SpanID().String()] = s.Name
		}
		parents = map[string]string{}
		for _, s := range all {
			if s.SpanContext.TraceID().String() == id {
				parents[s.Name] = ids[s.Parent.SpanID().String()]
			}
		}
		for _, name := range want {
			if parents[name] == "" {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond, "%v", parents)
	return parents
}

// One trace goes from the client's request through the command, the append and the event's
// traceparent to the read model and the seal.
func TestOneTraceToTheSeal(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	s := newService(t, realTime, func(c *serve.Config) {
		c.Traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
		c.SealEveryEvents = 1
		c.Seal = func(ctx context.Context) (contract.Checkpoint, error) {
			end, err := c.System.Log.End(ctx)
			return contract.Checkpoint{Size: 2, End: end}, err
		}
	})
	w := s.do("trader/1", "POST", "/v1/commands", mark("m-1", "70"),
		"Content-Type", "application/json", "traceparent", parent)
	require.Equal(t, 201, w.Code)
	_, stop := s.start()
	parents := spansOf(t, exporter, clientTrace, "process positions", "seal")
	require.NoError(t, stop())
	require.Equal(t, map[string]string{
		"POST /v1/commands": "client",
		"command MARK":      "POST /v1/commands",
		"append":            "command MARK",
		"process positions": "append",
		"seal":              "append",
	}, parents)
	r, err := s.system.Log.Find(t.Context(), trade.EventID("m-1", 0))
	require.NoError(t, err)
	require.Contains(t, r.Traceparent, clientTrace)
	require.NotContains(t, r.Traceparent, clientSpan, "the append is the parent of its readers")
}

// A batch of several traces has a span of its own, with a link to each of them.
func TestBatchLinksItsTraces(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	s := newService(t, realTime, func(c *serve.Config) {
		c.Traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	})
	want := map[string]bool{}
	for n := range 3 {
		s.command("trader/1", mark(fmt.Sprint("m-", n), fmt.Sprint(70+n)))
		r, err := s.system.Log.Find(t.Context(), trade.EventID(fmt.Sprint("m-", n), 0))
		require.NoError(t, err)
		want[r.Traceparent[3:35]] = true
	}
	require.Len(t, want, 3)
	_, stop := s.start()
	var links map[string]bool
	require.Eventually(t, func() bool {
		links = map[string]bool{}
		for _, span := range exporter.GetSpans() {
			for _, l := range span.Links {
				require.Equal(t, "process positions", span.Name)
				links[l.SpanContext.TraceID().String()] = true
			}
		}
		return len(links) == 3
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, stop())
	require.Equal(t, want, links)
}

// Without a provider nothing is traced, and the event keeps the trace of its client. A malformed
// trace is none.
func TestUntracedKeepsClientTrace(t *testing.T) {
	t.Parallel()
	s := newService(t, realTime)
	for id, header := range map[string]string{"m-1": parent, "m-2": "00-0000-01"} {
		w := s.do("trader/1", "POST", "/v1/commands", mark(id, "70"),
			"Content-Type", "application/json", "traceparent", header)
		require.Equal(t, 201, w.Code)
	}
	first, err := s.system.Log.Find(t.Context(), trade.EventID("m-1", 0))
	require.NoError(t, err)
	require.Equal(t, parent, first.Traceparent)
	second, err := s.system.Log.Find(t.Context(), trade.EventID("m-2", 0))
	require.NoError(t, err)
	require.Empty(t, second.Traceparent)
}

// locked is a buffer for several goroutines.
type locked struct {
	sync.Mutex
	bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.Buffer.Write(b)
}

// Each line of the service's log about a command names the command and its trace.
func TestLogNamesTraceAndCommand(t *testing.T) {
	t.Parallel()
	out := new(locked)
	s := newService(t, realTime, func(c *serve.Config) {
		c.Log = slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Traces = sdktrace.NewTracerProvider()
	})
	w := s.do("trader/1", "POST", "/v1/commands", settleNothing,
		"Content-Type", "application/json", "traceparent", parent)
	require.Equal(t, 422, w.Code)
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), out.String())
	require.Equal(t, clientTrace, line["trace_id"])
	require.Len(t, line["span_id"], 16)
	require.Equal(t, "s-1", line["command_id"])
	require.Equal(t, "refused", line["outcome"])
	require.Equal(t, string(trade.NotBegun), line["rule"])
}
