package audit_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// get returns an answer of a log's server.
func get(t require.TestingT, url string) (*http.Response, []byte) {
	r, err := http.Get(url)
	require.NoError(t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	return r, body
}

// tileClient reads tiles over HTTP for package tlog, which checks them.
type tileClient struct {
	t   *testing.T
	url string
}

func (c tileClient) Height() int                     { return 8 }
func (c tileClient) SaveTiles([]tlog.Tile, [][]byte) {}

func (c tileClient) ReadTiles(tiles []tlog.Tile) (all [][]byte, err error) {
	for _, tile := range tiles {
		r, body := get(c.t, c.url+strings.Replace(tile.Path(), "/8/", "/", 1))
		require.Equal(c.t, http.StatusOK, r.StatusCode, tile.Path())
		require.Equal(c.t, "application/octet-stream", r.Header.Get("Content-Type"))
		require.Contains(c.t, r.Header.Get("Cache-Control"), "immutable")
		all = append(all, body)
	}
	return all, nil
}

// A client that knows only C2SP tlog-tiles reads every leaf of every published checkpoint, although
// junk has the names of some tiles.
func TestAnyClientReadsTheServedLog(t *testing.T) {
	t.Parallel()
	archive := new(audit.Memory)
	for _, name := range []string{"tile/0/001", "tile/1/000.p/2", "tile/entries/000"} {
		plant(t, archive, name, []byte("junk"))
	}
	a := open(t, generatedLog(300), archive)
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	url := server.URL + "/"
	r, _ := get(t, url+"checkpoint")
	require.Equal(t, http.StatusNotFound, r.StatusCode, "nothing is sealed yet")

	var trees []contract.Checkpoint
	for _, size := range []int{300, 610, 611} {
		a.Log, a.Batch = generatedLog(size), 100
		_, err := a.Seal(t.Context())
		require.NoError(t, err)
		r, note := get(t, url+"checkpoint")
		require.Equal(t, "text/plain; charset=utf-8", r.Header.Get("Content-Type"))
		require.Equal(t, "no-cache", r.Header.Get("Cache-Control"))
		c, err := audit.OpenCheckpoint(note, origin, a.Verifier)
		require.NoError(t, err)
		trees = append(trees, c)
	}
	for _, c := range trees {
		tree := tlog.Tree{N: c.Size, Hash: c.Root}
		hashes := tlog.TileHashReader(tree, tileClient{t, url})
		for n := int64(0); n < c.Size; n += 256 {
			name := fmt.Sprintf("tile/entries/%03d", n/256)
			if c.Size-n < 256 {
				name += fmt.Sprintf(".p/%d", c.Size-n)
			}
			_, bundle := get(t, url+name)
			index := n
			for len(bundle) > 0 {
				end := 2 + binary.BigEndian.Uint16(bundle)
				proof, err := tlog.ProveRecord(c.Size, index, hashes)
				require.NoError(t, err)
				leaf := tlog.RecordHash(bundle[2:end])
				require.NoError(t, tlog.CheckRecord(proof, c.Size, c.Root, index, leaf))
				bundle, index = bundle[end:], index+1
				if index > n+3 && len(bundle) > 0 && index%50 != 0 {
					bundle, index = skip(bundle, index)
				}
			}
			require.Equal(t, min(n+256, c.Size), index)
		}
	}
	last := trees[len(trees)-1]
	for _, absent := range []string{
		"tile/entries/099", fmt.Sprintf("tile/entries/002.p/%d", last.Size%256+1), "tile/2/000.p/1",
		"tile/0/000.p/0", "tile/8/0/000", "tile/", "batches/000000000001", "", "tile/0/000.1",
		"tile/0/x072/x057/x594/x037/x927/936", // tile 2^56 begins with hash 2^64
	} {
		r, _ := get(t, url+absent)
		require.Equal(t, http.StatusNotFound, r.StatusCode, absent)
	}
	posted, err := http.Post(url+"checkpoint", "text/plain", strings.NewReader("junk"))
	require.NoError(t, err)
	require.NoError(t, posted.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, posted.StatusCode)
}

// skip goes to the next leaf without a check of this one.
func skip(bundle []byte, index int64) ([]byte, int64) {
	return bundle[2+binary.BigEndian.Uint16(bundle):], index + 1
}

// A changed archive is an error of the server. It serves no tile that was not sealed. The client
// does not learn the error's text, which may name servers.
func TestChangedTilesAreNotServed(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	bad := append([]byte{1}, object(t, archive, tile12)[1:]...)
	over := edited{archive, map[string][]byte{tile12: bad}}
	a := open(t, log, over)
	var warned error
	a.Warn = func(err error) { warned = err }
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	r, body := get(t, server.URL+"/tile/entries/000.p/5")
	require.Equal(t, http.StatusInternalServerError, r.StatusCode)
	require.Equal(t, "the archive of the log does not hold the tree that the log's key signed\n",
		string(body))
	require.ErrorContains(t, warned,
		tile12+": not a tile of the tree that the log's key signed")
}

// halting is an archive in which one object is read only after release is closed.
type halting struct {
	audit.Archive
	name             string
	reached, release chan struct{}
}

func (h *halting) Get(ctx context.Context, name string) ([]byte, error) {
	if name == h.name {
		close(h.reached)
		<-h.release
	}
	return h.Archive.Get(ctx, name)
}

// A request that waits for the archive holds no other request up.
func TestSlowTileHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	log, archive := generatedLog(300), new(audit.Memory)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	slow := &halting{archive, "tile/entries/000", make(chan struct{}), make(chan struct{})}
	server := httptest.NewServer(open(t, log, slow).Handler())
	t.Cleanup(server.Close)
	first := make(chan int)
	go func() {
		r, err := http.Get(server.URL + "/tile/entries/000")
		if err != nil {
			first <- 0
			return
		}
		r.Body.Close()
		first <- r.StatusCode
	}()
	<-slow.reached
	for path, code := range map[string]int{
		"/tile/0/000": http.StatusOK, "/tile/1/000.p/1": http.StatusOK,
		"/checkpoint": http.StatusOK, "/tile/0/099": http.StatusNotFound,
	} {
		r, _ := get(t, server.URL+path)
		require.Equal(t, code, r.StatusCode, path)
	}
	close(slow.release)
	require.Equal(t, http.StatusOK, <-first)
}
