package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// disk mounts a file system of the given size on a folder, or resizes a mounted one:
// disk DIR 4m [ro]. Only root can mount: see canMount.
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

// canMount reports the condition [mount].
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

// fill writes the file ballast into a file system, so that only the given space is left: fill DIR
// 4m.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	megabytes, err := strconv.ParseUint(strings.TrimSuffix(args[1], "m"), 10, 32)
	ts.Check(err)
	var disk syscall.Statfs_t
	ts.Check(syscall.Statfs(dir, &disk))
	size := int64(disk.Bavail)*disk.Bsize - int64(megabytes)<<20
	ts.Check(os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, size), 0o600))
}
