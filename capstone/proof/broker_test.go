package proof_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
)

// A burglar is the intruder at the broker's files, in one partition.
type burglar struct {
	t testing.TB
	*segment
	all  string // where the partitions are
	kept string // a copy of them
}

// brokenInto is the partition that the burglar is after.
const brokenInto = 1

// breakIn lets a burglar in; kept is a copy of the partitions as they were.
func breakIn(t testing.TB, d *desk, kept string) *burglar {
	t.Helper()
	all := partitions(d)
	return &burglar{t, readSegment(t, filepath.Join(all, fmt.Sprintf("blotter.events-%d", brokenInto)), brokenInto), all, kept}
}

func partitions(d *desk) string { return filepath.Join(d.data, "stack", "kafka", "partitions") }

func (b *burglar) events() []event {
	var all []event
	for _, p := range b.places() {
		all = append(all, event{p.Position, p.stream})
	}
	return all
}

func (b *burglar) flip(at contract.Position) {
	value := b.place(b.t, at).record.Value
	value[len(value)-1] ^= 1
}

func (b *burglar) rewrite(at contract.Position) {
	r := b.place(b.t, at).record
	r.Headers = append(r.Headers, kmsg.Header{Key: "ce_approver", Value: []byte("nobody")})
}

// remove leaves an empty batch, as compaction does: no offset is missing.
func (b *burglar) remove(at contract.Position) {
	p := b.place(b.t, at)
	p.batch.records = slices.DeleteFunc(p.batch.records, func(r *kmsg.Record) bool { return r == p.record })
}

// closeUp takes out the whole transaction, which is the batch and the broker's record behind it.
func (b *burglar) closeUp(at contract.Position) {
	p := b.place(b.t, at)
	require.Len(b.t, p.batch.records, 1, "events of this transaction")
	b.splice(at.Offset, 2, true)
	b.forget(b.t)
}

func (b *burglar) swap(a, c contract.Position) {
	p, q := b.place(b.t, a).record, b.place(b.t, c).record
	p.Key, q.Key = q.Key, p.Key
	p.Value, q.Value = q.Value, p.Value
	p.Headers, q.Headers = q.Headers, p.Headers
}

func (b *burglar) exchange(a, c contract.Position) {
	p, q := b.place(b.t, a).record, b.place(b.t, c).record
	p.Value, q.Value = q.Value, p.Value
}

func (b *burglar) cut(from contract.Position) {
	b.truncate(from.Offset)
	b.forget(b.t)
}

func (b *burglar) restore() {
	require.NoError(b.t, os.RemoveAll(b.all))
	require.NoError(b.t, os.CopyFS(b.all, os.DirFS(b.kept)))
	*b.segment = *readSegment(b.t, b.dir, b.partition)
}

// digests leave out what the broker writes whenever it closes.
func (b *burglar) digests() map[string]string {
	all := map[string]string{}
	hashFiles(b.t, b.all, all)
	maps.DeleteFunc(all, func(path, _ string) bool { return filepath.Base(path) == closing })
	return all
}

func (b *burglar) commit() { b.write(b.t) }

func (b *burglar) leave() {}
