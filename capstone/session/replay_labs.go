//go:build lab4

package session

import (
	lab "example.com/blotter/labs/4-replay"
	"example.com/blotter/labs/kit/contract"
)

// The replay and the archive of labs/4-replay.
func newReplayer(codec contract.Codec) contract.Replayer { return lab.New(codec) }

func openSnapshots(o contract.Objects) contract.Snapshots { return &lab.Snapshots{Objects: o} }
