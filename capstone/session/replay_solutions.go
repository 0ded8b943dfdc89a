//go:build !lab4

package session

import (
	"example.com/blotter/labs/kit/contract"
	reference "example.com/blotter/solutions/4-replay"
	archive "example.com/blotter/solutions/4-replay/plain"
)

// The reference replay and archive.
func newReplayer(codec contract.Codec) contract.Replayer { return reference.New(codec) }

func openSnapshots(o contract.Objects) contract.Snapshots { return &archive.Snapshots{Objects: o} }
