package serve

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the counts of one server.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by operation and status
	took     *prometheus.HistogramVec // seconds, by operation
	commands *prometheus.CounterVec   // by result
	refused  *prometheus.CounterVec   // by rule of access
	behind   *prometheus.GaugeVec     // events, by read model
	sealed   prometheus.Gauge         // leaves
	sealedAt prometheus.Gauge         // seconds since 1970
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(
			prometheus.CounterOpts{Namespace: "blotter", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.GaugeOpts {
		return prometheus.GaugeOpts{Namespace: "blotter", Name: name, Help: help}
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: counter("requests_total", "Requests, by operation and status.",
			"operation", "status"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "blotter",
			Name: "request_seconds", Help: "Time of a request, by operation.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"operation"}),
		commands: counter("commands_total", "Commands, by result.", "result"),
		refused:  counter("refused_requests_total", "Refused requests, by rule.", "rule"),
		behind: prometheus.NewGaugeVec(gauge("read_model_behind_events",
			"Events that a read model has not read."), []string{"model"}),
		sealed:   prometheus.NewGauge(gauge("sealed_leaves", "Leaves under the last checkpoint.")),
		sealedAt: prometheus.NewGauge(gauge("sealed_timestamp_seconds", "Time of the last seal.")),
	}
	m.registry.MustRegister(m.requests, m.took, m.commands, m.refused, m.behind, m.sealed,
		m.sealedAt, collectors.NewGoCollector())
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
