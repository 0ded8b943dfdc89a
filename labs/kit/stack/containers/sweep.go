package containers

import (
	"context"
	"os"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"example.com/blotter/labs/kit/stack"
)

// Labels of what we make. An engine may serve several machines, whose directories are not ours to judge.
const (
	dirLabel       = "com.example.blotter.dir"
	hostLabel      = "com.example.blotter.host"
	temporaryLabel = "com.example.blotter.temporary" // on a volume that is not to outlive its process
)

func labels(dir string) map[string]string {
	host, _ := os.Hostname() // no name is a name too
	return map[string]string{dirLabel: dir, hostLabel: host}
}

// volumeLabels are those of a volume. It keeps the ones that it was made with.
func volumeLabels(dir string, temporary bool) map[string]string {
	l := labels(dir)
	if temporary {
		l[temporaryLabel] = "true"
	}
	return l
}

// sweep removes what processes of this machine left when they were killed: the containers of directories that nobody has
// locked, then the temporary volumes of such. Any other volume is somebody's log, whether its directory is found or not: it
// may have been moved, or its disk not be mounted. The caller has locked own.
func sweep(ctx context.Context, engine client.APIClient, own string) error {
	ours := func(label string) client.Filters {
		return make(client.Filters).Add("label", hostLabel+"="+labels("")[hostLabel], label)
	}
	left := func(l map[string]string) bool { return l[dirLabel] == own || abandoned(l[dirLabel]) }
	found, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours(dirLabel)})
	if err != nil {
		return err
	}
	for _, c := range found.Items {
		if left(c.Labels) {
			_, err := engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			if err != nil && !gone(err) {
				return err
			}
		}
	}
	volumes, err := engine.VolumeList(ctx, client.VolumeListOptions{Filters: ours(temporaryLabel)})
	if err != nil {
		return err
	}
	for _, v := range volumes.Items {
		if left(v.Labels) {
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
