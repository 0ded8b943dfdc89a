package chaos

import (
	"os/exec"
	"syscall"
)

// bind has the kernel kill the process when this one ends, even if it stands still then. It is in a group of its own, so that an
// interrupt from the terminal is ours to deal with.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
