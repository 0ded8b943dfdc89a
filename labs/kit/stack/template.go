package stack

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// templates is the directory of UseTemplates. Tests that build the program set it with the linker's
// flag -X.
var templates string

// UseTemplates makes the embedded stacks of this process fast, for tests alone. A new stack copies
// its database cluster from dir; the first stack on a machine leaves the cluster there. All copies
// have the same superuser, with the same password. Their servers do not sync files: data survives
// the end of every process, but not that of the machine.
func UseTemplates(dir string) { templates = dir }

// fsync returns the server's setting.
func fsync() string {
	if templates != "" {
		return "off"
	}
	return "on"
}

// template returns the directory of the cluster that the programs in bin make. Another version or
// other arguments have another directory.
func template(bin string) (string, error) {
	server, err := os.Stat(filepath.Join(bin, "postgres"))
	if err != nil {
		return "", err
	}
	made := fmt.Sprint(bin, server.Size(), server.ModTime(), initdbArgs)
	return filepath.Join(templates, fmt.Sprintf("postgres-%x", sha256.Sum256([]byte(made)))), nil
}

// createFast makes the new cluster and its password a copy of the template. If there is none, it
// creates both, and leaves a copy as the template.
func (f postgresFiles) createFast(bin string, as *account, log func(string)) error {
	from, err := template(bin)
	if err != nil {
		return err
	}
	password := filepath.Join(from, "password")
	if _, missing := os.Stat(password); missing != nil {
		if err := f.create(bin, as, log); err != nil {
			return err
		}
		if !errors.Is(missing, fs.ErrNotExist) {
			return nil // another user's templates are out of reach
		}
		if err := f.keepTemplate(from); err != nil { // such as a folder that cannot be written
			log("postgres: no template is kept: " + err.Error())
		}
		return nil
	}
	// A crash may have left a password without a cluster.
	if err := os.RemoveAll(f.password); err != nil {
		return err
	}
	if err := copyTree(password, f.password, as); err != nil {
		return err
	}
	return copyTree(filepath.Join(from, "data"), f.newData, as)
}

// keepTemplate copies a cluster that no server has used, and its password.
func (f postgresFiles) keepTemplate(to string) error {
	if err := os.MkdirAll(templates, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(templates, "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyTree(f.newData, filepath.Join(dir, "data"), nil); err != nil {
		return err
	}
	if err := copyTree(f.password, filepath.Join(dir, "password"), nil); err != nil {
		return err
	}
	if err := os.Rename(dir, to); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another process may have been faster
}

// copyTree copies a file, or a directory with all that is in it, for an account.
func copyTree(from, to string, as *account) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if d.IsDir() {
			err = os.Mkdir(target, 0o700)
		} else {
			err = copyFile(path, target)
		}
		if err != nil {
			return err
		}
		return as.own(target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
