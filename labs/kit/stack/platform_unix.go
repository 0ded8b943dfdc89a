//go:build unix

package stack

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

func tryLock(f *os.File) error       { return flock(f, syscall.LOCK_EX) }
func tryLockShared(f *os.File) error { return flock(f, syscall.LOCK_SH) }

func flock(f *os.File, how int) error {
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

// account is the user that a child runs as if this process runs as root.
type account struct {
	name     string
	uid, gid uint32
}

// unprivileged returns the account for Postgres, which refuses to run as root. It returns nil if
// this process is not root.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &account{name, uint32(uid), uint32(gid)}, nil
	}
	return nil, withHint(errors.New("postgres does not run as root, "+
		"and this machine has neither a user postgres nor a user nobody"),
		"run as an ordinary user")
}

func (a *account) credential() *syscall.Credential {
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives files to the account. Without an account this process owns them already.
func (a *account) own(paths ...string) error {
	if a == nil {
		return nil
	}
	for _, p := range paths {
		if err := os.Chown(p, int(a.uid), int(a.gid)); err != nil {
			return err
		}
	}
	return nil
}

// letPass lets the account's group pass through a directory of ours.
func (a *account) letPass(dir string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(dir, -1, int(a.gid)); err != nil {
		return err
	}
	return os.Chmod(dir, 0o710)
}

// checkReach returns an error that names the first parent of dir that the account cannot enter.
func (a *account) checkReach(dir string) error {
	if a == nil {
		return nil
	}
	for p := filepath.Dir(dir); ; p = filepath.Dir(p) {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if !a.canEnter(info) {
			return withHint(fmt.Errorf("postgres runs as user %s, who cannot enter %s", a.name, p),
				"chmod o+x %s, choose another data directory, or run as an ordinary user", p)
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}

func (a *account) canEnter(info os.FileInfo) bool {
	st := info.Sys().(*syscall.Stat_t)
	switch {
	case st.Uid == a.uid:
		return info.Mode()&0o100 != 0
	case st.Gid == a.gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}
