//go:build unix

package main

import "syscall"

// ownSession detaches a process from our terminal and from the signals that it sends.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
