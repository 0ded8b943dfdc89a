package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

type restoreCmd struct {
	From     string `arg:"" help:"${restore_from}" placeholder:"DIR"`
	Key      string `help:"${verify_key}" placeholder:"KEY"`
	Since    string `help:"${restore_since}" placeholder:"FILE" type:"existingfile"`
	Actor    string `help:"The person who restores the log."`
	Approver string `help:"The second person, who approves."`
	Reason   string `help:"The reason why it is restored."`
}

// Run makes a lost log again from its archive, in an empty folder. The same command continues after
// an interrupt.
func (c *restoreCmd) Run(ctx context.Context, a *app) error {
	old, auditor, last, err := c.archive(ctx, a)
	if err != nil {
		return err
	}
	config := a.config()
	if config.New, err = c.settings(a, old); err != nil {
		return err
	}
	config.Restoring = nameOf(last)
	s, err := a.openAs(ctx, config, session.Write)
	if err != nil {
		return err
	}
	add, finished := a.progress.counting("events", 0, last.Size)
	defer finished()
	events := 0
	done, err := s.System().Restore(ctx, capstone.Restore{
		Archive: auditor, Checkpoint: last,
		Actor: c.Actor, Approver: c.Approver, Reason: c.Reason,
	}, func(n int) {
		events += n
		add(n, int64(events))
	})
	if err != nil {
		return err
	}
	// A crash here leaves a complete log that no other command opens. The same restore finds its
	// statement, and opens it.
	if err := s.Restored(); err != nil {
		return err
	}
	return a.answer(of(s), done, func(w io.Writer) {
		printLine(w, "restored %s in %d batches of %s; each has its sealed leaf",
			plural(int64(done.Events), "event"), done.Batches, nameOf(last))
		printLine(w, "  the log has positions of its own: seal it, and take a snapshot of it")
	})
}

// archive opens the sealed archive of the lost log. One that lost its last checkpoint is refused:
// events would be missing.
func (c *restoreCmd) archive(ctx context.Context, a *app) (
	old *session.Session, auditor *session.Auditor, last contract.Checkpoint, err error) {
	var key note.Verifier
	if c.Key != "" {
		if key, err = verifierKey(c.Key); err != nil {
			return nil, nil, last, err
		}
	}
	config := session.Config{Data: c.From, Stack: a.cli.Stack, Progress: a.stderr}
	if old, auditor, err = session.OpenArchive(ctx, config, key); err != nil {
		return nil, nil, last, err
	}
	a.onClose(old.Close)
	if last, err = auditor.Published(ctx, 0); err != nil {
		return nil, nil, last, err
	}
	if lost := auditor.Lost(last); lost > 0 {
		err = &failure{fmt.Sprintf("the archive in %s was rolled back: its last checkpoint has "+
			"size %d, and a checkpoint of size %d was published", c.From, last.Size, lost),
			"restore the archive from a backup: its log would lack events"}
	} else if last.Size == 0 {
		err = unsealed(ctx, auditor, &failure{fmt.Sprintf("nothing was sealed in %s: there is no "+
			"archive", c.From), "name the data folder of a sealed log"})
	} else if c.Since != "" {
		err = c.checkSince(ctx, auditor)
	}
	return old, auditor, last, err
}

// checkSince refuses an archive without the kept checkpoint: it was rolled back, or it has another
// history.
func (c *restoreCmd) checkSince(ctx context.Context, auditor *session.Auditor) error {
	signed, err := os.ReadFile(c.Since)
	if err != nil {
		return err
	}
	key := auditor.Keys.Verifier
	kept, err := audit.OpenCheckpoint(signed, key.Name(), key)
	if err != nil {
		return &failure{fmt.Sprintf("%s: %v", c.Since, err),
			"name a file that blotter seal --keep wrote for this log"}
	}
	if kept.Size == 0 {
		return nil // every log begins with the empty tree
	}
	const hint = "restore the archive from a backup that has the kept checkpoint"
	found, err := auditor.Published(ctx, kept.Size)
	if errors.Is(err, audit.ErrAbsent) {
		return &failure{fmt.Sprintf("the archive in %s lacks the kept checkpoint %s", c.From,
			nameOf(kept)), hint}
	}
	if err == nil && found.Root != kept.Root {
		err = &failure{fmt.Sprintf("the archive in %s has root %x at size %d, and the kept "+
			"checkpoint has root %x", c.From, found.Root, kept.Size, kept.Root), hint}
	}
	return err
}

// settings returns the settings of the new log: those of the old one, unless a flag chose others.
func (c *restoreCmd) settings(a *app, old *session.Session) (*logdir.Settings, error) {
	chosen := a.newLog(false)
	if _, given := a.choices["store"]; !given {
		chosen.Store = old.Settings().Store
	}
	settings, err := session.RestoreSettings(old.Settings(), *chosen)
	if given, ok := a.choices["partitions"]; ok && given != fmt.Sprint(settings.Partitions) {
		return nil, &usageError{"--partitions is " + given, fmt.Sprintf(
			"a restored log has the partitions of the old one: %d", settings.Partitions)}
	}
	return &settings, err
}
