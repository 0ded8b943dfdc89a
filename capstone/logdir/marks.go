package logdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"example.com/blotter/labs/kit/contract"
)

// A CursorFile is a file with a cursor in it.
type CursorFile string

// Load returns the cursor that was saved last; nil without one, or if it cannot be parsed.
func (f CursorFile) Load() (contract.Cursor, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := contract.ParseCursor(string(text))
	if err != nil {
		return nil, nil // damaged: the beginning is always right
	}
	return c, nil
}

// Save replaces the file. A crash leaves the old cursor or the new one.
func (f CursorFile) Save(c contract.Cursor) error {
	return replace(string(f), []byte(c.String()+"\n"))
}

// overwrite writes to an existing file.
func (f CursorFile) overwrite(c contract.Cursor) error {
	file, err := os.OpenFile(string(f), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	text := c.String() + "\n"
	_, err = file.WriteAt([]byte(text), 0)
	if err == nil {
		err = file.Truncate(int64(len(text)))
	}
	return errors.Join(err, file.Sync(), file.Close())
}

func (f CursorFile) remove() error {
	if err := os.Remove(string(f)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ReplayProgress returns the folder for the progress of a replay.
func (d *Dir) ReplayProgress() Progress { return Progress(filepath.Join(d.path, "replay")) }

// AccountSnapshots returns the folder for the states of accounts with long histories.
func (d *Dir) AccountSnapshots() Progress { return Progress(filepath.Join(d.path, "accounts")) }

// Progress is a folder of files that may be lost.
type Progress string

// Load returns the content of a file; nil without the file.
func (p Progress) Load(name string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(string(p), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

// Save writes a file. A crash leaves all of it or none.
func (p Progress) Save(name string, content []byte) error {
	if err := os.MkdirAll(string(p), 0o700); err != nil {
		return err
	}
	return replace(filepath.Join(string(p), name), content)
}

// Clear removes the folder.
func (p Progress) Clear() error { return os.RemoveAll(string(p)) }

// An IDFile is a file with an id in it.
type IDFile string

// Load returns the id; empty without the file.
func (f IDFile) Load() (string, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// Save replaces the file. A crash leaves the old id or the new one.
func (f IDFile) Save(id string) error { return replace(string(f), []byte(id+"\n")) }

// FollowUps returns the cursor of the process that issues follow-ups.
func (d *Dir) FollowUps() CursorFile { return CursorFile(filepath.Join(d.path, "swept")) }

// Published returns the cursor of the process that publishes events to other systems.
func (d *Dir) Published() CursorFile { return CursorFile(filepath.Join(d.path, "published")) }

// PublishedTo returns the id of the topic that has the events before Published.
func (d *Dir) PublishedTo() IDFile { return IDFile(filepath.Join(d.path, "published.topic")) }

func (d *Dir) reached() CursorFile { return CursorFile(filepath.Join(d.path, "reached")) }

// lastWriter is the reader's name in errors about the reached mark.
const lastWriter = "the last process that wrote it"

// Reached returns the reached mark: the end of the log after the last command in this folder that
// wrote it; nil without one. A log that lost its end, or that was made again, ends before the mark.
func (d *Dir) Reached() (contract.Cursor, error) {
	if d.isNew {
		return nil, nil // the mark belongs to an earlier log
	}
	return d.reached().Load()
}

// CheckEnd refuses a log that ends before the reached mark. The log's end is read AFTER the mark:
// other processes may append meanwhile.
func (d *Dir) CheckEnd(ctx context.Context, log contract.Reader) error {
	mark, err := d.Reached()
	if err != nil || mark == nil {
		return err
	}
	end, err := log.End(ctx)
	if err != nil {
		return err
	}
	return mark.Ahead(lastWriter, end)
}

// MarkReached sets the reached mark. A crash before it leaves the older mark, which is valid, too,
// but notices fewer losses. On a full disk it writes over the older mark, which needs no more room.
// A crash in that moment leaves a damaged mark, which notices no loss.
func (d *Dir) MarkReached(end contract.Cursor) error {
	err := d.reached().Save(end)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return d.reached().overwrite(end)
	}
	return err
}

// A Topic describes the topic of a log's events, as the broker has it. The zero value is no topic.
type Topic struct {
	ID         string // a topic made again gets another; empty before Kafka 2.8 (KIP-516)
	Partitions int32
	Ends       contract.Cursor // after the last committed record
}

// CheckTopic compares the folder with the broker's topic, BEFORE the store is opened. A writer
// creates a missing topic, and rewrites the heads of one that lost its end. mark is the reached
// mark, read BEFORE the topic. A new log uses the partitions of an existing topic, unless they were
// chosen.
func (d *Dir) CheckTopic(found Topic, mark contract.Cursor, chosen map[string]string) error {
	if d.isNew {
		return d.adoptTopic(found, chosen)
	}
	const remedy = "restore it from a backup, or begin another log with --data"
	s, name := d.settings, d.settings.Name.EventTopic()
	switch {
	case found.Partitions == 0 && s.Topic != "":
		return &IntegrityError{fmt.Sprintf("the log in %s is gone: there is no topic %s", d.path,
			name), remedy}
	case found.Partitions == 0:
		return nil
	case s.Topic != "" && found.ID != "" && s.Topic != found.ID:
		return &IntegrityError{fmt.Sprintf("the topic %s is not the topic of the log in %s: "+
			"it has the id %s, and the log was created in %s", name, d.path, found.ID, s.Topic),
			fmt.Sprintf("%s; if it is a complete copy, remove \"topic\" from %s", remedy,
				settingsFile)}
	case s.Partitions != found.Partitions:
		return &IntegrityError{fmt.Sprintf("%s says %s, and the topic %s has %d",
			settingsFile, partitions(s.Partitions), name, found.Partitions),
			"the file or the topic was changed: restore it from a backup"}
	}
	return mark.Ahead(lastWriter, found.Ends)
}

// CheckTimeline compares the settings with the log, which alone decides whether it is simulated.
func (d *Dir) CheckTimeline(found contract.Timeline) error {
	if found.Simulated == d.settings.Simulated {
		return nil
	}
	says := map[bool]string{true: "simulated", false: "in real time"}
	if d.isNew {
		return &UsageError{fmt.Sprintf("the log %s already exists, and is %s", d.settings.Name,
			says[found.Simulated]), "use or omit --simulate accordingly, or choose another --name"}
	}
	return &IntegrityError{
		fmt.Sprintf("%s says that the log is %s, but the log itself is %s",
			filepath.Join(d.path, settingsFile), says[d.settings.Simulated],
			says[found.Simulated]),
		fmt.Sprintf("the file was edited: restore it from a backup, or set \"simulated\" to %t",
			found.Simulated),
	}
}

// adoptTopic uses an existing topic's partition count for a new log.
func (d *Dir) adoptTopic(found Topic, chosen map[string]string) error {
	if found.Partitions == 0 || found.Partitions == d.settings.Partitions {
		return nil
	}
	if _, fixed := chosen["partitions"]; fixed {
		return &UsageError{fmt.Sprintf("the topic %s already exists, with %s",
			d.settings.Name.EventTopic(), partitions(found.Partitions)),
			"omit --partitions, or choose another --name"}
	}
	d.settings.Partitions = found.Partitions
	return nil
}

// Identify sets the topic of a new log, which Create writes.
func (d *Dir) Identify(found Topic) { d.settings.Topic = found.ID }

func partitions(n int32) string {
	if n == 1 {
		return "1 partition"
	}
	return fmt.Sprintf("%d partitions", n)
}
