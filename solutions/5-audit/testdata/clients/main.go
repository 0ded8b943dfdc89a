// Command clients reads a sealed log over HTTP with two libraries of other projects, and checks it:
//
//	clients URL FILE
//
// FILE has the log's public key. Tessera's fsck reads every tile and every leaf, and compares each
// hash. Tessera's client proves the first and the last leaf, and that the first half of the tree is
// a prefix of it. torchwood's client reads every leaf again with its proof.
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, file string) error {
	base, err := url.Parse(address)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	key, err := note.NewVerifier(string(text))
	if err != nil {
		return err
	}
	if err := withTessera(ctx, base, key); err != nil {
		return fmt.Errorf("tessera: %w", err)
	}
	if err := withTorchwood(ctx, address, key); err != nil {
		return fmt.Errorf("torchwood: %w", err)
	}
	return nil
}

func withTessera(ctx context.Context, base *url.URL, key note.Verifier) error {
	log, err := client.NewHTTPFetcher(base, nil)
	if err != nil {
		return err
	}
	if err := fsck.New(key.Name(), key, log, leafHashes, fsck.Opts{N: 4}).Check(ctx); err != nil {
		return err
	}
	last, _, _, err := client.FetchCheckpoint(ctx, log.ReadCheckpoint, key, key.Name())
	if err != nil {
		return err
	}
	proofs, err := client.NewProofBuilder(ctx, last.Size, log.ReadTile)
	if err != nil {
		return err
	}
	for _, index := range []uint64{0, last.Size - 1} {
		leaves, err := client.FetchLeafHashes(ctx, log.ReadTile, index, 1, last.Size)
		if err != nil {
			return err
		}
		path, err := proofs.InclusionProof(ctx, index)
		if err != nil {
			return err
		}
		err = proof.VerifyInclusion(rfc6962.DefaultHasher, index, last.Size, leaves[0], path,
			last.Hash)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", index, err)
		}
	}
	fmt.Printf("tessera: %d leaves of %s\n", last.Size, last.Origin)
	return nil
}

func leafHashes(bundle []byte) ([][]byte, error) {
	var leaves api.EntryBundle
	if err := leaves.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, leaf := range leaves.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(leaf))
	}
	return hashes, nil
}

func withTorchwood(ctx context.Context, base string, key note.Verifier) error {
	tiles, err := torchwood.NewTileFetcher(base)
	if err != nil {
		return err
	}
	signed, err := tiles.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return err
	}
	last, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		return err
	}
	log, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	var read int64
	for range log.Entries(ctx, last.Tree, 0) {
		read++
	}
	if err := log.Err(); err != nil {
		return err
	}
	// Entries leaves the last, partial bundle for the next time.
	for ; read < last.N; read++ {
		leaf, path, err := log.Entry(ctx, last.Tree, read)
		if err != nil {
			return err
		}
		err = tlog.CheckRecord(path, last.N, last.Hash, read, tlog.RecordHash(leaf))
		if err != nil {
			return fmt.Errorf("leaf %d: %w", read, err)
		}
	}
	fmt.Printf("torchwood: %d leaves of %s\n", read, last.Origin)
	return nil
}
