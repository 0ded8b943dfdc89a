package replay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// Get returns the snapshot as it was put, or contract.ErrSnapshotDamaged (L4.I1). It trusts the
// digest, not the storage.
func (a *Snapshots) Get(ctx context.Context, name string) (contract.Snapshot, error) {
	m, err := a.manifest(ctx, name)
	if err != nil {
		return contract.Snapshot{}, err
	}
	s := m.snapshot()
	s.State, err = a.Objects.Get(ctx, stateKey(name, s.Digest))
	switch {
	case errors.Is(err, contract.ErrNoObject):
		return contract.Snapshot{}, fmt.Errorf("snapshot %s: %w: its state is missing",
			name, contract.ErrSnapshotDamaged)
	case err != nil:
		return contract.Snapshot{}, fmt.Errorf("read the state of snapshot %s: %w", name, err)
	case sha256.Sum256(s.State) != s.Digest && len(s.State) > 0 && s.State[len(s.State)-1] != '\n':
		return contract.Snapshot{}, fmt.Errorf("snapshot %s: %w: "+
			"its state ends after %d bytes, in the middle of a line",
			name, contract.ErrSnapshotDamaged, len(s.State))
	case sha256.Sum256(s.State) != s.Digest:
		return contract.Snapshot{}, fmt.Errorf("snapshot %s: %w: "+
			"SHA-256 of the state is %x, and the manifest has %x",
			name, contract.ErrSnapshotDamaged, sha256.Sum256(s.State), s.Digest)
	}
	return s, nil
}

// Put archives s. Putting the same state under the same name again succeeds and changes nothing
// (L4.I2, L4.I3).
func (a *Snapshots) Put(ctx context.Context, s contract.Snapshot) error {
	if err := CheckName(s.Name); err != nil {
		return err
	}
	if sha256.Sum256(s.State) != s.Digest {
		return fmt.Errorf("snapshot %s: the digest does not match the state", s.Name)
	}
	err := a.Objects.Put(ctx, stateKey(s.Name, s.Digest), s.State)
	if err != nil && !errors.Is(err, contract.ErrObjectExists) {
		return fmt.Errorf("archive the state of snapshot %s: %w", s.Name, err)
	}
	// A crash here leaves a state that no manifest names. No reader finds it. The next Put uses it.
	err = a.Objects.Put(ctx, manifestKey(s.Name), manifestOf(s).encode())
	if err != nil && !errors.Is(err, contract.ErrObjectExists) {
		return fmt.Errorf("archive the manifest of snapshot %s: %w", s.Name, err)
	}
	// A crash here leaves a complete snapshot without its writer's knowledge. The next Put finds
	// it.
	archived, err := a.Get(ctx, s.Name) // the snapshot of the writer that was first
	if err == nil && archived.Digest != s.Digest {
		err = fmt.Errorf("snapshot %s: %w", s.Name, contract.ErrSnapshotTaken)
	}
	return err
}
