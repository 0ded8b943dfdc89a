//go:build unix && !linux

package chaos

import (
	"os/exec"
	"syscall"
)

// bind protects the process from an interrupt of the terminal. The process ends when its standard
// input ends.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
