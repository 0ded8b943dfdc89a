package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/chaos"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/trade"
)

// Services are writers: each is a blotter serve with a data folder of its own, and all share the
// partitions of one log. Clients send them commands over HTTP.
//
// A stream of the clients is a trade, and an append is a command that amends its price. The id of
// the client's event is the id of the command and decides the price. A commandLog and a
// serviceClient turn the recorded events back into the events of the clients, so the history has
// the same rules. The first event of a trade, which begins it, is no event of a client.
type services struct {
	flags []string // of the log
	env   []string // finds the stack
	data  string   // of the data folders

	mu     sync.Mutex
	names  map[string]string // addresses by the names under which owners know each other
	speaks map[string]logdir.Service
}

// serve has the run disturb services on the stack, in place of other writers of the crew's log.
func (c *chaosCrew) serve(
	ctx context.Context, a *app, on *session.Stack, o *chaos.Options,
) error {
	env, err := stack.Environment(ctx, on.Stack)
	if err != nil {
		return err
	}
	s := &services{
		flags: []string{
			"--stack", "external", "--store", c.Store, "--name", string(c.Name),
			"--partitions", strconv.Itoa(int(c.Partitions)),
		},
		env: env, data: filepath.Join(a.cli.Data, "services"),
		names: map[string]string{}, speaks: map[string]logdir.Service{},
	}
	o.Launch, o.State = s.launch, s.state
	o.Read, o.Last = c.asSent(o.Read), c.asSent(o.Last)
	return nil
}

// A servant is a process that answers on HTTP. Requests and answers of the run go through in and
// out.
type servant struct {
	chaos.Process
	cmd    *exec.Cmd
	in     *io.PipeWriter
	out    *io.PipeReader
	failed error // the reason why it was not asked; read it after out has ended
}

func (s *servant) Write(b []byte) (int, error) { return s.in.Write(b) }
func (s *servant) Read(b []byte) (int, error)  { return s.out.Read(b) }

// End interrupts the service: it lets the requests in flight finish, and exits. A service that does
// not is killed.
func (s *servant) End() error {
	_ = s.in.Close()
	_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended
	patience := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer patience.Stop()
	return errors.Join(s.failed, s.Process.End())
}

// launch starts a service in the data folder of an address.
func (s *services) launch(address, _ string) (chaos.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(s.data, address)
	args := append([]string{"--data", folder}, s.flags...)
	args = append(args, "serve", "--address", "127.0.0.1:0", "--log-level", "error",
		"--seal-every", "0", "--seal-every-events", "0") // each folder has a key of its own
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), s.env...)
	p, err := chaos.Spawn(cmd)
	if err != nil {
		return nil, err
	}
	requests, in := io.Pipe()
	out, answers := io.Pipe()
	started := &servant{Process: p, cmd: cmd, in: in, out: out}
	go s.relay(address, started, requests, answers)
	return started, nil
}

// relay sends the requests to the service, and returns its answers until the service ends.
func (s *services) relay(
	address string, to *servant, requests *io.PipeReader, answers *io.PipeWriter,
) {
	ctx, cancel := context.WithCancel(context.Background())
	said := bufio.NewReader(to.Process)
	_, err := said.ReadString('\n') // it says that it serves
	var client serviceClient
	if err == nil {
		client.at, err = s.meet(address)
	}
	if err != nil {
		to.failed = err
		_ = to.cmd.Process.Kill() // nobody can ask it
	} else {
		go func() {
			client.addressOf, client.begun = s.addressOf, new(sync.Map)
			_ = chaos.Serve(ctx, client, requests, answers) // an error means that the run is over
		}()
	}
	_, _ = io.Copy(io.Discard, said)
	cancel() // BEFORE the answers end: nobody waits for more
	_ = requests.Close()
	_ = answers.CloseWithError(err)
}

