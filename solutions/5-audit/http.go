package audit

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// Handler serves the tree under the last checkpoint to any client of C2SP tlog-tiles:
//
//	/checkpoint                    the last checkpoint
//	/tile/<level>/<n>[.p/<width>]  a tile of hashes
//	/tile/entries/<n>[.p/<width>]  a bundle of leaves
//
// It only reads. It serves no tile that the log's key did not sign, whatever is in the archive.
// Each narrower tile is the beginning of a wider one, so it needs only those of the last tree.
func (a *Auditor) Handler() http.Handler {
	v, mux := &view{Auditor: a}, http.NewServeMux()
	mux.HandleFunc("GET /checkpoint", func(w http.ResponseWriter, r *http.Request) {
		c, err := a.last(r.Context())
		if err == nil && c.Size == 0 {
			err = ErrAbsent
		}
		w.Header().Set("Cache-Control", "no-cache")
		answer(w, "text/plain; charset=utf-8", c.Note, err)
	})
	mux.HandleFunc("GET /tile/", func(w http.ResponseWriter, r *http.Request) {
		tile, ok := parseTile(strings.TrimPrefix(r.URL.Path, "/"))
		if !ok {
			answer(w, "", nil, ErrAbsent)
			return
		}
		data, err := v.narrow(r.Context(), tile)
		if err == nil {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		answer(w, "application/octet-stream", data, err)
	})
	return mux
}

// answer writes an answer. An archive that cannot be read, or that was changed, is the server's
// error.
func answer(w http.ResponseWriter, contentType string, data []byte, err error) {
	switch {
	case errors.Is(err, ErrAbsent) && !errors.Is(err, ErrArchive):
		http.Error(w, "the log has no such resource", http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", contentType)
		w.Write(data)
	}
}

// A view is the tree of the last checkpoint that a request needed.
type view struct {
	*Auditor
	mu   sync.Mutex
	tree *sealedTree
}

// narrow returns a tile with the width that was asked for. It is ErrAbsent if no checkpoint covers
// the tile yet.
func (v *view) narrow(ctx context.Context, tile tlog.Tile) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tree == nil || tileAt(tile.L, tile.N, v.tree.size).W < tile.W {
		_, last, err := v.latest(ctx)
		if err != nil {
			return nil, err
		}
		if last == nil || tileAt(tile.L, tile.N, last.edge.size).W < tile.W {
			return nil, ErrAbsent
		}
		v.tree = v.Auditor.tree(last)
	}
	data, err := v.tree.tile(ctx, tile.L, tile.N)
	if err != nil {
		return nil, errors.Join(ErrArchive, err)
	}
	if tile.L != entryLevel {
		return data[:tile.W*tlog.HashSize], nil
	}
	leaves, err := splitBundle(data)
	size := 0
	for _, leaf := range leaves[:tile.W] {
		size += 2 + len(leaf)
	}
	return data[:size], err
}
