package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"example.com/blotter/labs/kit/contract"
)

// sealAndKeep seals, and writes the signed note of the checkpoint to a file of its own. The file is made BEFORE anything is sealed, so a place
// where none can be is found out while nothing has happened. A crash after that leaves an empty file, which is no checkpoint.
func sealAndKeep(ctx context.Context, a contract.Auditor, path string) (contract.Checkpoint, error) {
	file, err := reserve(path)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	c, err := a.Seal(ctx)
	if err == nil && len(c.Note) == 0 {
		err = &failure{"nothing is sealed yet, so there is no checkpoint to keep", "import something first"}
	}
	if err == nil {
		_, err = file.Write(c.Note)
		err = errors.Join(err, file.Sync())
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return c, errors.Join(err, os.Remove(path))
	}
	return c, nil
}

// reserve makes the file. What was kept is not written over: an archive may have been changed between the two, and then only the older one tells.
func reserve(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		return file, nil
	}
	if info, missing := os.Stat(path); missing == nil && info.IsDir() {
		return nil, &usageError{fmt.Sprintf("--keep: %s is a folder", path), "name a file, for the checkpoint to be in"}
	}
	if errors.Is(err, os.ErrExist) {
		return nil, &usageError{fmt.Sprintf("--keep: %s is there already", path), "what was kept is not written over: name another file"}
	}
	return nil, &usageError{"--keep: " + err.Error(), "name a file that can be written"}
}
