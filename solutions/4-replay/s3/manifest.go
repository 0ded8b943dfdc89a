package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// A manifest is a snapshot without its state.
type manifest struct {
	Name   string          `json:"name"`
	Taken  time.Time       `json:"taken"`
	Cursor contract.Cursor `json:"cursor"`
	Digest digest          `json:"sha256"`
}

// A digest is hex in JSON.
type digest [sha256.Size]byte

func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

func (d *digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("a digest has %d hex digits, not %d", hex.EncodedLen(len(d)), len(text))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

func manifestOf(s contract.Snapshot) manifest {
	return manifest{s.Name, s.Taken.UTC(), s.Cursor, digest(s.Digest)}
}

func (m manifest) snapshot() contract.Snapshot {
	return contract.Snapshot{Name: m.Name, Taken: m.Taken, Cursor: m.Cursor, Digest: m.Digest}
}

func (m manifest) encode() []byte {
	text, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("s3: a manifest that does not marshal: %v", err)) // a year past 9999
	}
	return append(text, '\n')
}

// decodeManifest takes nothing that encode would not have written for this name.
func decodeManifest(name string, text []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("snapshot %s: %w: its manifest: %v", name, contract.ErrSnapshotDamaged, err)
	}
	if m.Name != name {
		return m, fmt.Errorf("snapshot %s: %w: its manifest is that of %q", name, contract.ErrSnapshotDamaged, m.Name)
	}
	return m, nil
}
