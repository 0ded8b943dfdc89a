package logdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// replace writes a file, or replaces an existing one. A crash leaves the old file or the new one,
// complete; of several writers at once, one is the last.
func replace(path string, data []byte) error {
	temporary, err := writeTemporary(path, data)
	if err != nil {
		return err
	}
	// A crash here leaves a file that nobody looks for.
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// writeNew writes a file that must not exist; if it does, the error is fs.ErrExist. A crash leaves
// no file of this name or all of it; of several writers at once, one wins.
func writeNew(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil { // finds it without the right to write there
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	temporary, err := writeTemporary(path, data)
	if err != nil {
		return err
	}
	// A crash here leaves a file that nobody looks for.
	return errors.Join(os.Link(temporary, path), os.Remove(temporary))
}

// writeTemporary writes a file beside path, to the disk. Only this user may read it.
func writeTemporary(path string, data []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // has mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
