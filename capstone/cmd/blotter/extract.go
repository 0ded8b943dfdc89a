package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/labs/kit/trade"
	audit "example.com/blotter/solutions/5-audit"
)

type extractCmd struct {
	Out        string   `arg:"" help:"The folder to make."`
	Actor      string   `required:"" help:"Who asks."`
	Reason     string   `required:"" help:"Why."`
	UTI        []string `name:"uti" sep:"none" help:"Only this trade, and what was refused of it; may be given again."`
	Book       string   `help:"Only the trades that were ever in this book."`
	From       string   `help:"Only what was recorded from then on: a date (its beginning, in the book's zone) or a time." placeholder:"TIME"`
	To         string   `help:"Only what was recorded until then: a date (its end, in the book's zone) or a time." placeholder:"TIME"`
	Checkpoint int64    `help:"As of the checkpoint of this many leaves; without it, the last one." placeholder:"SIZE"`
}

func (c *extractCmd) Run(ctx context.Context, a *app) error {
	ask, err := c.ask(a.cli.Zone)
	if err != nil {
		return err
	}
	a.access = looks
	system, err := a.existing(ctx, withAuditor)
	if err != nil {
		return err
	}
	sealed, err := beyond[extract.Sealed](system.Auditor, "show its archive leaf by leaf")
	if err != nil {
		return err
	}
	m, err := extract.Make(ctx, c.Out, ask, extract.Options{
		Log: system.Log, Sealed: sealed, Signer: a.signer, Verifier: a.verifier, Simulated: a.settings.Simulated,
	})
	if err != nil {
		return hinted(err)
	}
	return a.answer(m, func(w io.Writer) {
		showManifest(w, "certified", m)
		fmt.Fprintf(w, "who asked and why: %s\n", extract.RequestFile(c.Out))
	})
}

// ask is the question, with its times told; it is of the moment it is put.
func (c *extractCmd) ask(zone string) (extract.Ask, error) {
	ask := extract.Ask{
		Query:      extract.Query{UTIs: c.UTI, Book: c.Book},
		Checkpoint: c.Checkpoint, Actor: c.Actor, Reason: c.Reason, At: time.Now(),
	}
	var err error
	if ask.From, err = beginning(c.From, zone); err != nil {
		return ask, &usageError{"--from: " + err.Error(), momentHint}
	}
	if ask.Until, err = moment(c.To, zone); err != nil {
		return ask, &usageError{"--to: " + err.Error(), momentHint}
	}
	if err := ask.Check(); err != nil {
		return ask, &usageError{err.Error(), "see: blotter extract --help"}
	}
	return ask, nil
}

// beginning is moment, but a date is its first microsecond.
func beginning(text, zone string) (time.Time, error) {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return moment(text, zone)
	}
	place, err := trade.Zone(zone)
	if err != nil {
		return time.Time{}, err
	}
	day, err := time.ParseInLocation(time.DateOnly, text, place)
	return day.UTC(), err
}

// hinted says what to do about the errors of Make that somebody can do something about.
func hinted(err error) error {
	for known, hint := range map[error]string{
		extract.ErrNothing:  "blotter history UTI shows what is recorded of a trade; what is past the checkpoint is not in it: blotter seal",
		extract.ErrUnsealed: "seal the log first: blotter seal",
		extract.ErrDiffers:  "see what was done to it: blotter verify",
		audit.ErrAbsent:     "leave --checkpoint out for the last one; blotter seal and blotter verify name sizes",
		fs.ErrExist:         "what was certified is not overwritten: name another folder",
	} {
		if errors.Is(err, known) {
			return &failure{err.Error(), hint}
		}
	}
	return err
}

func showManifest(w io.Writer, word string, m extract.Manifest) {
	fmt.Fprintf(w, "%s %s of %s, to checkpoint %s/%d, root %s\n", word, plural(m.Counts.Events, "event"), plural(m.Counts.Streams, "stream"),
		m.Origin, m.Checkpoint.Size, m.Checkpoint.Root)
	for _, p := range m.Proven {
		fmt.Fprintf(w, "  proven: %s\n", p)
	}
	for _, n := range m.NotProven {
		fmt.Fprintf(w, "  not proven: %s\n", n)
	}
}

type bundleCmd struct {
	Out string `arg:"" help:"The folder."`
	Key string `required:"" help:"The log's public key, or a file that it is in; on the log's own machine, DATA/keys/verifier."`
}

// A verifiedExtract is the answer about a bundle.
type verifiedExtract struct {
	Holds    bool              `json:"holds"`
	Fault    *extract.Fault    `json:"fault,omitempty"`
	Manifest *extract.Manifest `json:"manifest,omitempty"`
	Request  *asked            `json:"request,omitempty"` // where it is beside the bundle
}

type asked struct {
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Run opens no log and no stack: the folder and the key are all it looks at.
func (c *bundleCmd) Run(_ context.Context, a *app) error {
	key, err := verifierKey(c.Key)
	if err != nil {
		return err
	}
	if info, err := os.Stat(c.Out); err != nil || !info.IsDir() {
		return &usageError{fmt.Sprintf("there is no folder %s", c.Out), "name the folder that blotter extract made"}
	}
	found, err := verifyExtract(c.Out, key)
	if err != nil {
		return err
	}
	if found.Fault != nil {
		if a.cli.JSON {
			err = asJSON(a.stdout, found)
		}
		return joined(err, &failure{"the extract does not verify: " + found.Fault.Error(), "ask for it again, and keep this one: it is evidence now"})
	}
	a.settings.Simulated = found.Manifest.Simulated
	return a.answer(found, func(w io.Writer) {
		showManifest(w, "verified", *found.Manifest)
		if r := found.Request; r != nil {
			fmt.Fprintf(w, "asked for by %s at %s: %s\n", r.Actor, r.At.Format(time.RFC3339), r.Reason)
		}
	})
}

// verifyExtract checks a bundle, and the request beside it if there is one.
func verifyExtract(dir string, key note.Verifier) (verifiedExtract, error) {
	v, err := extract.Verify(os.DirFS(dir), key)
	var fault *extract.Fault
	if errors.As(err, &fault) {
		return verifiedExtract{Fault: fault}, nil
	}
	if err != nil {
		return verifiedExtract{}, err
	}
	found := verifiedExtract{Holds: true, Manifest: &v.Manifest}
	path := extract.RequestFile(dir)
	signed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	r, err := extract.OpenRequest(signed, key)
	if err == nil && r.Manifest != v.Digest {
		err = fmt.Errorf("it is the request for another extract, whose manifest is %s", hex.EncodeToString(r.Manifest[:]))
	}
	if err != nil {
		return verifiedExtract{Fault: &extract.Fault{File: path, What: err.Error()}}, nil
	}
	found.Request = &asked{r.Actor, r.Reason, r.At}
	return found, nil
}

// verifierKey reads a public key (C2SP signed-note) from text, or from the file that text names.
func verifierKey(text string) (note.Verifier, error) {
	if content, err := os.ReadFile(text); err == nil {
		text = string(content)
	}
	key, err := note.NewVerifier(strings.TrimSpace(text))
	if err != nil {
		return nil, &usageError{"--key is neither a public key nor a file with one", "it looks like blotter.example+1a2b3c4d+AXh…; it is no secret"}
	}
	return key, nil
}
