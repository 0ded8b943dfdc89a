package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"example.com/blotter/capstone/session"
	audit "example.com/blotter/solutions/5-audit"
)

// signerCmd has the commands about the key that signs checkpoints.
type signerCmd struct {
	Show   signerShowCmd   `cmd:"" help:"Show the public keys of the log, and how each follows."`
	Rotate signerRotateCmd `cmd:"" help:"Let a new key sign beside the old one."`
	Retire signerRetireCmd `cmd:"" help:"Let the new key sign alone."`
}

type signerShowCmd struct{}

// Run shows the keys according to the folder and the archive.
func (*signerShowCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Inspect)
	if err != nil {
		return err
	}
	return a.signers(ctx, s, s.Signers)
}

type signerRotateCmd struct{}

func (*signerRotateCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Seal)
	if err != nil {
		return err
	}
	return a.signers(ctx, s, s.RotateSigner)
}

type signerRetireCmd struct{}

func (*signerRetireCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Seal)
	if err != nil {
		return err
	}
	return a.signers(ctx, s, s.RetireSigner)
}

// signers answers with the keys of the log, as f leaves them.
func (a *app) signers(
	ctx context.Context, s *session.Session, f func(context.Context) (*audit.Ring, error),
) error {
	ring, err := f(ctx)
	for known, hint := range map[error]string{
		audit.ErrUnsealed:       "seal it: blotter seal",
		audit.ErrOverlap:        "end the overlap: blotter signer retire",
		audit.ErrNoOverlap:      "begin an overlap: blotter signer rotate",
		audit.ErrUnsignedByNext: "seal new events: blotter seal",
	} {
		if errors.Is(err, known) {
			return &failure{err.Error(), hint}
		}
	}
	if err != nil {
		return err
	}
	all := append([]audit.Rotation{}, ring.Rotations()...)
	answer := map[string]any{"key": ring.Public(), "rotations": all}
	return a.answer(of(s), answer, func(w io.Writer) {
		if len(all) == 0 {
			printLine(w, "the log has one key: %s", ring.Public())
		}
		printRotations(w, all)
	})
}

// printRotations says how the public keys of the log follow each other.
func printRotations(w io.Writer, all []audit.Rotation) {
	for _, r := range all {
		printLine(w, "signer %s was followed by %s", shortKey(r.Old), shortKey(r.New))
		if r.Until == 0 {
			printLine(w, "  both sign checkpoints of more than %d leaves", r.From)
			continue
		}
		printLine(w, "  both signed checkpoints of more than %d leaves; of more than %d leaves, "+
			"the new one signs alone", r.From, r.Until)
	}
}

// shortKey returns a public key without its bytes.
func shortKey(public string) string {
	parts := strings.SplitN(public, "+", 3)
	return strings.Join(parts[:min(2, len(parts))], "+")
}
