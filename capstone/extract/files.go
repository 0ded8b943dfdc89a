package extract

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits of the files that Verify holds in memory. It reads the others in pieces.
const (
	maxNote     = 16 << 10 // bytes of a signature, a checkpoint or a request
	maxManifest = 64 << 20 // bytes
	maxSchema   = 1 << 20  // bytes
)

// readSmall reads a regular file of at most limit bytes. It follows no link and opens no pipe or
// device. A file that is missing, too long or not regular is a *Fault.
func readSmall(bundle fs.FS, name string, limit int64) ([]byte, error) {
	size, err := sizeOf(bundle, name)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, tooLong(name, size, limit)
	}
	f, err := bundle.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1)) // the file may have grown
	if err == nil && int64(len(data)) > limit {
		err = tooLong(name, int64(len(data)), limit)
	}
	return data, err
}

func tooLong(name string, size, limit int64) *Fault {
	return fault(name, 0, "the file has %d bytes, and at most %d are read", size, limit)
}

// sizeOf returns the size of a regular file, which it does not open.
func sizeOf(bundle fs.FS, name string) (int64, error) {
	info, err := fs.Lstat(bundle, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fault(name, 0, "the file is missing")
	case err != nil:
		return 0, err
	case !info.Mode().IsRegular():
		return 0, fault(name, 0, "it does not belong to the bundle: it is not a regular file")
	}
	return info.Size(), nil
}

// digestOf returns the hexadecimal SHA-256 of the first bytes of a file, without holding them in
// memory.
func digestOf(bundle fs.FS, name string, bytes int64) (string, error) {
	f, err := bundle.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, bytes)); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// measure describes a file that the maker has just written.
func measure(bundle fs.FS, name string) (File, error) {
	size, err := sizeOf(bundle, name)
	if err != nil {
		return File{}, err
	}
	digest, err := digestOf(bundle, name, size)
	return File{name, size, digest}, err
}

// paths returns the files that a manifest lists, in the order of the list.
func paths(list []SchemaOf) []string {
	all := []string{readmeFile, checkpointFile, csvFile, eventsFile, proofsFile}
	for _, s := range list {
		all = append(all, s.File)
	}
	return all
}

// checkList compares the files that the manifest lists with the files of a bundle.
func (m Manifest) checkList() error {
	want := paths(m.Schemas)
	for i, f := range m.Files {
		if i >= len(want) || f.Path != want[i] {
			return fault(manifestFile, 0,
				"it lists the file %q, which does not belong there in a bundle", f.Path)
		}
	}
	if len(m.Files) < len(want) {
		return fault(manifestFile, 0, "it does not list the file %q", want[len(m.Files)])
	}
	for i, s := range m.Schemas {
		if s.File != schemaFile(s.Type, s.Version) || strings.Contains(s.Type, "/") {
			return fault(manifestFile, 0, "it lists the schema %s version %d as %q",
				s.Type, s.Version, s.File)
		}
		if i > 0 && order(m.Schemas[i-1], s) >= 0 {
			return fault(manifestFile, 0, "it lists the schema %s version %d twice or out of order",
				s.Type, s.Version)
		}
	}
	return nil
}

// files compares the files of the bundle with the manifest.
func (v *verifier) files() error {
	m := v.found.Manifest
	if err := m.checkList(); err != nil {
		return err
	}
	if err := v.strangers(); err != nil {
		return err
	}
	for _, want := range m.Files {
		size, err := sizeOf(v.bundle, want.Path)
		if err != nil {
			return err
		}
		if size != want.Bytes {
			return v.locate(fault(want.Path, 0,
				"the file was changed: it has %d bytes, and should have %d", size, want.Bytes))
		}
		digest, err := digestOf(v.bundle, want.Path, size)
		if err != nil {
			return err
		}
		if digest != want.SHA256 {
			return v.locate(fault(want.Path, 0,
				"the file was changed: its SHA-256 is %s, and should be %s", digest, want.SHA256))
		}
	}
	return nil
}

// strangers looks for files that the manifest does not list. It reads a few more names than the
// manifest lists, however many there are.
func (v *verifier) strangers() error {
	listed := map[string]bool{manifestFile: true, signatureFile: true, pageFile: true}
	for _, f := range v.found.Manifest.Files {
		listed[f.Path] = true
	}
	for _, dir := range []string{".", schemasFolder} {
		entries, err := readDir(v.bundle, dir, len(listed)+2)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			switch {
			case e.IsDir() && name == schemasFolder:
			case !e.Type().IsRegular():
				return fault(name, 0, "it does not belong to the bundle: it is not a regular file")
			case !listed[name]:
				return fault(name, 0,
					"the file does not belong to the bundle: the manifest does not list it")
			}
		}
	}
	return nil
}

// readDir returns at most n entries of a folder, sorted by name.
func readDir(bundle fs.FS, name string, n int) ([]fs.DirEntry, error) {
	f, err := bundle.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dir, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, fault(name, 0, "it is not a folder")
	}
	entries, err := dir.ReadDir(n)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return strings.Compare(a.Name(), b.Name())
	})
	return entries, err
}
