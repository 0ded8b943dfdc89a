//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// keepPrivate lets only this user read the files that this process and its children create. The
// broker and the S3 gateway would choose wider modes.
func keepPrivate() { syscall.Umask(0o077) }

// actAsOwner gives up root for good if the data folder belongs to another user. Root's files in the
// folder would lock that user out, and its Postgres would get another owner. It returns a remark
// for the person who is root; empty if nothing changed.
func actAsOwner(data string) (remark string, err error) {
	info, err := os.Stat(data)
	if os.Geteuid() != 0 || err != nil {
		return "", nil // a missing folder is created by this user
	}
	owner := info.Sys().(*syscall.Stat_t)
	if owner.Uid == 0 {
		return "", nil
	}
	uid, gid := int(owner.Uid), int(owner.Gid)
	// The user comes last: only root may change the groups.
	err = errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(gid), syscall.Setuid(uid))
	if err != nil {
		return "", fmt.Errorf("act as user %d, who owns %s: %w", uid, data, err)
	}
	return fmt.Sprintf("acting as user %d, who owns %s", uid, data), nil
}
