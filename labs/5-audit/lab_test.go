package audit_test

import (
	"testing"

	audit "example.com/blotter/labs/5-audit"
	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

func answer() audittest.Answer {
	signer, verifier := audittest.Keys()
	return audittest.Answer{
		Root: audit.Root, Prove: audit.Prove, CheckInclusion: audit.CheckInclusion,
		CheckConsistency: audit.CheckConsistency,
		Auditor: func(log contract.Reader, archive audittest.Bucket) audittest.LabAuditor {
			return audit.New(audit.Options{
				Log: log, Archive: archive, Origin: audittest.Origin,
				Signer: signer, Verifier: verifier,
			})
		},
		Witness: func() audittest.LabWitness {
			return audit.NewWitness(audittest.Origin, verifier)
		},
	}
}

func TestLab5(t *testing.T) { check.Run(t, audittest.Lab(answer())) }
