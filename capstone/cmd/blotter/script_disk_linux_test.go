package main

import (
	"os"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// disk mounts a file system of so many bytes on a folder, or changes the one that is there: disk DIR 4m [ro]. Where only
// root can do that and we are not, the script is skipped.
func disk(ts *testscript.TestScript, _ bool, args []string) {
	dir, data := ts.MkAbs(args[0]), "mode=711,size="+args[1]
	var flags uintptr
	if _, err := os.Stat(dir); err == nil {
		flags = syscall.MS_REMOUNT
	}
	if len(args) > 2 && args[2] == "ro" {
		flags |= syscall.MS_RDONLY
	}
	ts.Check(os.MkdirAll(dir, 0o711))
	ts.Check(syscall.Mount("none", dir, "tmpfs", flags, data))
	if flags&syscall.MS_REMOUNT == 0 {
		ts.Defer(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	}
}

// canMount is the condition [mount].
func canMount() bool {
	if os.Geteuid() != 0 {
		return false
	}
	dir, err := os.MkdirTemp("", "blotter-mount-")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	if syscall.Mount("none", dir, "tmpfs", 0, "size=64k") != nil {
		return false
	}
	return syscall.Unmount(dir, 0) == nil
}
