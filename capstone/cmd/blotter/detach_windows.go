package main

import "syscall"

// detached starts a process that the console's Ctrl-C does not reach. The embedded stack reports
// itself that it cannot run on Windows.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
