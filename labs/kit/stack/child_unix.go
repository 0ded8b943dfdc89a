//go:build unix && !linux

package stack

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
)

// bind starts the command and beside it a shell that holds the reading end of a pipe of ours. When this process ends in
// any way the pipe closes, and the shell passes the death signal on; a line on the pipe says instead that the child has
// ended, and the shell goes without touching a process id that may by then be another's.
func bind(cmd *exec.Cmd, as *account, death syscall.Signal) (farewell func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		cmd.SysProcAttr.Credential = as.credential()
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	script := fmt.Sprintf("read bye && exit 0; kill -%d %s", int(death), strconv.Itoa(cmd.Process.Pid))
	watch := exec.Command("/bin/sh", "-c", script)
	watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := watch.StdinPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, fmt.Errorf("watch over it: %w", err)
	}
	return func() {
		io.WriteString(pipe, "bye\n")
		watch.Wait()
	}, nil
}
