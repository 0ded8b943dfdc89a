package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/serve"
)

// hostileRequests is the number of requests of TestHostileRequests.
const hostileRequests = 10_000

// held is how much a process holds.
type held struct {
	goroutines, files int
	memory            uint64 // bytes of the heap that are in use
}

func holds() held {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/dev/fd") // none on Windows
	return held{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// requireNoMore waits until the process holds no more than before, but for some memory.
func (before held) requireNoMore(t *testing.T, memory uint64) {
	t.Helper()
	var now held
	require.Eventuallyf(t, func() bool {
		now = holds()
		now.goroutines-- // the one of this condition
		return now.goroutines <= before.goroutines && now.files <= before.files &&
			now.memory <= before.memory+memory
	}, 20*time.Second, 10*time.Millisecond, "before %+v, now %+v", before, &now)
	t.Logf("before %+v, now %+v", before, now)
}

// alone runs a test in a process of its own, which can count everything that the process holds. It
// reports whether this is that process.
func alone(t *testing.T) bool {
	const name = "BLOTTER_TEST_ALONE"
	if os.Getenv(name) == t.Name() {
		return true
	}
	test := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	test.Env = append(os.Environ(), name+"="+t.Name())
	text, err := test.CombinedOutput()
	require.NoError(t, err, string(text))
	require.Contains(t, string(text), "--- PASS: "+t.Name())
	t.Log(string(text))
	return false
}

// No request, however it is made, crashes the service, is answered with 500, or leaves a goroutine,
// an open file or its text in memory.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	if !alone(t) {
		return
	}
	rows := []int{1, 2, 3}
	s := newService(t, func(c *serve.Config) { c.Queries = []serve.Query{listOf(&rows)} })
	book, err := books.FS.ReadFile(books.Broken)
	require.NoError(t, err)
	h := hostile{rand.New(rand.NewPCG(17, 1)), bytes.Split(book, []byte("\n"))}
	var before held
	statuses := map[int]int{}
	for i := range hostileRequests {
		if i == hostileRequests/10 { // the caches and connections exist by now
			before = holds()
		}
		text := h.request()
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			statuses[0]++ // net/http refuses it before any page sees it
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // for a feed
		w := httptest.NewRecorder()
		r.RemoteAddr = "127.0.0.1:1"
		s.Handler().ServeHTTP(w, r.WithContext(ctx))
		cancel()
		require.NotEqual(t, http.StatusInternalServerError, w.Code, "%.2000q", text)
		statuses[w.Code]++
	}
	t.Log("requests by status, 0 for no request:", statuses)
	for _, status := range []int{0, 200, 201, 400, 401, 403, 404, 405, 413, 422} {
		require.NotZero(t, statuses[status], "no request was answered with %d", status)
	}
	before.requireNoMore(t, 4<<20) // the requests have 90 MB; few are commands that stay
	runtime.KeepAlive(s)
}

// hostile makes requests from pieces that are right, wrong, or cut and changed at random.
type hostile struct {
	*rand.Rand
	lines [][]byte
}

func (h hostile) request() []byte {
	var out bytes.Buffer
	if h.IntN(3) == 0 { // a right request, but for its body
		fmt.Fprintf(&out, "POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n",
			pick(h, "/v1/commands", "/v1/batches"), basic("trader/1"))
	} else {
		fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: x\r\n", h.method(), h.target())
		for range h.IntN(4) {
			fmt.Fprintf(&out, "%s\r\n", h.header())
		}
	}
	body := h.body()
	fmt.Fprintf(&out, "Content-Length: %d\r\n\r\n", len(body))
	out.Write(body)
	if h.IntN(10) == 0 {
		return h.changed(out.Bytes())
	}
	return out.Bytes()
}

func pick[T any](h hostile, all ...T) T { return all[h.IntN(len(all))] }

func (h hostile) method() string {
	return pick(h, "GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS",
		"PATCH", "TRACE", "get", "X-\xff")
}

