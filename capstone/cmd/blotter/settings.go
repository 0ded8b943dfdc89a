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
	Name       logName `json:"name"`       // within its stack
	Stack      string  `json:"stack"`      // embedded, containers or external
	Store      string  `json:"store"`      // kafka or postgres
	Partitions int32   `json:"partitions"` // on Kafka
	Simulated  bool    `json:"simulated"`  // recorded_at follows entered_at
}

const settingsFile = "log.json"

// load reads the settings of the log in dir.
func load(dir string) (settings, error) {
	s := settings{Name: defaultName, Stack: "embedded"} // of a log that is older than these
	text, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, &usageError{fmt.Sprintf("there is no log in %s", dir), "begin one with: blotter import FILE, or name its folder with --data"}
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", filepath.Join(dir, settingsFile), err)
	}
	return s, nil
}

// on refuses to look for the log in another stack than the one that it is in: there it would seem to be empty.
func (s settings) on(stack, dir string) error {
	if s.Stack == stack {
		return nil
	}
	return &usageError{fmt.Sprintf("the log in %s is in the %s stack, not in the %s one", dir, s.Stack, stack),
		fmt.Sprintf("say --stack %s, or STACK=%s in the environment", s.Stack, s.Stack)}
}

// create writes the settings of a new log in dir. The file is renamed into place: a crash leaves no log or a whole one.
func create(dir string, s settings) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, settingsFile)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
