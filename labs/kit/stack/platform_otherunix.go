//go:build unix && !linux

package stack

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// startBound starts a command that ends with this process, and a shell that reads from a pipe of
// this process. When this process ends for any reason, the pipe closes and the shell sends the
// command the death signal. The caller calls ended after the command has ended: ended writes a line
// to the pipe, and the shell exits without a signal, because the process id may belong to another
// process by then.
func startBound(cmd *exec.Cmd, as *account, death syscall.Signal) (ended func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		cmd.SysProcAttr.Credential = as.credential()
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	script := fmt.Sprintf("read line && exit 0; kill -%d %d", int(death), cmd.Process.Pid)
	watch := exec.Command("/bin/sh", "-c", script)
	watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := watch.StdinPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, fmt.Errorf("start the shell that ends it with this process: %w", err)
	}
	return func() {
		io.WriteString(pipe, "ended\n")
		watch.Wait()
	}, nil
}

// worksElsewhere is unknown on these systems. Postgres decides by itself.
func worksElsewhere(int, string) bool { return false }

// hasXattrs holds for the usual file systems of these systems.
func hasXattrs(string) (bool, error) { return true, nil }
