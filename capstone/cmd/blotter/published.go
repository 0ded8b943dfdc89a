package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// The last signed note is kept beside the keys that sign, as seal --keep does elsewhere. So an archive that was emptied is not taken for
// one in which nothing was ever sealed: another tree of the same size would be signed there, and of two such nobody can tell which is the log's.
func (a *app) lastNote() string { return filepath.Join(a.cli.Data, "keys", "checkpoint") }

// knownCheckpoint is the one that was kept; the zero one where there is none. It was in the archive BEFORE it was here: so the archive must be
// looked at after it.
func (a *app) knownCheckpoint() (contract.Checkpoint, error) {
	signed, err := os.ReadFile(a.lastNote())
	if errors.Is(err, fs.ErrNotExist) {
		return contract.Checkpoint{}, nil
	}
	if err != nil {
		return contract.Checkpoint{}, err
	}
	c, err := audit.OpenCheckpoint(signed, a.settings.Name.origin(), a.verifier)
	if err != nil {
		err = &failure{fmt.Sprintf("%s: %v", a.lastNote(), err),
			"seal wrote it, or it was changed: if it is as it was, the key beside it is not the one that signed it"}
	}
	return c, err
}

// unsigned refuses to begin a log where one was sealed: what was published of that one is not in the archive of this one, which could then
// never be sealed.
func (a *app) unsigned() error {
	_, err := os.Lstat(a.lastNote())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return &usageError{
		fmt.Sprintf("the keys in %s are another log's: a checkpoint that was published with them is beside them", filepath.Dir(a.lastNote())),
		fmt.Sprintf("name another folder with --data, or move the keys away; if this log is that one, put %s back from a copy",
			filepath.Join(a.cli.Data, settingsFile)),
	}
}

// keepNote is told of what is published.
func (a *app) keepNote(signed []byte) error { return replace(a.lastNote(), signed, 0o644) }

// published is the last checkpoint. It is the zero one where nothing was ever sealed, and where the auditor does not tell.
func published(ctx context.Context, a contract.Auditor) (contract.Checkpoint, error) {
	last, ok := a.(interface {
		Published(ctx context.Context, size int64) (contract.Checkpoint, error)
	})
	if !ok {
		return contract.Checkpoint{}, nil
	}
	return last.Published(ctx, 0)
}
