//go:build lab5

package session

import (
	"context"
	"fmt"
	"strings"

	labaudit "example.com/blotter/labs/5-audit"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// ForDemo returns the auditor of labs/5-audit over the log, the archive and the keys of a. All
// other commands use a itself: the lab's auditor has no times, no offenders and no proofs as files.
func (a *Auditor) ForDemo() contract.Auditor {
	o := a.Auditor.(*audit.Auditor).Options
	return labaudit.New(labaudit.Options{
		Log: o.Log, Archive: folder{o.Archive}, Origin: o.Origin,
		Signer: o.Signer, Verifier: o.Verifier,
	})
}

// A folder is the part of an archive in which the lab's auditor works. To the reference's auditor
// its objects are foreign.
type folder struct{ archive audit.Archive }

const labObjects = "lab5/"

func (f folder) Put(ctx context.Context, name string, data []byte) error {
	return f.archive.Put(ctx, labObjects+name, data)
}

func (f folder) Get(ctx context.Context, name string) ([]byte, error) {
	data, err := f.archive.Get(ctx, labObjects+name)
	if err != nil {
		err = fmt.Errorf("%s%s: %w", labObjects, name, err)
	}
	return data, err
}

func (f folder) List(ctx context.Context, prefix string) ([]string, error) {
	names, err := f.archive.List(ctx, labObjects+prefix)
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], labObjects)
	}
	return names, err
}