// meet finds the URL of the service at an address, and its name among the owners.
func (s *services) meet(address string) (at logdir.Service, err error) {
	folder := filepath.Join(s.data, address)
	found, err := logdir.FindService(folder)
	if err == nil && found == nil {
		err = errors.New("no service runs in " + folder)
	}
	if err != nil {
		return at, err
	}
	dir, err := session.Config{Data: folder, Stack: "external"}.Folder()
	if err != nil {
		return at, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[dir.Address()], s.speaks[address] = address, *found
	return *found, nil
}

func (s *services) addressOf(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[name]
}

// state asks the service at an address to replay the log, and to compare it with its read model.
func (s *services) state(ctx context.Context, address string) (chaos.State, error) {
	s.mu.Lock()
	client := serviceClient{at: s.speaks[address]}
	s.mu.Unlock()
	var envelope struct{ Answer chaos.State }
	effective := url.QueryEscape(endOfTime.Format(time.RFC3339))
	status, err := client.ask(ctx, "GET", "/v1/replay?effective-at="+effective, nil, &envelope)
	if err == nil && status != http.StatusOK && envelope.Answer.Digest == "" {
		err = fmt.Errorf("a replay: status %d", status)
	}
	return envelope.Answer, err
}

// A serviceClient speaks to one service as one of its local commands does.
type serviceClient struct {
	at        logdir.Service
	addressOf func(owner string) string
	begun     *sync.Map // the trades that have begun
}

var _ chaos.Streams = serviceClient{}

// ask sends one request, and decodes the body of any answer. Without an answer it waits until the
// context ends, as the service may be stopped.
func (c serviceClient) ask(
	ctx context.Context, method, path string, body []byte, into any,
) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, c.at.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.at.Token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	return answer.StatusCode, err
}

// Append implements chaos.Streams: it sends the one event as a command, after the command that
// begins the trade.
func (c serviceClient) Append(
	ctx context.Context, stream string, _ int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	uti, id := utiOf(stream), events[0].ID
	if _, begun := c.begun.Load(uti); !begun {
		if _, err := c.send(ctx, fmt.Appendf(nil, begin, "begin-"+uti, uti)); err != nil {
			return nil, err
		}
		c.begun.Store(uti, true)
	}
	return c.send(ctx, fmt.Appendf(nil, amend, id, uti, priceOf(id)))
}

// send sends a command, and returns the receipt of its event.
func (c serviceClient) send(ctx context.Context, command []byte) ([]contract.Receipt, error) {
	var answer struct {
		serve.Outcome
		Detail string `json:"detail"`
		Owner  string `json:"owner"`
	}
	status, err := c.ask(ctx, "POST", "/v1/commands", command, &answer)
	if err != nil {
		return nil, err
	}
	switch status {
	case http.StatusCreated, http.StatusOK:
		r := contract.Receipt{Version: answer.Version - 1, RecordedAt: answer.KnownAt}
		return []contract.Receipt{r}, nil
	case http.StatusMisdirectedRequest:
		return nil, &contract.NotOwnerError{Owner: c.addressOf(answer.Owner)}
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return nil, fmt.Errorf("%w: status %d, %s", contract.ErrInvalid, status, answer.Detail)
	}
	return nil, fmt.Errorf("status %d, %s", status, answer.Detail) // it may be recorded
}

// Find implements chaos.Streams.
func (c serviceClient) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	for r, err := range c.history(ctx, "command="+url.QueryEscape(id.String())) {
		return r, err
	}
	return contract.Recorded{}, contract.ErrNotFound
}

// Stream implements chaos.Streams.
func (c serviceClient) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	return c.history(ctx, "name="+url.QueryEscape(utiOf(stream)))
}

