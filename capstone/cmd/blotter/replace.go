package main

import (
	"errors"
	"os"
	"path/filepath"
)

// replace writes a file, in the place of the one that is there if there is one. A crash leaves the old one or the new one, whole, and of
// several writers at once one is the last.
func replace(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		// A crash here leaves a file that nobody looks for.
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
