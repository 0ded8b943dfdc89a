package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// writeNew writes a file where there is none; a name that is taken is fs.ErrExist. A crash leaves no file of this name or the
// whole of it, and of several writers at once one wins.
func writeNew(path string, data []byte, mode os.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist} // which takes no right to write there
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	// A crash here leaves a file that nobody looks for.
	return errors.Join(os.Link(f.Name(), path), os.Remove(f.Name()))
}
