package main

import (
	"context"
	"path/filepath"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// reached is how far the log had come when a command in this folder last wrote it. So a log that has lost its end, or has been
// begun again in its place, is seen by who asks it nothing but one stream, too, and before anything is written behind what is left.
func (a *app) reached() bookmark { return bookmark(filepath.Join(a.cli.Data, "reached")) }

// written is the mark; nil where there is none, and where it does not count: verify says more of what is lost, and in the folder of a new log
// it is of another.
func (a *app) written() (contract.Cursor, error) {
	if a.access == looks || a.begins || a.asItIs {
		return nil, nil
	}
	return a.reached().Load()
}

// whole says whether the log has all that it had. Its end is asked for AFTER the mark was read: others write it, too.
func (a *app) whole(ctx context.Context, log contract.Reader) error {
	written, err := a.written()
	if err != nil || written == nil {
		return err
	}
	end, err := log.End(ctx)
	if err != nil {
		return err
	}
	return written.Ahead(lastWriter, end)
}

// lastWriter is how people are told of the mark.
const lastWriter = "the last to write it"

// mark notes how far the log has come. A crash before it leaves the mark before, which holds as well, but tells less.
func (a *app) mark(ctx context.Context, log contract.Reader) error {
	const patience = 20 * time.Second // the command is done: a broker that went away is not waited for long
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	end, err := log.End(ctx)
	if err != nil {
		return nil
	}
	return a.reached().Save(end)
}
