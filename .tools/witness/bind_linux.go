package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// bind ends cmd when this process ends, even by SIGKILL. Linux sends the signal when the thread
// ends that started cmd. The files of cmd are private.
func bind(cmd *exec.Cmd) {
	syscall.Umask(0o077)
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
