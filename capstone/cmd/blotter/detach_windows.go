package main

import "syscall"

// detached starts a process that our console's Ctrl-C does not reach. The embedded stack itself
// reports that it cannot run here.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
