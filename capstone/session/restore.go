package session

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/solutions/2-store/memory"
)

// OpenArchive opens the sealed archive of a log that may be lost: it needs the log.json of the data
// folder, the public key (the folder's, if key is nil), and object storage. It writes nothing.
func OpenArchive(ctx context.Context, c Config, key note.Verifier) (
	*Session, *Auditor, error) {
	dir, err := c.Folder()
	if err != nil {
		return nil, nil, err
	}
	noLog := memory.NewSimulated() // the auditor reads only the archive
	s := &Session{config: c, access: Inspect, dir: dir, Log: noLog}
	if s.stack, err = OpenStack(c); err != nil {
		return nil, nil, err
	}
	s.onClose(s.stack.Close)
	a, err := s.Auditor(ctx, key)
	if err != nil {
		s.Close() // err says more than an error of closing
		return nil, nil, err
	}
	return s, a, nil
}

// beginRestore marks a new log as incomplete, BEFORE it exists. A crash after it leaves a folder
// that only the same restore opens. A log of this name that has events is refused.
func (s *Session) beginRestore(ctx context.Context) error {
	if s.config.Restoring == "" {
		return s.dir.EndRestore() // of a folder in which a restore created no log
	}
	end, err := s.Log.End(ctx)
	if err != nil {
		return err
	}
	for _, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return err
		}
		return &logdir.UsageError{
			What:   fmt.Sprintf("the log %s has events already", s.Settings().Name),
			Remedy: "restore an archive into an empty log: choose another --name"}
	}
	return s.dir.BeginRestore(s.config.Restoring)
}

// Restored opens the log to all commands, AFTER its statement is on record. A crash before it
// leaves a log that the same restore finds complete.
func (s *Session) Restored() error { return s.dir.EndRestore() }

// RestoreSettings returns the settings of the log that is made again from the archive of a log.
// Times rise in each partition of a broker, and in the database only in each stream: a log from
// the database fits no broker.
func RestoreSettings(old, chosen logdir.Settings) (logdir.Settings, error) {
	chosen.Simulated = old.Simulated
	if old.Store == chosen.Store {
		chosen.Partitions = old.Partitions
		return chosen, nil
	}
	from, err := StoreOf(old.Store)
	if err != nil {
		return chosen, err
	}
	if to, err := StoreOf(chosen.Store); err != nil {
		return chosen, err
	} else if to.Owned && !from.Owned {
		return chosen, &logdir.UsageError{
			What: fmt.Sprintf("the archived log was kept in %s, whose times do not rise in the "+
				"partitions of %s", old.Store, chosen.Store), Remedy: "use --store " + old.Store}
	}
	return chosen, nil
}
