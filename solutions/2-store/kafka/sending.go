package kafka

import (
	"context"
	"errors"
)

// A sending is a group from when it is sent until the index knows whether it landed. Others may read it in the log before the index has
// it. So who asks the index for what the group touches waits until it does: else the owner would answer that
// something is not there which another process has seen already.
type sending struct {
	group *draft
	over  chan struct{} // closed when the index knows
}

// send says that a group is on its way.
func (p *part) send(group *draft) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sending = &sending{group, make(chan struct{})}
}

// sent says that the index has all of the group, or that the group is not in the log and never will be.
func (p *part) sent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
}

// release lets go of who waits for the group under way. The lock is held.
func (p *part) release() {
	if p.sending != nil {
		close(p.sending.over)
		p.sending = nil
	}
}

// await waits for the group under way, if that touches what is asked for.
func (p *part) await(ctx context.Context, touched func(*draft) bool) error {
	p.mu.RLock()
	under := p.sending
	p.mu.RUnlock()
	if under == nil || !touched(under.group) {
		return nil
	}
	select {
	case <-under.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errUnserved is the answer of an index that nobody here keeps up to date: the partition is not ours, not any more, or not yet.
var errUnserved = errors.New("the partition is not served here")