// history yields the events of the answer to a query.
func (c serviceClient) history(
	ctx context.Context, query string,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		var envelope struct {
			Answer []entry
			Detail string
		}
		status, err := c.ask(ctx, "GET", "/v1/history?"+query, nil, &envelope)
		nothing := status == http.StatusNotFound && // damage is another reason for this status
			strings.HasPrefix(envelope.Detail, "nothing was ever recorded")
		if err == nil && status != http.StatusOK && !nothing {
			err = fmt.Errorf("status %d, %s", status, envelope.Detail)
		}
		if err != nil {
			yield(contract.Recorded{}, err)
			return
		}
		for _, e := range envelope.Answer {
			if r, ok := sentAs(e, contract.Position{}); ok && !yield(r, nil) {
				return
			}
		}
	}
}

const trades = "trade/" // begins the streams of trades, and those of the clients

// utiOf returns the trade that stands for a stream of the clients.
func utiOf(stream string) string { return strings.ToUpper(strings.TrimPrefix(stream, trades)) }

const (
	envelopeOf = `{"command_id":%q,"entered_at":"2025-03-30T12:00:00Z","reason":"chaos","uti":%q,`
	begin      = envelopeOf + `"op":"NEW","book":"chaos","counterparty":"ACME",` +
		`"trader":"desk-7","side":"buy","commodity":"oil","zone":"BRENT","delivery":"2027-06",` +
		`"quantity":"1000","unit":"bbl","price":"70","currency":"USD"}`
	amend = envelopeOf + `"op":"AMEND","kind":"amendment","price":%q}`
)

// priceOf returns the price that an event of the clients stands for, without a zero at the end.
func priceOf(id uuid.UUID) string {
	return fmt.Sprintf("%d.%03d%d", 10+int(id[0]), int(id[1])*3, 1+id[2]%9)
}

// sentAs returns the event of a client that a recorded amendment stands for. An event that is not
// that of its command becomes an altered event. ok is false for an event of no client.
func sentAs(e entry, at contract.Position) (r contract.Recorded, ok bool) {
	uti, ok := strings.CutPrefix(e.Stream, trades)
	if !ok || e.Version == 1 {
		return r, false
	}
	stream := trades + strings.ToLower(uti)
	id, _ := uuid.Parse(e.CommandID) // the clients sent no other id
	r = contract.Recorded{Event: chaos.Event(stream, id), Position: at,
		Version: e.Version - 1, RecordedAt: e.RecordedAt}
	var amended struct{ Kind, Price string }
	err := json.Unmarshal(e.Data, &amended)
	if err != nil || e.Type != r.Type || amended.Kind != "amendment" ||
		amended.Price != priceOf(id) || e.ID != trade.EventID(e.CommandID, 0).String() {
		r.Reason = "altered"
	}
	return r, true
}

// A commandLog is the log of services, with the events of the clients.
type commandLog struct {
	chaos.Log
	codec contract.Codec
}

// asSent opens a log as open does, as a commandLog.
func (c *chaosCrew) asSent(
	open func(context.Context) (chaos.Log, error),
) func(context.Context) (chaos.Log, error) {
	return func(ctx context.Context) (chaos.Log, error) {
		codec, err := session.OpenCodec(ctx, c.Endpoint.Registry, c.Name)
		if err != nil {
			return nil, err
		}
		log, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return commandLog{log, codec}, nil
	}
}

// Read implements chaos.Log.
func (l commandLog) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return l.sent(ctx, l.Log.Read(ctx, from, to))
}

// Follow implements chaos.Log.
func (l commandLog) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return l.sent(ctx, l.Log.Follow(ctx, from))
}

// Stream implements chaos.Log.
func (l commandLog) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	return l.sent(ctx, l.Log.Stream(ctx, trades+utiOf(stream)))
}

func (l commandLog) sent(
	ctx context.Context, events iter.Seq2[contract.Recorded, error],
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range events {
			var e entry
			if err == nil {
				e, err = entryOf(ctx, l.codec, r)
			}
			if err != nil {
				yield(r, err)
				return
			}
			if sent, ok := sentAs(e, r.Position); ok && !yield(sent, nil) {
				return
			}
		}
	}
}
