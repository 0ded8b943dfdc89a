//go:build unix

package main

import "syscall"

// keepPrivate lets only this user read the files that this process and its children create. The
// broker and the S3 gateway would choose wider modes.
func keepPrivate() { syscall.Umask(0o077) }
