package containers

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secret is the password of the parts of a directory. It outlives their containers, since a database keeps the one it was made with.
// The caller has locked the directory.
func secret(dir string) (string, error) {
	path := filepath.Join(dir, "containers-secret")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		// A crash on the way leaves a file under another name, and no container with this secret.
		text = []byte(rand.Text())
		if err = os.WriteFile(path+".new", text, 0o600); err == nil {
			err = os.Rename(path+".new", path)
		}
	}
	return strings.TrimSpace(string(text)), err
}
