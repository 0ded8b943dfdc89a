package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	audit "example.com/blotter/solutions/5-audit"
)

// embeddedWitness is the URL, in a policy, of the witness that runs beside the log. Its address is
// another one at each start.
const embeddedWitness = "embedded:"

// Cosigner is Auditor for a session that asks the witnesses of the log's policy.
func (s *Session) Cosigner(ctx context.Context) (*Auditor, error) {
	a, err := s.Auditor(ctx, nil)
	if err == nil {
		s.reachWitness(ctx, a.Reference.Policy)
	}
	return a, err
}

// policy returns the policy of the log's witnesses; nil without one.
func (s *Session) policy() (*audit.Policy, error) {
	text, err := s.dir.Policy()
	if err != nil || text == nil {
		return nil, err
	}
	p, err := audit.ParsePolicy(text)
	if err != nil {
		err = &logdir.IntegrityError{
			What:   fmt.Sprintf("%s: %v", s.dir.PolicyFile(), err),
			Remedy: "mend the file; its format is c2sp.org/tlog-policy",
		}
	}
	return p, err
}

// reachWitness starts the witness that runs beside the log, if a policy names it. Without it the
// others are asked all the same.
func (s *Session) reachWitness(ctx context.Context, p *audit.Policy) {
	if p == nil {
		return
	}
	for i := range p.Witnesses {
		w := &p.Witnesses[i]
		if w.URL != embeddedWitness {
			continue
		}
		w.URL = ""
		started, err := s.startWitness(ctx)
		if err != nil {
			s.config.logger().Warn(fmt.Sprintf("witness %s: %v", w.Name, err))
			continue
		}
		w.URL = started.URL
	}
}

// startWitness starts the witness that runs beside the log, with a key of its own, until the
// session is closed.
func (s *Session) startWitness(ctx context.Context) (*stack.Witness, error) {
	key, err := s.dir.PublicKey()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(logdir.StackDir(s.config.Data), "witness")
	w, err := stack.StartWitness(ctx, dir, "witness."+s.Settings().Name.Origin(), key)
	if err == nil {
		s.onClose(w.Close)
	}
	return w, err
}

// ErrNoKey is the error of AddWitness for a log that has no key yet: the first seal makes it.
var ErrNoKey = errors.New("the log has no key yet")

// AddWitness makes the witness that runs beside the log the only one of a new policy.
func (s *Session) AddWitness(ctx context.Context) error {
	key, err := s.dir.PublicKey()
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoKey
	}
	if err != nil {
		return err
	}
	w, err := s.startWitness(ctx)
	if err != nil {
		return err
	}
	return s.dir.CreatePolicy(fmt.Sprintf("# See c2sp.org/tlog-policy\nlog %s\n"+
		"witness embedded %s %s\nquorum embedded\n", key, w.Key, embeddedWitness))
}

// Witnessed returns the cosignatures of a checkpoint by witnesses of the policy. The error is
// audit.ErrUnwitnessed if the policy asks for more.
func (a *Auditor) Witnessed(ctx context.Context, c contract.Checkpoint) (
	[]audit.Cosignature, error) {
	if a.Reference.Policy == nil || c.Size == 0 {
		return nil, nil
	}
	cosigned, err := a.Reference.Cosigned(ctx, c)
	if err != nil {
		return nil, err
	}
	return a.Reference.Policy.Check(cosigned.Note, a.Keys.Verifier)
}

// KeepEvidence keeps signed checkpoints that contradict each other in a file of the data folder.
func (s *Session) KeepEvidence(what string, notes [][]byte) (path string, err error) {
	return s.dir.KeepEvidence(what, notes)
}