func (h hostile) target() string {
	path := pick(h, "/v1/commands", "/v1/commands", "/v1/batches", "/v1/list", "/v1/events",
		"/v1/feed", "/v1/proofs/"+url.PathEscape(h.text()), "/metrics", "/livez",
		"/readyz", "/openapi.json",
		"/", "/v1/../x", "/v1//list", "/v1/%2e%2e/x", "/v1/list/", "//x", "*",
		"/"+url.PathEscape(h.text()))
	for i := range h.IntN(3) {
		path += pick(h, "?", "&", ";") + pick(h, "limit", "cursor", "from", "book", "source",
			url.QueryEscape(h.text())) + "=" + pick(h, "1", "-1", "99999999999999999999",
			"[1]", "[-1]", "[1e9]",
			"%00", "%0d%0aA:b", "%", "%zz", url.QueryEscape(h.text()),
			strings.Repeat("a", i*2000))
	}
	return path
}

// basic returns the header of a principal that signs in.
func basic(name string) string {
	pair := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
	return "Authorization: Basic " + pair
}

func (h hostile) header() string {
	return pick(h, basic("trader/1"), basic("trader/1"), basic("importer/1"), basic("reader/1"),
		basic("trader/1"), basic("importer/1"), "Authorization: Basic "+h.text(),
		"Authorization: Bearer "+h.text(), "Content-Type: application/json",
		"Content-Type: "+h.text(), "Accept: "+h.text(), "Accept: application/cbor",
		"Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "If-None-Match: W/\"x\", *",
		"Last-Event-ID: [9]", "Transfer-Encoding: chunked", "Expect: 100-continue",
		"Content-Encoding: gzip", "X: "+strings.Repeat("y", h.IntN(9000)), h.text())
}

func (h hostile) body() []byte {
	line := pick(h, h.lines...)
	switch h.IntN(12) {
	case 0:
		return nil
	case 1:
		return h.changed(line)
	case 2:
		return []byte(h.text())
	case 3:
		return []byte(strings.Repeat("[", h.IntN(20_000)))
	case 4:
		return bytes.Join(h.lines[:h.IntN(len(h.lines))], []byte("\n"))
	case 5:
		if h.IntN(10) == 0 {
			return bytes.Repeat([]byte("a"), 1<<20+1)
		}
	case 6:
		return []byte(settleNothing)
	case 7, 8:
		return []byte(mark(fmt.Sprint("m-", h.IntN(50)), fmt.Sprint(h.IntN(3))))
	}
	return line
}

func (h hostile) text() string {
	text := make([]byte, h.IntN(40))
	for i := range text {
		text[i] = byte(h.IntN(256))
	}
	return string(text)
}

// changed returns a text in which some bytes are others, or gone.
func (h hostile) changed(text []byte) []byte {
	text = bytes.Clone(text)
	for range 1 + h.IntN(5) {
		if len(text) == 0 {
			break
		}
		at := h.IntN(len(text))
		if h.IntN(3) == 0 {
			text = text[:at]
			continue
		}
		text[at] = byte(h.IntN(256))
	}
	return text
}

// Clients that send a byte and wait keep nobody else waiting, do not keep the service from
// stopping, and leave no connection open in it.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	if !alone(t) {
		return
	}
	before := holds()
	s := newService(t, func(c *serve.Config) { c.Patience = time.Second })
	address, stop := s.start()
	clients := make([]net.Conn, 200)
	for i := range clients {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		clients[i] = c
		text := "POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
		_, err = c.Write([]byte(text[:1+i*(len(text)-1)/200]))
		require.NoError(t, err)
	}
	for range 20 {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+"/livez", nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the service waits for clients that send nothing")
	}
	for _, c := range clients {
		require.NoError(t, c.Close())
	}
	before.files++ // the file of refused requests
	before.requireNoMore(t, 4<<20)
}
