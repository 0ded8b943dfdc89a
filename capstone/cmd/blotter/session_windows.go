package main

import "syscall"

// ownSession detaches a process from our console's Ctrl-C. (The embedded stack says by itself that it cannot run here.)
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
