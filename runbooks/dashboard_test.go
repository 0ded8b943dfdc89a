package runbooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A monitored service is a running service of the program, with a collector of its spans.
type monitored struct {
	t *testing.T
	service
	mu    sync.Mutex
	spans []byte // OTLP, as it was posted
	log   bytes.Buffer
}

// A service is the address of a running service, as the data folder has it.
type service struct{ URL, Token string }

// monitor starts the service of a log with a few trades and a snapshot.
func monitor(t *testing.T) *monitored {
	t.Helper()
	m := &monitored{t: t}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.spans = append(m.spans, body...)
	}))
	t.Cleanup(collector.Close)
	shell := workplace(t, filepath.Dir(program(t)))
	out, err := shell("blotter import morning.jsonl && blotter snapshot").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// The command of compose.yaml, with another port and shorter intervals: a later flag wins.
	command := containers(t)[ours].Command.([]any)[0].(string)
	serve := shell(command + " --address 127.0.0.1:0 --seal-every-events 1 " +
		"--seal-every 0 --check-every 200ms --log-level debug " +
		"--reconcile-every 200ms --report-rules cftc-v3.2")
	serve.Env = append(serve.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL,
		"OTEL_BSP_SCHEDULE_DELAY=50")
	serve.Stderr = &m.log
	require.NoError(t, serve.Start())
	t.Cleanup(func() { serve.Process.Signal(syscall.SIGTERM); serve.Wait() })
	m.find(serve)
	return m
}

func (m *monitored) find(serve *exec.Cmd) {
	m.t.Helper()
	require.Eventually(m.t, func() bool {
		text, err := os.ReadFile(filepath.Join(serve.Dir, "log", "service"))
		return err == nil && json.Unmarshal(text, &m.service) == nil
	}, time.Minute, 10*time.Millisecond)
}

func (m *monitored) do(method, path, body string, header ...string) string {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), method, m.URL+path, strings.NewReader(body))
	require.NoError(m.t, err)
	r.Header.Set("Authorization", "Bearer "+m.Token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return m.answers(r, http.StatusOK)
}

