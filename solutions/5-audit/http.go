package audit

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// Handler serves the tree under the last checkpoint to any client of C2SP tlog-tiles:
//
//	/checkpoint                    the last checkpoint, with its cosignatures
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
		if err == nil {
			c, err = a.Cosigned(r.Context(), c)
		}
		w.Header().Set("Cache-Control", "no-cache")
		a.answer(w, "text/plain; charset=utf-8", c.Note, err)
	})
	mux.HandleFunc("GET /tile/", func(w http.ResponseWriter, r *http.Request) {
		tile, ok := parseTile(strings.TrimPrefix(r.URL.Path, "/"))
		if !ok {
			a.answer(w, "", nil, ErrAbsent)
			return
		}
		data, err := v.narrow(r.Context(), tile)
		if err == nil {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		a.answer(w, "application/octet-stream", data, err)
	})
	return mux
}

// answer writes an answer. An archive that cannot be read, or that was changed, is the server's
// error, which Options.Warn is told of: it may name objects and servers.
func (a *Auditor) answer(w http.ResponseWriter, contentType string, data []byte, err error) {
	switch {
	case errors.Is(err, ErrAbsent) && !errors.Is(err, ErrArchive):
		http.Error(w, "the log has no such resource", http.StatusNotFound)
	case err != nil:
		a.warn(err)
		text := "the archive of the log cannot be read"
		if errors.Is(err, ErrArchive) {
			text = "the archive of the log does not hold the tree that the log's key signed"
		}
		http.Error(w, text, http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", contentType)
		w.Write(data)
	}
}

// A view is the tree of the last checkpoint that a request needed. Requests read tiles at once.
type view struct {
	*Auditor
	asking sync.Mutex // held while a request asks for a later checkpoint: one at a time
	mu     sync.Mutex // never held while the archive is read
	tree   *sealedTree
}

// narrow returns a tile with the width that was asked for. It is ErrAbsent if no checkpoint covers
// the tile yet.
func (v *view) narrow(ctx context.Context, tile tlog.Tile) ([]byte, error) {
	tree, err := v.covering(ctx, tile)
	if err != nil {
		return nil, err
	}
	data, err := tree.tile(ctx, tile.L, tile.N)
	if isForeign(err) || errors.Is(err, ErrAbsent) {
		err = errors.Join(ErrArchive, err)
	}
	if err != nil {
		return nil, err
	}
	v.remember(tree)
	if tile.L != entryLevel {
		return data[:tile.W*tlog.HashSize], nil
	}
	leaves, err := splitBundle(data)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, leaf := range leaves[:tile.W] {
		size += 2 + len(leaf)
	}
	return data[:size], nil
}

// covering returns a tree that has a tile, for one request. It asks for the last checkpoint if the
// known tree does not have the tile.
func (v *view) covering(ctx context.Context, tile tlog.Tile) (*sealedTree, error) {
	if tree := v.known(tile); tree != nil {
		return tree, nil
	}
	v.asking.Lock()
	defer v.asking.Unlock()
	if tree := v.known(tile); tree != nil { // another request asked
		return tree, nil
	}
	_, last, err := v.latest(ctx)
	if err != nil {
		return nil, err
	}
	if last != nil {
		v.mu.Lock()
		v.tree = v.Auditor.tree(last.edge)
		v.mu.Unlock()
	}
	if tree := v.known(tile); tree != nil {
		return tree, nil
	}
	return nil, ErrAbsent
}

// known returns a copy of the known tree; nil if it does not have a tile.
func (v *view) known(tile tlog.Tile) *sealedTree {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tree == nil || tileAt(tile.L, tile.N, v.tree.size).W < tile.W {
		return nil
	}
	return &sealedTree{v.Auditor, v.tree.edge, maps.Clone(v.tree.read)}
}

// remember keeps the tiles of hashes that a request read: at most 64 of 8 KiB. Bundles are up to
// 16 MiB, so none is kept.
func (v *view) remember(from *sealedTree) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if from.size != v.tree.size {
		return
	}
	for tile, data := range from.read {
		if tile.L == entryLevel {
			continue
		}
		if len(v.tree.read) >= 64 {
			clear(v.tree.read)
		}
		v.tree.read[tile] = data
	}
}
