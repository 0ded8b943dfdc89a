package logdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example.com/blotter/capstone/product"
)

// Settings are the choices that a log is created with. They never change. log.json holds them.
type Settings struct {
	Name       Name   `json:"name"`            // unique in its stack
	Stack      string `json:"stack"`           // embedded, containers or external
	Store      string `json:"store"`           // kafka, postgres: see session.Stores
	Partitions int32  `json:"partitions"`      // of a store that has partitions
	Simulated  bool   `json:"simulated"`       // a copy: the log itself decides (CheckTimeline)
	Topic      string `json:"topic,omitempty"` // id of the topic; another id is another log
}

const settingsFile = "log.json"

// MaxPartitions is the largest number of partitions of a log. A process takes over each of its
// partitions with a separate producer before it serves any. With many more partitions it would not
// finish in time.
const MaxPartitions = 500

// load reads the settings of the log in a folder. Its store must be one of stores.
func load(dir string, stores []string) (Settings, error) {
	path := filepath.Join(dir, settingsFile)
	s := Settings{Name: DefaultName, Stack: "embedded"} // logs older than these two fields
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, &NoLogError{dir}
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.check(stores); err != nil {
		return s, &IntegrityError{fmt.Sprintf("%s: %v", path, err),
			"the file was edited: restore it from a backup"}
	}
	return s, nil
}

// create writes the settings of a new log. An existing file stays: it belongs to a log. If several
// commands create a log at once, the first wins; the others continue if they chose the same.
func create(dir string, s Settings) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	err = writeNew(filepath.Join(dir, settingsFile), append(text, '\n'))
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	existing, err := load(dir, []string{s.Store})
	if err == nil && existing != s {
		return &UsageError{fmt.Sprintf("another command has just created another log in %s", dir),
			"name another folder with --data"}
	}
	return err
}

// check refuses settings that no command writes: they do not lead to the log.
func (s Settings) check(stores []string) error {
	switch {
	case s.Stack != "embedded" && s.Stack != "containers" && s.Stack != "external":
		return fmt.Errorf("stack %q: want embedded, containers or external", s.Stack)
	case !slices.Contains(stores, s.Store):
		return fmt.Errorf("store %q: want %s", s.Store, strings.Join(stores, " or "))
	case s.Partitions < 1:
		return fmt.Errorf("partitions %d: want at least 1", s.Partitions)
	}
	return s.Name.check()
}

func (s Settings) checkNew() error {
	if s.Partitions < 1 || s.Partitions > MaxPartitions {
		return &UsageError{fmt.Sprintf("--partitions is %d", s.Partitions),
			fmt.Sprintf("a log has 1 to %d partitions", MaxPartitions)}
	}
	return s.Name.check()
}

// match refuses a log that is not the expected one. In a wrong stack the log would look empty.
func (s Settings) match(want Expected, path string) error {
	if s.Stack != want.Stack {
		return &UsageError{fmt.Sprintf("the log in %s is in the %s stack, not in the %s stack",
			path, s.Stack, want.Stack),
			fmt.Sprintf("use --stack %s, or STACK=%s in the environment", s.Stack, s.Stack)}
	}
	for _, created := range []struct{ flag, with string }{
		{"store", s.Store}, {"partitions", fmt.Sprint(s.Partitions)}, {"name", string(s.Name)},
	} {
		chosen, given := want.Choices[created.flag]
		if given && chosen != created.with {
			return &UsageError{fmt.Sprintf("the log in %s was created with --%s %s, not %s",
				path, created.flag, created.with, chosen),
				fmt.Sprintf("omit --%s, or name another folder with --data", created.flag)}
		}
	}
	if want.Simulated && !s.Simulated {
		return &UsageError{
			fmt.Sprintf("the log in %s keeps real time, so that nothing simulated goes in", path),
			"omit --simulate, or create a log in another folder with --data"}
	}
	return nil
}

// A Name is the name of a log in its stack. Topics, schemas and buckets are named after it, so two
// logs can share a stack.
type Name string

// DefaultName is the name of a log for which nobody chose one.
var DefaultName = Name(product.Defaults.Name)

// Topics returns the prefix of the log's topics and schema subjects.
func (n Name) Topics() string { return string(n) }

// EventTopic returns the topic of the events.
func (n Name) EventTopic() string { return string(n) + ".events" }

// PublicTopic returns the topic of the events that other systems read.
func (n Name) PublicTopic() string { return string(n) + ".public" }

// LogSchema returns the database schema of a log that is kept in Postgres.
func (n Name) LogSchema() string { return n.schema() + "_log" }

// ModelSchema returns the database schema of the read model.
func (n Name) ModelSchema() string { return n.schema() + "_model" }

// SearchSchema returns the database schema of the read model for searches.
func (n Name) SearchSchema() string { return n.schema() + "_search" }

// ConfirmationsSchema returns the database schema of the read model of confirmations.
func (n Name) ConfirmationsSchema() string { return n.schema() + "_confirmations" }

// VaultSchema returns the database schema of the keys of parties.
func (n Name) VaultSchema() string { return n.schema() + "_vault" }

// ForensicsSchema returns the database schema of the read model of forensics.
func (n Name) ForensicsSchema() string { return n.schema() + "_forensics" }

// SnapshotBucket returns the bucket of archived states.
func (n Name) SnapshotBucket() string {
	return product.Of(product.Defaults.SnapshotBucket, string(n))
}

// OffloadBucket returns the bucket of offloaded payloads.
func (n Name) OffloadBucket() string {
	return product.Of(product.Defaults.OffloadBucket, string(n))
}

// AuditBucket returns the bucket of batches and checkpoints.
func (n Name) AuditBucket() string {
	return product.Of(product.Defaults.AuditBucket, string(n))
}

// Origin returns the origin line of the log's checkpoints.
func (n Name) Origin() string {
	return product.Of(product.Defaults.Origin, string(n))
}

func (n Name) schema() string { return strings.ReplaceAll(string(n), "-", "_") }

// validName allows names that topics, schemas and buckets all accept, with room for a suffix. It
// allows no underscore: schema replaces hyphens by underscores, so a-b and a_b would share one.
var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)

func (n Name) check() error {
	if !validName.MatchString(string(n)) {
		return &UsageError{fmt.Sprintf("--name %q cannot be the name of a log", string(n)),
			"use 2 to 40 lower-case letters, digits and hyphens; begin with a letter"}
	}
	return nil
}
