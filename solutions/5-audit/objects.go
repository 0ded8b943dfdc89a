package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	batchNames      = "batches/"
	checkpointNames = "checkpoints/"
)

// A slot is the place of a batch or a checkpoint in the archive. Anybody who may write to a bucket
// can take the name of a slot before the sealer, and lock the object. So a slot has many names:
// NAME, NAME.1, NAME.2, … Its object is the first one that the log's key signed. All others are
// foreign: they count for nothing.
type slot struct {
	kind   string
	number int64 // of a batch: the index of its first leaf; of a checkpoint: its size
}

// name returns a name of the slot; try counts from 0. Numbers have twelve digits, so names sort by
// number.
func (s slot) name(try int) string {
	if try == 0 {
		return s.String()
	}
	return fmt.Sprintf("%s.%d", s, try)
}

func (s slot) String() string { return fmt.Sprintf("%s%012d", s.kind, s.number) }

// slotOf returns the slot of a name. ok is false for a name that no sealer gives.
func slotOf(name string) (s slot, try int, ok bool) {
	for _, s.kind = range []string{batchNames, checkpointNames} {
		rest, found := strings.CutPrefix(name, s.kind)
		if !found {
			continue
		}
		number, suffix, _ := strings.Cut(rest, ".")
		s.number, _ = strconv.ParseInt(number, 10, 64)
		try, _ = strconv.Atoi(suffix)
		return s, try, s.number >= 0 && try >= 0 && name == s.name(try)
	}
	return s, 0, false
}

// errName is the errForeign of an object with a name that no sealer gives.
var errName = errors.New("no batch and no checkpoint has this name")

// isForeign reports whether an object was refused because the log's key did not sign it, or because
// no sealer puts an object of that kind.
func isForeign(err error) bool {
	return errors.Is(err, ErrCheckpoint) || errors.Is(err, errBatch) ||
		errors.Is(err, errName) || errors.Is(err, errSize) || errors.Is(err, errRefused)
}

// An opener reads an object and checks its signature. Its error is foreign if the log's key did not
// sign the object.
type opener[T any] func(ctx context.Context, name string) (T, error)

// find returns the object of a slot. If every object there is foreign, the error is that of the
// first one. If there is none, the error is ErrAbsent.
func find[T any](ctx context.Context, a Archive, s slot, open opener[T]) (found T, err error) {
	names, err := a.List(ctx, s.String())
	if err != nil {
		return found, err
	}
	try := func(name string) int { _, try, _ := slotOf(name); return try }
	names = slices.DeleteFunc(names, func(name string) bool { return name != s.name(try(name)) })
	slices.SortFunc(names, func(a, b string) int { return try(a) - try(b) })
	refusal := fmt.Errorf("%s: %w", s, ErrAbsent)
	for i, name := range names {
		object, err := open(ctx, name)
		if !isForeign(err) {
			return object, err
		}
		if i == 0 {
			refusal = err
		}
	}
	return found, refusal
}

// put writes the object of a slot under the first name that no foreign object has. It returns
// ErrExists if the slot has its object.
func put[T any](ctx context.Context, a Archive, s slot, data []byte, open opener[T]) error {
	for try := 0; ; try++ {
		err := a.Put(ctx, s.name(try), data)
		if !errors.Is(err, ErrExists) {
			return err
		}
		if _, refusal := open(ctx, s.name(try)); refusal == nil {
			return err
		} else if !isForeign(refusal) {
			return refusal
		}
	}
}
