// Package memory is an archive of snapshots in memory. It ends with its process.
package memory

import replay "example.com/blotter/solutions/4-replay/plain"

// New returns an empty archive.
func New() *replay.Snapshots { return &replay.Snapshots{Objects: &replay.Memory{}} }
