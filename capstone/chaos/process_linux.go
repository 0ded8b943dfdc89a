package chaos

import (
	"os/exec"
	"syscall"
)

// bind has the kernel kill the process when this process ends, even if it is stopped. The process
// is in a group of its own, so an interrupt from the terminal reaches only this process.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
