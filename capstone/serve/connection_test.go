package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// The time that a client has to send its request does not end the answer: neither that of a query
// nor a feed.
func TestPatienceIsForTheRequestOnly(t *testing.T) {
	t.Parallel()
	const patience = time.Second
	s := newService(t, func(c *serve.Config) {
		c.Patience = patience
		c.Queries = []serve.Query{{Name: "long", Ask: func(
			ctx context.Context, _ url.Values) serve.Answer {
			select {
			case <-ctx.Done():
				return serve.Answer{Status: http.StatusServiceUnavailable}
			case <-time.After(3 * patience):
				return serve.Answer{Status: http.StatusOK, JSON: []byte(`{"answer":1}`)}
			}
		}}}
	})
	address, stop := s.start()
	ask := func(path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+path, nil)
		require.NoError(t, err)
		r.SetBasicAuth("reader/1", password)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		return answer
	}
	feed := ask("/v1/feed")
	defer feed.Body.Close()
	long := ask("/v1/long")
	defer long.Body.Close()
	require.Equal(t, http.StatusOK, long.StatusCode)
	s.command("trader/1", mark("m-1", "70")) // the feed is older than the patience
	var text []byte
	for !bytes.Contains(text, []byte("\nid: ")) {
		part := make([]byte, 4096)
		n, err := feed.Body.Read(part)
		text = append(text, part[:n]...)
		require.NoError(t, err, "the feed was cut after %q", text)
	}
	require.NoError(t, stop())
}

// A pipe is a listener with one connection.
type pipe struct {
	conn chan net.Conn
	done chan struct{}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conn:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error { close(p.done); return nil }

func (p *pipe) Addr() net.Addr { return &net.IPAddr{} }

// A query may take as long as the client waits, and its answer still arrives. A client that does
// not read the answer is cut after two minutes.
func TestLongQueryIsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, func(c *serve.Config) {
			c.Queries = []serve.Query{{Name: "long", Ask: func(
				context.Context, url.Values) serve.Answer {
				time.Sleep(5 * time.Minute) // of the bubble
				return serve.Answer{Status: http.StatusOK, JSON: []byte(`{"answer":1}`)}
			}}}
		})
		ctx, cancel := context.WithCancel(t.Context())
		l, ended := &pipe{make(chan net.Conn, 1), make(chan struct{})}, make(chan error, 1)
		go func() { ended <- s.Run(ctx, l) }()
		client, server := net.Pipe()
		l.conn <- server
		r, err := http.NewRequestWithContext(ctx, "GET", "http://x/v1/long", nil)
		require.NoError(t, err)
		r.SetBasicAuth("reader/1", password)
		require.NoError(t, r.Write(client))
		in := bufio.NewReader(client)
		answer, err := http.ReadResponse(in, r)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Contains(t, string(text), `"answer":1`)
		require.NoError(t, r.Write(client))
		time.Sleep(5*time.Minute + 2*time.Minute + time.Second)
		_, err = http.ReadResponse(in, r)
		require.Error(t, err, "it was cut")
		cancel()
		require.NoError(t, <-ended)
	})
}

// sluggish is a store whose appends take longer than the patience of the service.
type sluggish struct{ contract.Store }

func (s sluggish) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(700 * time.Millisecond):
		return s.Store.Append(ctx, stream, expected, events...)
	}
}

// The lines at the end of a batch are decided after the body was read, however long that takes.
func TestBatchOutlastsItsBody(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *serve.Config) {
		c.Patience = 200 * time.Millisecond
		log := sluggish{c.System.Log}
		c.System.Log, c.System.Desk.Log = log, log
	})
	address, stop := s.start()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+address+"/v1/batches",
		strings.NewReader(mark("m-1", "70")))
	require.NoError(t, err)
	r.SetBasicAuth("trader/1", password)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, errors.Join(err, answer.Body.Close()))
	require.Contains(t, string(text), `"result":"done"`)
	require.NoError(t, stop())
}

// broken is a listener that fails when it is told.
type broken struct {
	net.Listener
	fail chan struct{}
}

var errBroken = errors.New("the listener is broken")

func (b broken) Accept() (net.Conn, error) { <-b.fail; return nil, errBroken }

// A listener that fails ends the service, which finishes its commands first.
func TestFailedListenerFinishesCommands(t *testing.T) {
	t.Parallel()
	log := &slow{began: make(chan struct{}), go_: make(chan struct{})}
	s := newService(t, func(c *serve.Config) {
		log.Store = c.System.Log
		c.System.Log, c.System.Desk.Log = log, log
	})
	var listeners [2]net.Listener
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		listeners[i] = l
	}
	fail, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(t.Context(), listeners[0], broken{listeners[1], fail}) }()
	answered := make(chan int, 1)
	go func() {
		defer close(answered)
		r, _ := http.NewRequest("POST", "http://"+listeners[0].Addr().String()+"/v1/commands",
			strings.NewReader(mark("m-1", "70")))
		r.SetBasicAuth("trader/1", password)
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answered <- answer.StatusCode
			answer.Body.Close()
		}
	}()
	<-log.began
	close(fail)
	require.Eventually(t, func() bool { return s.do("", "GET", "/readyz", "").Code == 503 },
		time.Minute, time.Millisecond)
	select {
	case err := <-ended:
		t.Fatalf("it ended under a command: %v", err)
	default:
	}
	close(log.go_)
	require.Equal(t, http.StatusCreated, <-answered)
	require.ErrorIs(t, <-ended, errBroken)
}

