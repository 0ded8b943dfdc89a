// Package audittest holds the checks of Lab 5. Lab returns those of the lab. Suite returns those of
// every contract.Auditor that keeps times and passes over foreign objects, as the reference does:
//
//	func TestAuditor(t *testing.T) {
//		check.Run(t, audittest.Suite(audittest.Fixture{Archive: func(t check.T) (
//			audittest.Open, audittest.Bucket) {
//			archive, key := new(audit.Memory), …
//			return func(log contract.SealableLog) contract.Auditor { … }, archive
//		}}))
//	}
//
// The log under audit is a Log of this package: a slice that can be tampered with. No store allows
// that.
package audittest

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Open returns an auditor of a log. All auditors of one Open share an archive and a key. Opening
// again is a restart: the new auditor may use nothing from the memory of an earlier one.
type Open func(log contract.SealableLog) contract.Auditor

// A Bucket is an archive as somebody sees it who may write to it and has no key.
type Bucket interface {
	// Put writes an object that nobody can remove. It fails if the name is taken.
	Put(ctx context.Context, name string, data []byte) error
	// Get returns an object.
	Get(ctx context.Context, name string) ([]byte, error)
	// List returns the names of all objects that begin with prefix.
	List(ctx context.Context, prefix string) ([]string, error)
}

// A Fixture makes the auditors that the checks try.
type Fixture struct {
	// Archive returns an Open with a new, empty archive and always the same key. Several checks
	// call it at once.
	Archive func(t check.T) (Open, Bucket)
}

// Suite returns the checks of every auditor for those of f, in the order in which to meet them.
func Suite(f Fixture) check.Suite {
	s := check.Suite{Name: "5-audit", Guide: "labs/5-audit/README.md"}
	for _, c := range slices.Concat(sealing, tampering) {
		c.Func = func(t check.T) {
			open, bucket := f.Archive(t)
			c.try(&trial{T: t, fixture: f, log: NewLog(3), open: open, bucket: bucket})
		}
		s.Checks = append(s.Checks, c.Check)
	}
	return s
}

// A spec is a check without its fixture.
type spec struct {
	check.Check
	try func(t *trial)
}

// A trial is one run of a check.
type trial struct {
	check.T
	fixture Fixture
	log     *Log
	open    Open
	bucket  Bucket
}

// again returns a trial of the same log on another archive.
func (t *trial) again() *trial {
	open, bucket := t.fixture.Archive(t.T)
	return &trial{T: t.T, fixture: t.fixture, log: t.log, open: open, bucket: bucket}
}

// auditor opens an auditor over the trial's archive.
func (t *trial) auditor(log contract.SealableLog) contract.Auditor {
	return watched{t.open(log), t.T}
}

// seal seals the log as a process does after its start.
func (t *trial) seal() contract.Checkpoint {
	c, err := t.auditor(t.log).Seal(t.Context())
	require.NoError(t, err)
	return c
}

// verify compares a log with the archive.
func (t *trial) verify(log contract.SealableLog) contract.Verification {
	v, err := t.auditor(log).Verify(t.Context())
	require.NoError(t, err, "a difference is a Fault, not an error")
	return v
}

// watched is the proxy between the checks and an auditor. The check learns of every answer, so a
// TODO counts neither as a failure nor as a success.
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
