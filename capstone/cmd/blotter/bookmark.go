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

// Save renames the file into place: a crash leaves the old cursor or the new one.
func (b bookmark) Save(c contract.Cursor) error {
	if err := os.WriteFile(string(b)+".new", []byte(c.String()+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(string(b)+".new", string(b))
}
