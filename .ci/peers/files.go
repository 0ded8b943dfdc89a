package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	audit "example.com/blotter/solutions/5-audit"
)

// files is an archive in a folder. An object is on the disk when Put returns, and so is its name.
type files struct{ dir string }

// Put implements audit.Archive.
func (f files) Put(_ context.Context, name string, data []byte) error {
	err := f.write(name, data, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return audit.ErrExists
	}
	return err
}

// Replace implements audit.Archive.
func (f files) Replace(_ context.Context, name string, data []byte) error {
	return f.write("current/"+name, data, os.Rename)
}

// write writes a file of another name, syncs it, and gives it its name, in a folder that it syncs.
func (f files) write(name string, data []byte, named func(from, to string) error) (err error) {
	path := filepath.Join(f.dir, name)
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := named(file.Name(), path); err != nil {
		return err
	}
	parent, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// Get implements audit.Archive.
func (f files) Get(_ context.Context, name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, audit.ErrAbsent
	}
	return data, err
}

// Current implements audit.Archive.
func (f files) Current(ctx context.Context, name string) ([]byte, error) {
	return f.Get(ctx, "current/"+name)
}

// List implements audit.Archive.
func (f files) List(ctx context.Context, prefix string) ([]string, error) {
	return f.ListAfter(ctx, prefix, "")
}

// ListAfter implements audit.Archive.
func (f files) ListAfter(_ context.Context, prefix, after string) (names []string, err error) {
	folder := filepath.Join(f.dir, filepath.Dir(prefix+"x"))
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(f.dir, path)
		if name = filepath.ToSlash(name); strings.HasPrefix(name, prefix) && name > after {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	return names, err
}
