package stack

import (
	"fmt"
	"os"
	"syscall"
)

// belongsToOther tells that the process runs and works somewhere else than in dir. A Postgres server works in its data
// directory. It is the directory that counts and not its path, which may lead there through a link.
func belongsToOther(pid int, dir string) bool {
	cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return false
	}
	own, err := os.Stat(dir)
	return err == nil && !os.SameFile(cwd, own)
}

// hasXattrs tells whether files in dir can carry extended attributes.
func hasXattrs(dir string) (bool, error) {
	f, err := os.CreateTemp(dir, "xattr.*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return syscall.Setxattr(f.Name(), "user.blotter", []byte("1"), 0) == nil, nil
}
