package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// settings are what a log is created with, for good. They are kept in log.json of its folder.
type settings struct {
	Name       logName `json:"name"`            // within its stack
	Stack      string  `json:"stack"`           // embedded, containers or external
	Store      string  `json:"store"`           // kafka or postgres
	Partitions int32   `json:"partitions"`      // on Kafka
	Simulated  bool    `json:"simulated"`       // recorded_at follows entered_at
	Topic      string  `json:"topic,omitempty"` // the id of its topic on Kafka: another of the same name is another log
}

const settingsFile = "log.json"

// A noLogError is wrong usage for who asks, and an invitation for who begins a log. Any other error of opening one is neither.
type noLogError struct{ dir string }

func (e *noLogError) Error() string { return fmt.Sprintf("there is no log in %s", e.dir) }

func (e *noLogError) Unwrap() error {
	return &usageError{e.Error(), "begin one with: blotter import FILE, or name its folder with --data"}
}

// load reads the settings of the log in dir.
func load(dir string) (settings, error) {
	s := settings{Name: defaultName, Stack: "embedded"} // of a log that is older than these
	text, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, &noLogError{dir}
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", filepath.Join(dir, settingsFile), err)
	}
	if err := s.check(); err != nil {
		return s, &failure{fmt.Sprintf("%s: %v", filepath.Join(dir, settingsFile), err), "the file was changed: put back what it was"}
	}
	return s, nil
}

// check refuses what no command has written: to go on by it would be to look for the log in another place.
func (s settings) check() error {
	switch {
	case s.Stack != "embedded" && s.Stack != "containers" && s.Stack != "external":
		return fmt.Errorf("stack %q: want embedded, containers or external", s.Stack)
	case s.Store != "kafka" && s.Store != "postgres":
		return fmt.Errorf("store %q: want kafka or postgres", s.Store)
	case s.Partitions < 1:
		return fmt.Errorf("partitions %d: want at least 1", s.Partitions)
	}
	return s.Name.check()
}

// on refuses to look for the log in another stack than the one that it is in: there it would seem to be empty.
func (s settings) on(stack, dir string) error {
	if s.Stack == stack {
		return nil
	}
	return &usageError{fmt.Sprintf("the log in %s is in the %s stack, not in the %s one", dir, s.Stack, stack),
		fmt.Sprintf("say --stack %s, or STACK=%s in the environment", s.Stack, s.Stack)}
}

// as refuses flags that say otherwise than the log was begun. Those that nobody gave say nothing.
func (s settings) as(c *cli, given map[string]bool) error {
	for _, f := range []struct{ name, says, is string }{
		{"store", c.Store, s.Store},
		{"partitions", fmt.Sprint(c.Partitions), fmt.Sprint(s.Partitions)},
		{"name", c.Name, string(s.Name)},
	} {
		if given[f.name] && f.says != f.is {
			return &usageError{fmt.Sprintf("the log in %s was begun with --%s %s, not %s", c.Data, f.name, f.is, f.says),
				fmt.Sprintf("leave --%s out, or name another folder with --data", f.name)}
		}
	}
	return nil
}

// create writes the settings of a new log in dir. Those that are there stay: they are of a log that exists. Of commands that begin one at
// once the first wins, and the others go on with it if they meant the same.
func create(dir string, s settings) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	err = writeNew(filepath.Join(dir, settingsFile), append(text, '\n'), 0o644)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := load(dir)
	if err == nil && there != s {
		err = &usageError{fmt.Sprintf("another log was begun in %s meanwhile", dir), "name another folder with --data"}
	}
	return err
}