// answers sends a request, and returns the text of the answer, which must have a status.
func (m *monitored) answers(r *http.Request, status int) string {
	m.t.Helper()
	answer, err := http.DefaultClient.Do(r)
	require.NoError(m.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(m.t, err)
	require.Equal(m.t, status, answer.StatusCode, "%s", text)
	return string(text)
}

// settled waits until a page of metrics has every pattern, and returns the page.
func (m *monitored) settled(patterns ...string) (page string) {
	m.t.Helper()
	require.Eventually(m.t, func() bool {
		page = m.do("GET", "/metrics", "")
		for _, p := range patterns {
			if !regexp.MustCompile("(?m)^" + p + "$").MatchString(page) {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond, "of %s", patterns)
	return page
}

// Every query of the dashboard and every objective finds series among the metrics of the program,
// and one trace goes from a request through the broker and the database to the seal.
func TestProgramFeedsMonitoring(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("make long runs it: it starts a stack and builds the program")
	}
	m := monitor(t)
	trace := strings.Repeat("4b", 16)
	book, err := os.ReadFile("../capstone/books/first.jsonl")
	require.NoError(t, err)
	eighth := strings.Split(string(book), "\n")[7]
	m.do("POST", "/v1/batches", eighth+"\n", "Content-Type", "application/x-ndjson",
		"traceparent", "00-"+trace+"-"+strings.Repeat("cd", 8)+"-01")
	stranger, err := http.NewRequestWithContext(t.Context(), "GET", m.URL+"/v1/books", nil)
	require.NoError(t, err)
	m.answers(stranger, http.StatusUnauthorized)
	page := m.settled(`blotter_reports_late\{rules="cftc-v3.2"\} \d+`,
		`blotter_breaks_open 0`, `blotter_refused_requests_total\{.*\} 1`,
		`blotter_unsealed_events 0`, `blotter_parked_streams 0`,
		`blotter_followups_missing 0`, `blotter_snapshot_age_seconds \S+`,
		`blotter_append_group_events_count [1-9]\d*`,
		`blotter_consumer_lag_seconds\{messaging_consumer_group_name="positions",.*\} 0`,
		`blotter_verdicts_total\{check="replay",verdict="holds"\} [1-9]\d*`,
		`blotter_verdicts_total\{check="verify",verdict="holds"\} [1-9]\d*`)
	queries := append(dashboard(t), goals(t)...)
	promtool(t, "test", "rules", queryTest(t, page, queries))
	m.traced(trace)
	r, err := http.NewRequestWithContext(t.Context(), "GET", m.URL+"/metrics", nil)
	require.NoError(t, err)
	r.SetBasicAuth("prometheus/1", "prometheus-development") // as Prometheus signs in
	m.answers(r, http.StatusOK)
	require.Regexp(t, `"trace_id":"`+trace+`".*"command_id":"`, m.log.String())
}

// noPanel has the metrics that the dashboard does not show, with the reason.
var noPanel = map[string]string{
	"blotter_checkpoint_leaves": "the panels of unsealed events and of ages say what it lacks",
}

// Every metric of the program has a panel on the dashboard, or a reason to have none.
func TestEveryMetricHasAPanel(t *testing.T) {
	t.Parallel()
	code, err := os.ReadFile("../capstone/serve/metrics.go")
	require.NoError(t, err)
	made := regexp.MustCompile(`(?:m\.(?:counter|histogram|gauges)\(|Name:)\s*"(\w+)"`)
	metrics := made.FindAllStringSubmatch(string(code), -1)
	field := regexp.MustCompile(`(?m)^\t\w+ +\*?prometheus\.(Counter|Histogram|Gauge)`)
	require.Len(t, metrics, 1+len(field.FindAllString(string(code), -1)), "groups have none")
	queries := strings.Join(dashboard(t), "\n")
	for _, m := range metrics {
		shown := regexp.MustCompile(`\b` + m[1] + `(_bucket|_sum|_count)?\b`).MatchString(queries)
		require.NotEqual(t, shown, noPanel[m[1]] != "", m[1])
	}
}

// dashboard returns the queries of the dashboard.
func dashboard(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile("monitoring/dashboard.json")
	require.NoError(t, err)
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	require.NoError(t, json.Unmarshal(text, &board))
	for _, p := range board.Panels {
		require.NotEmpty(t, p.Targets)
		for _, target := range p.Targets {
			queries = append(queries,
				strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	return queries
}

// goals returns the queries of the objectives.
func goals(t *testing.T) (queries []string) {
	for _, o := range objectives(t) {
		queries = append(queries, o.Now+strings.ReplaceAll(o.Bad, "$window", "5m"))
	}
	return queries
}

// sample matches a line of the text format of Prometheus.
var sample = regexp.MustCompile(`^([a-z_:]+)(\{.*\})? (\S+)$`)

// queryTest writes a test for promtool: with the series of a page, each query has an answer.
// Counters rise, so that they have rates.
func queryTest(t *testing.T, page string, queries []string) string {
	t.Helper()
	type series struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	type expected struct {
		Labels string  `json:"labels"`
		Value  float64 `json:"value"`
	}
	type query struct {
		Expr     string     `json:"expr"`
		EvalTime string     `json:"eval_time"`
		Samples  []expected `json:"exp_samples"`
	}
	all := []series{{`up{job="blotter"}`, "1x20"}}
	for line := range strings.Lines(page) {
		if s := sample.FindStringSubmatch(strings.TrimSpace(line)); s != nil {
			step := "0"
			if regexp.MustCompile(`_(total|count|sum|bucket)$`).MatchString(s[1]) {
				step = "1"
			}
			all = append(all, series{s[1] + s[2], "0+" + step + "x20"})
		}
	}
	var asked []query
	for _, q := range queries {
		asked = append(asked, query{fmt.Sprintf("count(%s) > bool 0", q), "15m",
			[]expected{{"{}", 1}}})
	}
	rules, err := filepath.Abs("monitoring/rules.yml")
	require.NoError(t, err)
	text, err := json.Marshal(map[string]any{"rule_files": []string{rules},
		"evaluation_interval": "1m", "tests": []any{map[string]any{"interval": "1m",
			"input_series": all, "promql_expr_test": asked}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "queries.yml") // JSON is YAML
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// traced waits for the spans of a trace at the collector: of the request, the command, the append,
// the record at the broker, each read model with its queries, and the seal.
func (m *monitored) traced(id string) {
	m.t.Helper()
	var names map[string]bool
	want := []string{"POST /v1/batches", "command NEW", "append", "process positions",
		"process search", "seal"}
	require.Eventually(m.t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		names = spanNames(m.spans, id)
		for _, name := range want {
			if !names[name] {
				return false
			}
		}
		text := fmt.Sprint(names)
		return strings.Contains(text, " publish:") && strings.Contains(text, "copy_from")
	}, time.Minute, 50*time.Millisecond, "%v", &names)
}

// spanNames returns the names of the spans of a trace in messages of OTLP. A span begins with its
// trace_id (field 1), span_id (2), perhaps parent_span_id (4), and its name (5).
func spanNames(otlp []byte, id string) map[string]bool {
	names := map[string]bool{}
	begin := fmt.Appendf(nil, "\x0a\x10")
	for i := 0; i+1 < len(id); i += 2 {
		var b byte
		fmt.Sscanf(id[i:i+2], "%02x", &b)
		begin = append(begin, b)
	}
	for _, span := range bytes.Split(otlp, append(begin, "\x12\x08"...))[1:] {
		span = bytes.TrimPrefix(span[8:], []byte("\x1a\x00")) // an empty trace_state
		if bytes.HasPrefix(span, []byte("\x22\x08")) {
			span = span[10:]
		}
		if len(span) > 2 && span[0] == 0x2a && len(span) > 2+int(span[1]) {
			names[string(span[2:2+int(span[1])])] = true
		}
	}
	return names
}