// A full record that cannot be replaced takes the lines, until it can be replaced.
func TestRefusalsOutlastAFailedRename(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "refused")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, 17<<20))
	require.NoError(t, os.MkdirAll(path+".1/in the way", 0o700))
	s := newService(t, func(c *serve.Config) {
		refusals, err := serve.OpenRefusals(path, time.Now)
		require.NoError(t, err)
		t.Cleanup(func() { refusals.Close() })
		c.Refusals = refusals
	})
	lines := func(path string) int {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return bytes.Count(text, []byte("\n"))
	}
	for range 2 {
		s.do("", "GET", "/v1/events", "")
	}
	require.Equal(t, 2, lines(path))
	require.NoError(t, os.RemoveAll(path+".1"))
	s.do("", "GET", "/v1/events", "")
	require.Equal(t, 2, lines(path+".1"))
	require.Equal(t, 1, lines(path))
}

// A client that hangs up while /readyz checks the stack spoils no answer for others.
func TestHangUpDoesNotSpoilReadiness(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *serve.Config) {
		c.Check = func(ctx context.Context) []serve.Part {
			return []serve.Part{{Name: "disk", Well: ctx.Err() == nil, Away: ctx.Err() != nil}}
		}
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.Parts(gone)
	require.Equal(t, http.StatusOK, s.do("", "GET", "/readyz", "").Code)
}

// A tag that the service gave is recognized, also among others.
func TestTagsOfPagesAreRecognized(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for i := range 3 {
		s.command("trader/1", strings.ReplaceAll(mark(fmt.Sprintf("m-%d", i), "70"), "oil/BRENT",
			fmt.Sprintf("oil/BRENT%d", i)))
	}
	s.system.Log = partitioned{s.system.Log}
	tag := s.do("reader/1", "GET", "/v1/events", "").Header().Get("ETag")
	require.NotEmpty(t, tag)
	w := s.do("reader/1", "GET", "/v1/events", "", "If-None-Match", `"x", `+tag)
	require.Equal(t, http.StatusNotModified, w.Code, tag)
}

// partitioned is a store whose end has two partitions more, without events.
type partitioned struct{ contract.Store }

func (p partitioned) End(ctx context.Context) (contract.Cursor, error) {
	end, err := p.Store.End(ctx)
	return append(end, 0, 0), err
}

// A failed seal waits before it is tried again.
func TestFailedSealWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seals := 0
		s := newService(t, func(c *serve.Config) {
			c.SealEvery = 2 * time.Second
			c.Seal = func(context.Context) (contract.Checkpoint, error) {
				seals++
				return contract.Checkpoint{}, errors.New("no signer")
			}
			c.SealEveryEvents = 1
		})
		s.command("trader/1", mark("m-1", "70"))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		require.NoError(t, s.Run(ctx))
		require.Equal(t, 3, seals, "at 0, 2 and 4 s")
	})
}

// The log is sealed after enough events or enough time, whichever comes first. It is not sealed
// again while it does not grow.
func TestSealsByEventsOrSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seals []time.Duration
		began := time.Now()
		s := newService(t, func(c *serve.Config) {
			c.SealEvery, c.SealEveryEvents = 10*time.Second, 3
			c.Seal = func(context.Context) (contract.Checkpoint, error) {
				seals = append(seals, time.Since(began))
				return contract.Checkpoint{}, nil
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		s.command("trader/1", mark("m-0", "70"))
		time.Sleep(12100 * time.Millisecond) // of the bubble: sealed at 10 s
		for i := range 3 {
			s.command("trader/1", mark(fmt.Sprint("m-", i+1), fmt.Sprint(71+i)))
		}
		time.Sleep(30 * time.Second)
		cancel()
		require.NoError(t, <-ended)
		require.Equal(t, []time.Duration{10 * time.Second, 12250 * time.Millisecond}, seals)
	})
}

// An approval is decided whatever ids other principals use: nobody else can take its id.
func TestNobodyBlocksAnApproval(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.settled()
	s.command("trader/1", void)
	id := trade.ApprovalID(trade.EventID("v-1", 0))
	code, a := s.command("trader/2", mark(id, "70"))
	require.Equal(t, http.StatusBadRequest, code)
	require.Equal(t, "command-id.reserved", a.Rule)
	w := s.do("importer/1", "POST", "/v1/batches?source=serve/approvals", "")
	require.Equal(t, http.StatusBadRequest, w.Code)
	code, text := s.approve("approver/1", "v-1")
	require.Equal(t, http.StatusCreated, code, text)
}
