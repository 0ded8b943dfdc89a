package main

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A user has a data folder, and runs the installed program in it, as does root.
type owned struct {
	t         *testing.T
	bin, data string
	uid       uint32
}

func newOwned(t *testing.T, uid uint32) owned {
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	o := owned{t, install(t), filepath.Join(passableDir(t), "data"), uid}
	require.NoError(t, os.Mkdir(o.data, 0o700))
	require.NoError(t, os.Chown(o.data, int(uid), int(uid)))
	return o
}

func (o owned) run(as uint32, args ...string) (string, error) {
	args = append([]string{"--data", o.data}, args...)
	c := exec.CommandContext(o.t.Context(), filepath.Join(o.bin, "blotter"), args...)
	c.Dir, c.Env = "/", []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as, Gid: as}}
	out, err := c.CombinedOutput()
	return string(out), err
}

func (o owned) requireRuns(as uint32, args ...string) {
	out, err := o.run(as, args...)
	require.NoError(o.t, err, "%v, as user %d: %s", args, as, out)
}

// requireOneOwner fails if a file or folder belongs to another user.
func (o owned) requireOneOwner() {
	err := filepath.WalkDir(o.data, func(path string, d fs.DirEntry, err error) error {
		require.NoError(o.t, err)
		info, err := d.Info()
		require.NoError(o.t, err)
		require.Equal(o.t, o.uid, info.Sys().(*syscall.Stat_t).Uid, path)
		return nil
	})
	require.NoError(o.t, err)
}

// Root's commands in the data folder of another user change no owner, and this user goes on as
// before.
func TestRootLeavesTheOwnersFolderUsable(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	nobody, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	require.NoError(t, err)
	o := newOwned(t, uint32(uid))
	book := filepath.Join(filepath.Dir(o.data), "book.jsonl")
	require.NoError(t, os.WriteFile(book, []byte(novation+"\n"), 0o644))
	root := uint32(0)
	o.requireRuns(root, "import", "--simulate", book) // into a folder without a log
	o.requireOneOwner()
	for _, as := range []uint32{o.uid, root, o.uid} {
		o.requireRuns(as, "import", book)
		o.requireRuns(as, "position")
		o.requireRuns(as, "rebuild")
		o.requireRuns(as, "snapshot")
		o.requireRuns(as, "seal")
		o.requireRuns(as, "up")
		o.requireRuns(as, "verify")
		o.requireRuns(as, "status")
		o.requireRuns(as, "down")
		o.requireOneOwner()
	}
}

// Root acts with the groups of the owner. The group of the folder may be root's, and it lacks the
// other groups of the owner, such as the group that may use the containers.
func TestRootTakesTheOwnersGroups(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int{12345}, groupsOf(12345, 0), "a user whom the system does not know")
	require.Equal(t, []int{77}, groupsOf(12345, 77))
	for _, name := range []string{"nobody", "postgres"} { // postgres has a second group on Debian
		known, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(known.Uid)
		require.NoError(t, err)
		out, err := exec.CommandContext(t.Context(), "id", "-G", name).Output()
		require.NoError(t, err)
		var want []int
		for _, id := range strings.Fields(string(out)) {
			gid, err := strconv.Atoi(id)
			require.NoError(t, err)
			want = append(want, gid)
		}
		got := groupsOf(uid, 0)
		require.ElementsMatch(t, want, got)
		require.Equal(t, known.Gid, strconv.Itoa(got[0]))
	}
}

// No file that root's command creates for another user belongs to root's group.
func TestRootGivesUpItsGroup(t *testing.T) {
	t.Parallel()
	o := newOwned(t, 12345)
	require.NoError(t, os.Chown(o.data, int(o.uid), 0))
	book := filepath.Join(filepath.Dir(o.data), "book.jsonl")
	require.NoError(t, os.WriteFile(book, []byte(novation+"\n"), 0o644))
	o.requireRuns(0, "import", "--simulate", book)
	o.requireOneOwner()
	created, err := os.ReadDir(o.data)
	require.NoError(t, err)
	require.NotEmpty(t, created)
	for _, entry := range created {
		info, err := entry.Info()
		require.NoError(t, err)
		require.Equal(t, o.uid, info.Sys().(*syscall.Stat_t).Gid, entry.Name())
	}
}

// A user whom the system does not know can do all that needs no Postgres. The rest has a hint.
func TestUnknownUserGetsAHint(t *testing.T) {
	t.Parallel()
	onlyHere(t)
	o := newOwned(t, 12345)
	book := filepath.Join(filepath.Dir(o.data), "book.jsonl")
	require.NoError(t, os.WriteFile(book, []byte(novation+"\n"), 0o644))
	for _, as := range []uint32{o.uid, 0, o.uid} {
		o.requireRuns(as, "import", "--simulate", book)
		out, err := o.run(as, "position")
		require.Error(t, err, out)
		require.Contains(t, out, "hint: postgres runs only as a user that the system knows: "+
			"add one, as with useradd --uid 12345 NAME, or run as another user")
		o.requireOneOwner()
	}
}
