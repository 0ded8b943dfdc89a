package stack

import (
	"os/exec"
	"syscall"
)

// bind starts the command so that the kernel sends it the death signal when the calling thread ends, which it does at
// the latest when this process ends. There is no window: a parent that dies between fork and exec is noticed too.
func bind(cmd *exec.Cmd, as *account, death syscall.Signal) (farewell func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: death, Setpgid: true}
	if as != nil {
		cmd.SysProcAttr.Credential = as.credential()
	}
	return func() {}, cmd.Start()
}
