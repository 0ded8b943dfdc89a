package audittest

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Open gives an auditor of a log, over one archive and with one key. Opening again is a restart: nothing of the memory of the
// one before may be used.
type Open func(log contract.Reader) contract.Auditor

// A Fixture makes the auditors that the checks try.
type Fixture struct {
	// Archive is a new one, empty, with a key. It is called from several checks at once.
	Archive func(t check.T) Open
}

// Suite is the checks of Lab 5 for the auditors of f, in the order in which they should be met.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "5-audit", Guide: "labs/5-audit/README.md"}
	for _, c := range slices.Concat(sealing, tampering) {
		s.Checks = append(s.Checks, c.bind(f))
	}
	return s
}

// A spec is a check before it has a fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

func (c spec) bind(f Fixture) check.Check {
	c.Func = func(t check.T) { c.try(&trial{T: t, fixture: f, log: NewLog(3), open: f.Archive(t)}) }
	return c.Check
}

// A trial is one check under way.
type trial struct {
	check.T
	fixture Fixture
	log     *Log
	open    Open
}

// auditor opens one over the trial's archive.
func (t *trial) auditor(log contract.Reader) contract.Auditor { return watched{t.open(log), t.T} }

// seal seals the log as a process does that has just started.
func (t *trial) seal() contract.Checkpoint {
	c, err := t.auditor(t.log).Seal(t.Context())
	require.NoError(t, err)
	return c
}

// verify holds some log against the archive.
func (t *trial) verify(log contract.Reader) contract.Verification {
	v, err := t.auditor(log).Verify(t.Context())
	require.NoError(t, err, "what does not agree is a Fault, not an error")
	return v
}

// watched is the proxy through which checks reach an auditor: the check learns of every answer, so that a TODO is never
// taken for a failure, nor for a success.
type watched struct {
	auditor contract.Auditor
	t       check.T
}

func (w watched) Seal(ctx context.Context) (contract.Checkpoint, error) {
	c, err := w.auditor.Seal(ctx)
	w.t.Answered("Seal", err)
	return c, err
}

func (w watched) Verify(ctx context.Context) (contract.Verification, error) {
	v, err := w.auditor.Verify(ctx)
	w.t.Answered("Verify", err)
	return v, err
}
