package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// bind ends cmd when this process ends, even by SIGKILL. Linux sends the signal when the thread
// ends that started cmd.
func bind(cmd *exec.Cmd) {
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
