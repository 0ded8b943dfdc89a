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

// account is a user that a child runs as in place of root.
type account struct {
	name     string
	uid, gid uint32
}

// lesserAccount is whom root runs Postgres as, since Postgres refuses to run as root; nil when we are not root.
func lesserAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uerr, gerr); err != nil {
			return nil, err
		}
		return &account{name, uint32(uid), uint32(gid)}, nil
	}
	return nil, withHint(errors.New("postgres does not run as root, and there is neither a user postgres nor nobody"),
		"run as an ordinary user")
}

func (a *account) credential() *syscall.Credential {
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives files to the account. Without an account they are ours already.
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

// reach says which parent of dir, if any, the account may not pass through.
func (a *account) reach(dir string) error {
	if a == nil {
		return nil
	}
	for p := filepath.Dir(dir); ; p = filepath.Dir(p) {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if !a.mayPass(info) {
			return withHint(fmt.Errorf("postgres runs as user %s, who may not pass through %s", a.name, p),
				"chmod o+x %s, choose a data directory elsewhere, or run as an ordinary user", p)
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}

func (a *account) mayPass(info os.FileInfo) bool {
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
