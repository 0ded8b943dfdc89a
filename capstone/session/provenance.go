package session

import (
	"fmt"
	"runtime/debug"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
	audit "example.com/blotter/solutions/5-audit"
)

// provenance returns that of a snapshot of the positions, which this program takes now. Its
// checkpoint is the last one that was published from the data folder.
func (s *Session) provenance() (*contract.Provenance, error) {
	p := &contract.Provenance{Projection: positionsModel.name, Revision: Revision()}
	for _, schema := range schemas.All() {
		if last, _ := schemas.Latest(schema.Type); last.Version == schema.Version {
			p.Schemas = append(p.Schemas, fmt.Sprintf("%s.v%d", schema.Type, schema.Version))
		}
	}
	kept, err := s.dir.Checkpoint(func(signed []byte) (contract.Checkpoint, error) {
		key, err := s.dir.Verifier(logdir.KeySource{
			VerifierKey: audit.VerifierKey, Command: s.config.signer(), Open: openRing,
			Signed: func() (bool, error) { return true, nil }, // it is being opened
		})
		if err != nil {
			return contract.Checkpoint{}, err
		}
		return audit.OpenCheckpoint(signed, s.Settings().Name.Origin(), key)
	})
	p.Sealed, p.Root = kept.Size, kept.Root
	return p, err
}

// Revision returns the revision of the program's source that the Go tool stamped into it. "+dirty"
// follows if the source was changed since. Without version control it is the module's version.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	revision, dirty := info.Main.Version, ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "+dirty"
		}
	}
	return revision + dirty
}
