//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
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
	uid := int(owner.Uid)
	groups := groupsOf(uid, int(owner.Gid))
	// The user comes last: only root may change the groups.
	err = errors.Join(syscall.Setgroups(groups), syscall.Setgid(groups[0]), syscall.Setuid(uid))
	if err != nil {
		return "", fmt.Errorf("act as user %d, who owns %s: %w", uid, data, err)
	}
	return fmt.Sprintf("acting as user %d, who owns %s", uid, data), nil
}

// maxGroups is the number of groups that every system accepts for a process (NGROUPS_MAX of macOS).
const maxGroups = 16

// groupsOf returns the groups of a user, the primary group first. A user whom the system does not
// know has the group of the folder, but never root's: then it is the group of the user's number.
func groupsOf(uid, folder int) []int {
	if folder == 0 {
		folder = uid
	}
	known, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return []int{folder}
	}
	primary, err := strconv.Atoi(known.Gid)
	if err != nil {
		return []int{folder}
	}
	groups := []int{primary}
	ids, _ := known.GroupIds() // after an error the user has the primary group alone
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err == nil && !slices.Contains(groups, gid) && len(groups) < maxGroups {
			groups = append(groups, gid)
		}
	}
	return groups
}
