package containers

import (
	"context"
	"errors"
	"os"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"example.com/blotter/labs/kit/stack"
)

// Labels of what we make. An engine may serve several machines, whose directories are not ours to judge.
const (
	dirLabel  = "com.example.blotter.dir"
	hostLabel = "com.example.blotter.host"
)

func labels(dir string) map[string]string {
	host, _ := os.Hostname() // no name is a name too
	return map[string]string{dirLabel: dir, hostLabel: host}
}

// sweep removes what processes of this machine left when they were killed: the containers of directories that nobody has
// locked, then the volumes of directories that are gone. The caller has locked own.
func sweep(ctx context.Context, engine client.APIClient, own string) error {
	ours := make(client.Filters).Add("label", hostLabel+"="+labels("")[hostLabel], dirLabel)
	found, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return err
	}
	for _, c := range found.Items {
		if dir := c.Labels[dirLabel]; dir == own || abandoned(dir) {
			_, err := engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			if err != nil && !gone(err) {
				return err
			}
		}
	}
	volumes, err := engine.VolumeList(ctx, client.VolumeListOptions{Filters: ours})
	if err != nil {
		return err
	}
	for _, v := range volumes.Items {
		if _, err := os.Stat(v.Labels[dirLabel]); errors.Is(err, os.ErrNotExist) {
			if _, err := engine.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{}); err != nil && !gone(err) {
				return err
			}
		}
	}
	return nil
}

// gone says that another process was quicker, or is at it.
func gone(err error) bool { return errdefs.IsNotFound(err) || errdefs.IsConflict(err) }

// abandoned says that no process has the directory locked. What cannot be told is left alone.
func abandoned(dir string) bool {
	pid, err := stack.Holder(dir)
	return err == nil && pid == 0
}
