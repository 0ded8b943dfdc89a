package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/extract"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
	audit "example.com/blotter/solutions/5-audit"
)

type extractCmd struct {
	Out        string   `arg:"" help:"The folder to create."`
	Actor      string   `required:"" help:"The person who asks."`
	Reason     string   `required:"" help:"The reason for asking."`
	UTI        []string `name:"uti" sep:"none" help:"${extract_uti}"`
	Book       string   `help:"Only trades that were ever in this book."`
	From       moment   `help:"${extract_from}" placeholder:"TIME"`
	To         moment   `help:"${extract_to}" placeholder:"TIME"`
	Checkpoint int64    `help:"${extract_checkpoint}" placeholder:"SIZE"`
	Page       bool     `help:"${extract_page}"`

	events []uuid.UUID // of an answer of forensics
}

func (c *extractCmd) Run(ctx context.Context, a *app) error {
	if _, err := c.ask(a.cli.Zone); err != nil {
		return err
	}
	owner, access, err := a.recorder(session.Inspect)
	if err != nil {
		return err
	}
	s, err := a.open(ctx, access)
	if err != nil {
		return err
	}
	m, err := c.make(ctx, s, a.cli.Zone, extractRecorder(s, owner))
	if err != nil {
		return err
	}
	return a.answer(of(s), m, func(w io.Writer) {
		printManifest(w, "certified", m, m.Proven, m.NotProven)
		printLine(w, "who asked and why: %s", extract.RequestFile(c.Out))
	})
}

// make makes the bundle, with its request and its cosigned checkpoint beside it.
func (c *extractCmd) make(
	ctx context.Context, s *session.Session, zone string, record recordFunc,
) (m extract.Manifest, err error) {
	ask, err := c.ask(zone)
	if err != nil {
		return m, err
	}
	auditor, err := s.Certifier(ctx)
	if err != nil {
		return m, err
	}
	m, err = extract.Make(ctx, c.Out, ask, extract.Options{
		Log: s.Log, Sealed: auditor, Signer: auditor.Keys.Signer, Verifier: auditor.Keys.Verifier,
		Page: c.Page, Record: record,
	})
	if err != nil {
		if errors.Is(err, extract.ErrUnsealed) {
			err = unsealed(ctx, auditor, err)
		}
		return m, withHint(err)
	}
	return m, writeCosigned(ctx, auditor.Reference, m, cosignedFile(c.Out))
}

// recorder returns the access with which an extract goes on record: as the writer of the log, or
// with the given access if a service owns the log.
func (a *app) recorder(beside session.Access) (*service, session.Access, error) {
	owner, err := a.service()
	if owner != nil {
		return owner, beside, err
	}
	return nil, session.Write, err
}

type recordFunc func(context.Context, extract.Request, extract.Manifest) error

// extractRecorder puts an extract on record, on the stream of the person who asked for it.
func extractRecorder(s *session.Session, owner *service) recordFunc {
	return func(ctx context.Context, r extract.Request, m extract.Manifest) error {
		body := access.Extracted{Manifest: hex.EncodeToString(r.Manifest[:]),
			Query: m.Query.String(), Events: m.Counts.Events, Checkpoint: m.Checkpoint.Size}
		if owner == nil {
			return recordAccess(ctx, s, domain.Entry{Actor: r.Actor, Reason: r.Reason,
				Source: "blotter/extract"}, body)
		}
		text, err := json.Marshal(map[string]any{"actor": r.Actor, "reason": r.Reason,
			"manifest": body.Manifest, "query": body.Query, "events": body.Events,
			"checkpoint": body.Checkpoint})
		if err != nil {
			return err
		}
		answer, err := owner.post(ctx, "/v1/extracts", "application/json", bytes.NewReader(text))
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
}

// writeCosigned writes the cosigned checkpoint of a bundle, if the log has a policy of witnesses.
// An extract made before may have left one.
func writeCosigned(
	ctx context.Context, auditor *audit.Auditor, m extract.Manifest, path string,
) error {
	if auditor.Policy == nil {
		return nil
	}
	cosigned, err := auditor.Published(ctx, m.Checkpoint.Size)
	if err == nil {
		cosigned, err = auditor.Cosigned(ctx, cosigned)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, cosigned.Note, 0o600)
}

// ask parses the question. Its time is now.
func (c *extractCmd) ask(zone string) (extract.Ask, error) {
	now := time.Now()
	ask := extract.Ask{
		Query:      extract.Query{UTIs: c.UTI, Book: c.Book, Events: c.events},
		Checkpoint: c.Checkpoint, Actor: c.Actor, Reason: c.Reason, At: now,
	}
	var err error
	if ask.From, err = c.From.parse("--from", zone, now, trade.ParseBeginning); err != nil {
		return ask, err
	}
	if ask.Until, err = c.To.parse("--to", zone, now, trade.ParseMoment); err != nil {
		return ask, err
	}
	err = ask.Check()
	if err == nil && !trade.Principals.Has(c.Actor) {
		err = fmt.Errorf("--actor is no name of a principal: want %s", trade.Principals.Want)
	}
	if err != nil {
		return ask, &usageError{err.Error(), "see: blotter extract --help"}
	}
	return ask, nil
}

// withHint adds a hint to an error of an extract or a checkpoint for which there is a remedy.
func withHint(err error) error {
	if errors.Is(err, audit.ErrArchive) { // it may lack an object, too
		return err
	}
	for known, hint := range map[error]string{
		extract.ErrNothing: "blotter history UTI shows the events of a trade; " +
			"seal the newest ones: blotter seal",
		extract.ErrUnsealed: "seal the log first: blotter seal",
		extract.ErrDiffers:  "find the difference: blotter verify",
		audit.ErrAbsent:     "blotter checkpoints lists the sizes",
		fs.ErrExist:         "a certified extract is never overwritten: name another folder",
	} {
		if errors.Is(err, known) {
			return &failure{err.Error(), hint}
		}
	}
	return err
}

// printManifest prints the content of a bundle, and exactly the claims that it is given.
func printManifest(w io.Writer, word string, m extract.Manifest, proven, not []string) {
	printLine(w, "%s %s of %s, to checkpoint %s/%d, root %s", word,
		plural(m.Counts.Events, "event"),
		plural(m.Counts.Streams, "stream"), m.Origin, m.Checkpoint.Size, m.Checkpoint.Root)
	printLine(w, "  query: %s", m.Query)
	for _, p := range proven {
		printLine(w, "  proven: %s", p)
	}
	for _, n := range not {
		printLine(w, "  not proven: %s", n)
	}
}
