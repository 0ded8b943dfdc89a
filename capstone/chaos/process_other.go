//go:build unix && !linux

package chaos

import (
	"os/exec"
	"syscall"
)

// bind keeps an interrupt from the terminal from the process. It ends when its standard input does.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
