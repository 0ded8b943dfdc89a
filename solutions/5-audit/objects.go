package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	batchNames      = "batches/"
	checkpointNames = "checkpoints/"
	// lastCheckpoint is a copy of the last checkpoint. It is the one object that changes, so nobody
	// trusts it: it only tells where to look for the truth.
	lastCheckpoint = "checkpoint"
)

// A slot is the place of an object in the archive. Anybody who may write to a bucket can take the
// name of a slot before the sealer, and lock the object. So a slot has many names: NAME, NAME.1,
// NAME.2, … Its object is the first one that the log's key signed, or that is a tile of a tree
// which the key signed. All others are foreign: they count for nothing.
type slot string

// batchSlot is the slot of a batch, by its number. Numbers are dense, so a batch has one possible
// successor, and of several sealers one writes it.
func batchSlot(number int64) slot { return slot(fmt.Sprintf("%s%012d", batchNames, number)) }

// checkpointSlot is the slot of the checkpoint of size leaves. Names have twelve digits, so they
// sort by size.
func checkpointSlot(size int64) slot { return slot(fmt.Sprintf("%s%012d", checkpointNames, size)) }

func tileSlot(t tlog.Tile) slot { return slot(tilePath(t)) }

// name returns a name of the slot; try counts from 0.
func (s slot) name(try int) string {
	if try == 0 {
		return string(s)
	}
	return fmt.Sprintf("%s.%d", s, try)
}

// slotOf returns the slot of a name. ok is false for a name that no sealer gives.
func slotOf(name string) (s slot, try int, ok bool) {
	s = slot(name)
	if dot := strings.LastIndex(name, "."); dot >= 0 {
		if n, err := strconv.Atoi(name[dot+1:]); err == nil && n > 0 {
			s, try = slot(name[:dot]), n
		}
	}
	return s, try, s.valid() && name == s.name(try)
}

func (s slot) valid() bool {
	if _, ok := parseTile(string(s)); ok {
		return true
	}
	kind, digits, _ := strings.Cut(string(s), "/")
	digits, key, cosigned := strings.Cut(digits, "/")
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || number < 0 {
		return false
	}
	if cosigned {
		hash, err := strconv.ParseUint(key, 16, 32)
		return err == nil && s == cosignatureSlot(number, uint32(hash))
	}
	return kind+"/" == batchNames && s == batchSlot(number) ||
		kind+"/" == recordNames && s == recordsSlot(number) ||
		kind+"/" == checkpointNames && s == checkpointSlot(number)
}

// Errors of foreign objects.
var (
	errName = errors.New("no object of an archive has this name")
	errTile = errors.New("not a tile of the tree that the log's key signed")
)

// errFolder is the error of Archive.Put for a name that no object can have, because foreign objects
// have names below it.
var errFolder = errors.New("foreign objects have names below this one")

// isForeign reports whether an object was refused because the log's key did not sign it, or because
// no sealer puts an object of that kind.
func isForeign(err error) bool {
	for _, foreign := range []error{
		ErrCheckpoint, errBatch, errName, errTile, errRecords, errSigners, errSize, errRefused,
	} {
		if errors.Is(err, foreign) {
			return true
		}
	}
	return false
}

// An opener reads an object and checks it. Its error is foreign if no sealer of the log put it.
type opener[T any] func(ctx context.Context, name string) (T, error)

// find returns the object of a slot. If every object there is foreign, the error is that of the
// first one. If there is none, the error is ErrAbsent.
func find[T any](ctx context.Context, a Archive, s slot, open opener[T]) (T, error) {
	found, first := open(ctx, s.name(0))
	if !isForeign(first) && !errors.Is(first, ErrAbsent) {
		return found, first
	}
	names, err := a.List(ctx, s.name(0)+".")
	if err != nil {
		return found, err
	}
	try := func(name string) int { _, try, _ := slotOf(name); return try }
	names = slices.DeleteFunc(names, func(name string) bool {
		return try(name) == 0 || name != s.name(try(name))
	})
	slices.SortFunc(names, func(a, b string) int { return try(a) - try(b) })
	for _, name := range names {
		object, err := open(ctx, name)
		if !isForeign(err) {
			return object, err
		}
		if errors.Is(first, ErrAbsent) {
			first = err
		}
	}
	return found, first
}

// put writes the object of a slot under the first name that foreign objects leave free. It returns
// ErrExists if the slot has its object.
func put[T any](ctx context.Context, a Archive, s slot, data []byte, open opener[T]) error {
	for try := 0; ; try++ {
		err := a.Put(ctx, s.name(try), data)
		if errors.Is(err, errFolder) {
			continue
		}
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

// inParallel calls f for each of n objects, several at once, and returns the error of the first
// object with an error.
func inParallel(n int, f func(i int) error) error {
	const workers = 8 // most of the time of a call is a server's
	errs, next := make([]error, n), make(chan int)
	done := make(chan struct{})
	for range min(workers, n) {
		go func() {
			for i := range next {
				errs[i] = f(i)
			}
			done <- struct{}{}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	for range min(workers, n) {
		<-done
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
