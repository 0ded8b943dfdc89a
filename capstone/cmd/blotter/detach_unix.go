//go:build unix

package main

import "syscall"

// detached starts a process apart from our terminal and from the signals that the terminal sends.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
