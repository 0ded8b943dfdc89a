package grade

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile is the size over which a student's file is ignored.
const maxFile = 1 << 20

// A submission is the files of a student that the grader takes, and the names of all others that
// are not as in the kit.
type submission struct {
	student string
	files   map[string][]byte // by path from the root, such as labs/5-audit/tree.go
	ignored []string          // paths, with the reason
}

// Find returns the folders of the submissions in dir: dir itself if it has a folder labs, otherwise
// each folder in it that has one.
func Find(dir string) ([]string, error) {
	if isDir(filepath.Join(dir, "labs")) {
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if isDir(filepath.Join(dir, e.Name(), "labs")) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no folder labs, and none of its folders has one", dir)
	}
	return found, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// read reads a submission. It follows no link. takes reports whether students edit a file.
func read(dir string, kit fs.FS, takes func(path string) bool) (submission, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return submission{}, err
	}
	s := submission{student: filepath.Base(full), files: map[string][]byte{}}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return s, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read submission %s: %w", s.student, err)
		case d.IsDir() && (name != "." && strings.HasPrefix(d.Name(), ".") ||
			d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		return s.add(root, kit, name, d, takes(name))
	})
	slices.Sort(s.ignored)
	return s, err
}

func (s *submission) add(root *os.Root, kit fs.FS, name string, d fs.DirEntry, take bool) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case !info.Mode().IsRegular():
		s.ignored = append(s.ignored, name+" (no regular file)")
		return nil
	case info.Size() > maxFile:
		if take || strings.HasPrefix(name, "labs/") {
			s.ignored = append(s.ignored, name+" (over 1 MiB)")
		}
		return nil
	}
	text, err := root.ReadFile(name)
	if err != nil {
		return err
	}
	if take {
		s.files[name] = text
		return nil
	}
	original, err := fs.ReadFile(kit, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if path.Ext(name) == ".go" || strings.HasPrefix(name, "labs/") {
			s.ignored = append(s.ignored, name+" (not in the kit)")
		}
	case err != nil:
		return err
	case !bytes.Equal(original, text):
		s.ignored = append(s.ignored, name+" (changed; the kit's is used)")
	}
	return nil
}
