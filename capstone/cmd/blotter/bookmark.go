package main

import (
	"errors"
	"io/fs"
	"os"

	"example.com/blotter/labs/kit/contract"
)

// A bookmark is a file with a cursor in it.
type bookmark string

// Load is the cursor saved last; nil if there is none, or none that can be read.
func (b bookmark) Load() (contract.Cursor, error) {
	text, err := os.ReadFile(string(b))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := contract.ParseCursor(string(text))
	if err != nil {
		return nil, nil // half written, or spoilt: from the beginning is always right
	}
	return c, nil
}

// Save puts the file in the place of the last: a crash leaves the old cursor or the new one.
func (b bookmark) Save(c contract.Cursor) error {
	return replace(string(b), []byte(c.String()+"\n"), 0o644)
}

// remove forgets it: it was of another log.
func (b bookmark) remove() error {
	if err := os.Remove(string(b)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
