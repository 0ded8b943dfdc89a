// Package serve is a long-lived process over one log: commands come in by HTTP, answers and the
// feed go out, and the read models, the follow-ups and the seals keep up with the log.
//
//	POST /v1/commands       one command: an import line whose actor is the signed-in principal
//	POST /v1/approvals      approve a pending command of another principal
//	GET  /v1/pending        the commands that wait for an approval
//	POST /v1/parties/unmask show personal data; /v1/parties/erase destroys its key
//	POST /v1/holds/lift     lift a legal hold; /v1/disposals destroys the records that are due
//	POST /v1/extracts       record a certified extract, which the command line made
//	POST /v1/canaries       start, promote or abort the canary of a schema
//	POST /v1/ledger-commands  one command about books, such as a line that posts an entry
//	POST /v1/batches        many commands, as JSON Lines; none after it while a line is elsewhere
//	GET  /v1/<query>        a query of the command line, such as /v1/position?book=power-prop
//	GET  /v1/events         a page of the log, from a cursor on
//	GET  /v1/feed           the log as it grows: server-sent events
//	GET  /v1/proofs/{event} a proof that the last checkpoint covers an event
//	GET  /openapi.json      the description of all these (OpenAPI 3.1)
//	GET  /livez, /readyz    whether the process answers, and whether each part does
//	GET  /metrics           counts for Prometheus
//
// # Failures
//
//	the client is gone before the answer    the command may be on record: send it again, same id
//	a kill before the append                nothing is on record: the same command is decided
//	a kill after the append                 the same command gets the recorded outcome
//	a kill before the follow-ups            the sweep issues them when the process starts
//	a kill before a read model follows      it continues at its cursor
//	a kill before a trade is posted         the poster folds the log, and posts the rest
//	a kill before a checkpoint is signed    the next seal adopts the batch, or makes it again
//	SIGTERM                                 commands in flight finish, and the marks are written
package serve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/publication"
	"example.com/blotter/labs/kit/contract"
)

// Config has the parts of a service. System, SignIn and Refusals are required.
type Config struct {
	System  *capstone.System // with a Projection, if pages read positions
	Queries []Query
	// CommandLine runs a query of the command line, and returns its text. nil: there is none.
	CommandLine func(ctx context.Context, args []string) Printed
	Models      []Model // are kept at the end of the log

	// Event returns an event of the log as an answer: see the queries of the command line.
	Event func(context.Context, contract.Recorded) (any, error)
	Prove func(ctx context.Context, event string) ([]byte, error) // nil: there are no proofs
	// Check examines the stack; nil examines none.
	Check func(context.Context) []Part

	Seal func(context.Context) (contract.Checkpoint, error) // nil: nothing is sealed
	// Sealed returns the last checkpoint that was published before this process began, and its
	// time; a zero time if there is none. nil: the metrics begin with the first seal.
	Sealed          func(context.Context) (contract.Checkpoint, time.Time, error)
	SealEvery       time.Duration // after the last seal
	SealEveryEvents int64         // since the last seal

	// Recheck compares the log with its archives, and returns the verdicts. It also tells them to
	// Server.Verdict. nil, or an interval of 0: nothing is compared.
	Recheck      func(context.Context) []Part
	RecheckEvery time.Duration

	// Late counts the regulatory reports that are past their deadline, by rule set, at the interval
	// of Recheck. nil: nothing is reported.
	Late func(context.Context) (map[string]int, error)

	Store  string               // the kind of log, for the metrics; see session.Stores
	Groups prometheus.Histogram // takes the sizes of the log's groups; nil: it has none

	// Reconcile runs the reconciliations, and returns the number of open breaks.
	Reconcile      func(context.Context) (open int, err error)
	ReconcileEvery time.Duration // 0: never

	// Patience is how long a client may take to send a request; 0 is 15 seconds.
	Patience time.Duration

	// Canary takes a step of a canary, and returns its state. A refusal is a *Problem; any other
	// error is an outage. nil: the service takes no steps.
	Canary func(context.Context, CanaryStep) (any, error)

	// Ledgers decide the commands about books; nil: there are none.
	Ledgers *Ledgers
	// Publisher follows the log, and publishes the events of ledgers; nil: nobody does.
	Publisher *publication.Publisher

	// Records has the acts on personal data and kept records; nil: there are none.
	Records *Records

	// Policies decide what a principal may do; nil are those of access.Default.
	Policies *access.Policies
	// Deny records a denial in the log. nil: only the file of refusals has it.
	Deny func(context.Context, access.Denied) error

	SignIn   []Authenticator // the first one that knows the credential decides
	Refusals *Refusals
	Log      *slog.Logger // nil discards; its lines also name the trace and the command
	// Traces takes the spans of requests, commands, appends, read models and seals. nil: there are
	// none, and the events keep the trace of a client that sends one.
	Traces trace.TracerProvider
}

