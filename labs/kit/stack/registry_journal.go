package stack

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// journal is the file registry/changes.jsonl: every change the registry took, one JSON object per line, in order. To
// repeat them from the first on gives the same subjects, versions and ids, which is how the registry remembers.
type journal struct{ f *os.File }

// entry is one line: a request and what it was answered.
type entry struct {
	question
	answer
}

// openJournal repeats what is recorded. A last line without its end is a change that a crash cut off before anybody was
// told of it: it is removed. Any other line that cannot be repeated is an error that names it.
func openJournal(dir string, repeat func(entry) error) (*journal, error) {
	path := filepath.Join(dir, "changes.jsonl")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	whole, err := readJournal(f, repeat)
	if err == nil {
		err = errors.Join(f.Truncate(whole), syncDir(dir))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &journal{f}, nil
}

// readJournal returns how many bytes are whole lines.
func readJournal(f io.Reader, repeat func(entry) error) (whole int64, err error) {
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return whole, err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return whole, fmt.Errorf("line %d: %w", n, err)
		}
		if err := repeat(e); err != nil {
			return whole, fmt.Errorf("line %d: %w", n, err)
		}
		whole += int64(len(line))
	}
}

// append returns when the entry is on disk.
func (j *journal) append(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.f.Sync()
}

func (j *journal) close() error { return j.f.Close() }
