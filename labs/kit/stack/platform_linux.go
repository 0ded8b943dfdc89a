package stack

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// startBound starts a command that ends with this process. The kernel sends the command the death
// signal when the calling thread ends, at the latest when this process ends. A parent that dies
// between fork and exec counts, too. The caller calls ended after the command has ended.
func startBound(cmd *exec.Cmd, as *account, death syscall.Signal) (ended func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: death, Setpgid: true}
	if as != nil {
		cmd.SysProcAttr.Credential = as.credential()
	}
	return func() {}, cmd.Start()
}

// worksElsewhere reports whether a running process has a working directory other than dir. A
// Postgres server works in its data directory. The comparison is by directory and not by path,
// since a path may contain a link.
func worksElsewhere(pid int, dir string) bool {
	cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return false
	}
	own, err := os.Stat(dir)
	return err == nil && !os.SameFile(cwd, own)
}

// hasXattrs reports whether files in dir can have extended attributes.
func hasXattrs(dir string) (bool, error) {
	f, err := os.CreateTemp(dir, "xattr.*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return syscall.Setxattr(f.Name(), "user.blotter", []byte("1"), 0) == nil, nil
}