// A Model is a read model with its name.
type Model struct {
	Name string
	contract.Applier
}

// A Server serves one log.
type Server struct {
	Config
	handler http.Handler
	mux     *http.ServeMux
	api     huma.API
	metrics *metrics
	tracer  trace.Tracer
	gauger  *gauger
	pending pendingIndex
	lists   lists
	second  secondAsks

	ending context.Context // ends when the server stops taking requests: feeds and batches end
	end    context.CancelFunc
	feeds  chan struct{} // a place for each open feed

	mu    sync.Mutex
	parts map[string]Part // of the work in the background

	checking  sync.Mutex // of the stack
	checked   []Part
	checkedAt time.Time
}

// maxFeeds is the most open feeds.
const maxFeeds = 64

// New returns a server. Run serves with it, and Handler tests it.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = slog.New(tracedLines{c.Log.Handler()})
	traces := c.Traces
	if traces == nil {
		traces = noop.NewTracerProvider()
	}
	if c.Policies == nil {
		c.Policies = access.Default()
	}
	s := &Server{Config: c, mux: http.NewServeMux(), metrics: newMetrics(c.Groups),
		tracer: traces.Tracer("example.com/blotter/capstone/serve"),
		feeds:  make(chan struct{}, maxFeeds),
		parts:  map[string]Part{}}
	s.observe()
	s.ending, s.end = context.WithCancel(context.Background())
	config := huma.DefaultConfig("Blotter", "1")
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no $schema in answers
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{
		"application/json": {Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal},
		"json":             {Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal},
	}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"basic":  {Type: "http", Scheme: "basic"},
		"bearer": {Type: "http", Scheme: "bearer"},
	}
	config.Security = []map[string][]string{{"basic": {}}, {"bearer": {}}}
	s.api = humago.New(s.mux, config)
	s.api.UseMiddleware(s.checkActions)
	s.routeCommands()
	s.routeApprovals()
	s.routeRecords()
	s.routeCanaries()
	s.routeLedger()
	s.routeQueries()
	s.routeFeed()
	s.routeHealth()
	requireActions(s.api.OpenAPI())
	s.handler = s.traced(traces, s.chain(s.mux))
	return s
}

// unmarshal reads a body, and refuses one that names a field twice.
func unmarshal(text []byte, into any) error {
	if err := contract.CheckMembers(text); err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// observe measures the appends of the desk and the work of the read models.
func (s *Server) observe() {
	s.System.Desk.Log = &observedLog{s.System.Desk.Log, s.metrics, s.Store, s.tracer}
	s.System.Observe = s.observeCommand
	s.Models = slices.Clone(s.Models)
	for i, m := range s.Models {
		s.Models[i].Applier = observedModel{m, s.metrics, s.Store, s.tracer}
	}
	s.gauger = newGauger(s)
}

// Handler returns the whole service.
func (s *Server) Handler() http.Handler { return s.handler }

// Handle adds a page that does an action. Call it BEFORE the server runs.
func (s *Server) Handle(pattern string, action access.Action, page http.Handler) {
	s.mux.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		denied := s.decide(r.Context(), action, access.Request{Resource: pathOf(r)})
		if denied != nil {
			s.deny(w, r, RoleTooLow, *denied)
			return
		}
		page.ServeHTTP(w, r)
	}))
}

// Limits of a connection. A batch and a feed move their own deadlines.
const (
	readTimeout  = 15 * time.Second
	writeTimeout = 2 * time.Minute // of an answer, from its first byte on
	idleTimeout  = 2 * time.Minute
	grace        = 30 * time.Second // for the requests in flight when the server stops
	maxHeader    = 32 << 10         // bytes
)

// Run serves until ctx ends or a listener fails. Then it finishes the requests in flight, and
// stops the work in the background. The caller closes the log AFTER that, which writes its marks.
func (s *Server) Run(ctx context.Context, listeners ...net.Listener) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	worked := make(chan struct{})
	go func() { defer close(worked); s.work(work) }()
	server := &http.Server{
		Handler: secured(s.handler), ConnContext: withTLS,
		ReadTimeout:  cmp.Or(s.Patience, readTimeout),
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { served <- server.Serve(&watched{l, s}) }()
	}
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	s.end()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if late := server.Shutdown(limit); late != nil {
		// A request outlasts the grace: its outcome is on record, or is not decided.
		err = errors.Join(err, late, server.Close())
	}
	stop()
	<-worked
	return err
}
