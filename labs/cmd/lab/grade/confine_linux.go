package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The limits of a student's process. Its children, such as Postgres, have the same.
const (
	maxWritten   = 256 << 20 // bytes of one file
	maxProcesses = 1024      // and threads, of the process and its children together
	nobody       = 65534     // the user that runs a student's program if the grader is root
	confineWord  = "run-confined"
)

// confineFailed is the exit code of a process that could not get its limits. A test program of Go
// ends with 0, 1 or 2.
const confineFailed = 125

// A confinement is the limits that a process gives itself, before it becomes the student's program.
// The grader starts its own program again for that (Confine).
type confinement struct {
	Memory    uint64   // bytes of private memory
	Root      bool     // the grader is root: the program runs as nobody
	Network   bool     // an own network, which has loopback alone
	Landlock  bool     // reads and writes only where these lists permit them
	Read      []string // paths that may be read and executed
	Write     []string // paths that may be written as well
	CountsOwn bool     // the limit of processes counts only those of the program
	Program   string
	Args      []string
}

// findConfinement returns the strictest confinement that the machine permits.
func findConfinement(g *Grader) (c confinement, err error) {
	for _, network := range []bool{true, false} {
		for _, landlock := range []bool{true, false} {
			root := os.Geteuid() == 0
			c = confinement{
				Memory: g.o.Memory, Root: root, Network: network, Landlock: landlock,
				CountsOwn: root || network, Read: []string{filepath.Dir(g.gateway)},
			}
			var cmd *exec.Cmd
			cmd, err = c.command(context.Background(), g.dir, os.DevNull, "/bin/true")
			if err == nil {
				err = cmd.Run()
			}
			if err == nil {
				return c, nil
			}
		}
	}
	return c, fmt.Errorf("start a process with limits: %w", err)
}

func (c confinement) describe() []string {
	not := func(held bool, text, otherwise string) string {
		if held {
			return text
		}
		return otherwise
	}
	return []string{
		fmt.Sprintf("memory: %d MiB a process", c.Memory>>20),
		fmt.Sprintf("files: %d MiB each", maxWritten>>20),
		not(c.CountsOwn, fmt.Sprintf("processes and threads: %d", maxProcesses),
			"processes: NOT limited (no user namespace)"),
		not(c.Network, "network: loopback alone", "network: NOT limited (no namespace permitted)"),
		not(c.Landlock, "files: it writes its own folder alone, and reads no submission and no "+
			"solution", "files: NOT limited, except by the rights of the user (no Landlock)"),
	}
}

// command returns the command that runs a program in home. It may also write to the report.
func (c confinement) command(ctx context.Context, home, report, program string, args ...string) (
	*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c.Write = []string{home, report, "/dev/null", "/dev/shm"}
	c.Read = append([]string{program, "/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc",
		"/sbin", "/sys", "/usr", os.Getenv("BLOTTER_POSTGRES_BIN")}, c.Read...)
	c.Program, c.Args = program, append([]string{program}, args...)
	spec, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	if c.Root && report != os.DevNull {
		if err := errors.Join(os.Chown(home, nobody, nobody),
			os.Chown(report, nobody, nobody)); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, self, confineWord, string(spec))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.Network {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
	if c.Network && !c.Root {
		id := func(n int) []syscall.SysProcIDMap {
			return []syscall.SysProcIDMap{{ContainerID: n, HostID: n, Size: 1}}
		}
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = id(os.Getuid()), id(os.Getgid())
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd, nil
}

// Confined reports whether this process is one that Confine must turn into a student's program.
func Confined() bool { return len(os.Args) == 3 && os.Args[1] == confineWord }

// Confine limits this process and becomes the student's program. It returns only after an error,
// which it prints, and then returns the exit code.
func Confine() int {
	runtime.LockOSThread() // Landlock and capabilities belong to a thread
	var c confinement
	err := json.Unmarshal([]byte(os.Args[2]), &c)
	if err == nil {
		err = c.apply()
	}
	if err == nil {
		err = syscall.Exec(c.Program, c.Args, os.Environ())
	}
	fmt.Fprintf(os.Stderr, "cannot confine: %v\n", err)
	return confineFailed
}

func (c confinement) apply() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	if c.Network {
		if err := bringUpLoopback(); err != nil {
			return fmt.Errorf("bring up loopback: %w", err)
		}
	}
	limits := map[int]uint64{
		unix.RLIMIT_DATA: c.Memory, unix.RLIMIT_FSIZE: maxWritten, unix.RLIMIT_CORE: 0,
	}
	if c.CountsOwn {
		limits[unix.RLIMIT_NPROC] = maxProcesses
	}
	for resource, n := range limits {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			return fmt.Errorf("set limit %d: %w", resource, err)
		}
	}
	if c.Landlock {
		if err := c.restrict(); err != nil {
			return fmt.Errorf("landlock: %w", err)
		}
	}
	return c.dropRights()
}

// dropRights leaves the program the rights of an ordinary user.
func (c confinement) dropRights() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear capabilities: %w", err)
	}
	if !c.Root {
		return nil
	}
	return errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody))
}

// bringUpLoopback makes 127.0.0.1 work in a new network namespace.
func bringUpLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback)
}

// The rights of Landlock, ABI 2 (landlock(7)). ABI 1 forbids every link and rename between folders,
// which the S3 gateway needs.
const (
	readFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE
	readDirs  = readFiles | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeFile = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	allRights = unix.LANDLOCK_ACCESS_FS_REFER<<1 - 1
)

// restrict limits this thread to the lists. A path that does not exist is left out.
func (c confinement) restrict() error {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: allRights}
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET,
		uintptr(unsafe.Pointer(&attr)), 8, 0) // 8 bytes: the first attribute
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(ruleset))
	for _, path := range c.Read {
		if err := allow(int(ruleset), path, readDirs, readFiles); err != nil {
			return err
		}
	}
	for _, path := range c.Write {
		if err := allow(int(ruleset), path, allRights, writeFile); err != nil {
			return err
		}
	}
	_, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func allow(ruleset int, path string, dirRights, fileRights uint64) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	attr := unix.LandlockPathBeneathAttr{Allowed_access: fileRights, Parent_fd: int32(fd)}
	if info.IsDir() {
		attr.Allowed_access = dirRights
	}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset),
		unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("allow %s: %w", path, errno)
	}
	return nil
}
