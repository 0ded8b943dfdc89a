package e2e_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
)

// A burglar is the intruder at the broker's files, in one partition.
type burglar struct {
	t testing.TB
	*segment
	all  string // the folder of the partitions
	kept string // a copy of it
}

// brokenInto is the partition that a burglar changes.
const brokenInto = 1

// breakIn lets a burglar in. kept is a copy of the partitions as they were.
func breakIn(t testing.TB, f *folder, kept string) *burglar {
	t.Helper()
	all := partitions(f)
	dir := filepath.Join(all, fmt.Sprintf("blotter.events-%d", brokenInto))
	return &burglar{t, readSegment(t, dir, brokenInto), all, kept}
}

func partitions(f *folder) string { return filepath.Join(f.data, "stack", "kafka", "partitions") }

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
	p.batch.records = slices.DeleteFunc(p.batch.records, func(r *kmsg.Record) bool {
		return r == p.record
	})
}

// closeUp removes the whole transaction: the batch and the broker's control record after it. In a
// simulated log the batch has one event, however many lines were in flight.
func (b *burglar) closeUp(at contract.Position) {
	p := b.place(b.t, at)
	require.Len(b.t, p.batch.records, 1, "events of this transaction")
	b.splice(at.Offset, 2, true)
	b.removeClosing(b.t)
}

// insert copies the whole transaction.
func (b *burglar) insert(at contract.Position) {
	for i, first := range b.batches {
		if first.FirstOffset != at.Offset {
			continue
		}
		require.Len(b.t, first.records, 1, "events of this transaction")
		copies := make([]*batch, 2)
		for n, from := range b.batches[i : i+2] {
			record := *from.records[0]
			copies[n] = &batch{RecordBatch: from.RecordBatch, records: []*kmsg.Record{&record}}
		}
		headers := slices.Clone(copies[0].records[0].Headers)
		for n, h := range headers {
			if h.Key == "ce_id" {
				headers[n].Value = []byte(uuid.NewString())
			}
		}
		copies[0].records[0].Headers = headers
		b.batches = slices.Insert(b.batches, i+2, copies...)
		b.index = slices.Insert(b.index, i+2, b.index[i], b.index[i+1])
		for _, later := range b.batches[i+2:] {
			later.FirstOffset += 2
		}
		b.removeClosing(b.t)
		return
	}
	require.Fail(b.t, "no event", "at %s", at)
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
	b.removeClosing(b.t)
}

func (b *burglar) restore() {
	require.NoError(b.t, os.RemoveAll(b.all))
	require.NoError(b.t, os.CopyFS(b.all, os.DirFS(b.kept)))
	*b.segment = *readSegment(b.t, b.dir, b.partition)
}

// digests leaves out the file that the broker writes whenever it closes.
func (b *burglar) digests() map[string]string {
	all := map[string]string{}
	hashFiles(b.t, b.all, all)
	maps.DeleteFunc(all, func(path, _ string) bool { return filepath.Base(path) == closing })
	return all
}

func (b *burglar) commit() { b.write(b.t) }

func (b *burglar) leave() {}

// A segment is the files of one partition, as the broker keeps them: record batches end to end
// (Apache Kafka documentation, "Message format: record batch"), and beside them an index with 15
// bytes for each batch.
type segment struct {
	dir       string
	partition int32
	batches   []*batch
	index     [][]byte
}

type batch struct {
	kmsg.RecordBatch
	records []*kmsg.Record
	broken  bool // keeps its old checksum
}

const (
	batchOverhead = 49 // bytes that the length field of a batch counts besides the records
	checkedFrom   = 21 // the first byte that the checksum covers
	indexEntry    = 15
	attrControl   = 1 << 5
)

func readSegment(t testing.TB, dir string, partition int32) *segment {
	t.Helper()
	s := &segment{dir: dir, partition: partition}
	raw, err := os.ReadFile(s.data())
	require.NoError(t, err)
	for len(raw) > 0 {
		b := new(batch)
		size := 12 + int(binary.BigEndian.Uint32(raw[8:]))
		require.NoError(t, b.ReadFrom(raw[:size]))
		b.records, err = readRecords(b.Records)
		require.NoError(t, err)
		s.batches, raw = append(s.batches, b), raw[size:]
	}
	index, err := os.ReadFile(s.indexFile())
	require.NoError(t, err)
	for ; len(index) > 0; index = index[indexEntry:] {
		s.index = append(s.index, index[:indexEntry])
	}
	require.Len(t, s.index, len(s.batches))
	return s
}

func readRecords(raw []byte) ([]*kmsg.Record, error) {
	var all []*kmsg.Record
	for len(raw) > 0 {
		length, n := binary.Varint(raw)
		if n <= 0 || length < 0 || int(length)+n > len(raw) {
			return nil, fmt.Errorf("a record of %d bytes in %d", length, len(raw))
		}
		r := new(kmsg.Record)
		if err := r.ReadFrom(raw[:n+int(length)]); err != nil {
			return nil, err
		}
		all, raw = append(all, r), raw[n+int(length):]
	}
	return all, nil
}

func (s *segment) data() string      { return filepath.Join(s.dir, "0.dat") }
func (s *segment) indexFile() string { return filepath.Join(s.dir, "0.idx") }

// closing is the file in which the broker notes the end of the partition on a clean shutdown.
const closing = "snapshot.json"

// write writes both files back. It corrects every length and, except in broken batches, every
// checksum.
func (s *segment) write(t testing.TB) {
	t.Helper()
	var data, index []byte
	for _, b := range s.batches {
		data = append(data, b.encode()...)
	}
	for _, entry := range s.index {
		index = append(index, entry...)
	}
	require.NoError(t, os.WriteFile(s.data(), data, 0o600))
	require.NoError(t, os.WriteFile(s.indexFile(), index, 0o600))
}

func (b *batch) encode() []byte {
	b.Records = nil
	for _, r := range b.records {
		r.Length = 0
		body := r.AppendTo(nil)[1:] // after the length, which is one byte while it is zero
		b.Records = append(binary.AppendVarint(b.Records, int64(len(body))), body...)
	}
	b.NumRecords, b.Length = int32(len(b.records)), int32(batchOverhead+len(b.Records))
	raw := b.AppendTo(nil)
	if !b.broken {
		sum := crc32.Checksum(raw[checkedFrom:], crc32.MakeTable(crc32.Castagnoli))
		binary.BigEndian.PutUint32(raw[17:], sum)
	}
	return raw
}

// A place is a record that holds an event.
type place struct {
	contract.Position
	stream string
	batch  *batch
	record *kmsg.Record
}

// places returns the events of the partition, in order. The other records are the broker's
// (control) and the owners' (marks).
func (s *segment) places() []place {
	var all []place
	for _, b := range s.batches {
		if b.Attributes&attrControl != 0 {
			continue
		}
		for _, r := range b.records {
			if !strings.HasPrefix(header(r, "ce_type"), contract.Reserved) {
				offset := b.FirstOffset + int64(r.OffsetDelta)
				at := contract.Position{Partition: s.partition, Offset: offset}
				all = append(all, place{at, string(r.Key), b, r})
			}
		}
	}
	return all
}

func header(r *kmsg.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// place returns the event at a position.
func (s *segment) place(t testing.TB, at contract.Position) place {
	t.Helper()
	for _, p := range s.places() {
		if p.Position == at {
			return p
		}
	}
	require.Fail(t, "no event", "at %s", at)
	return place{}
}

// truncate drops every batch from an offset on.
func (s *segment) truncate(from int64) {
	for i, b := range s.batches {
		if b.FirstOffset >= from {
			s.batches, s.index = s.batches[:i], s.index[:i]
			return
		}
	}
}

// splice removes n batches from the batch that begins at an offset on. With closeUp it moves the
// later batches down.
func (s *segment) splice(from int64, n int, closeUp bool) {
	for i, b := range s.batches {
		if b.FirstOffset != from {
			continue
		}
		gap := s.batches[i+n].FirstOffset - from
		s.batches = append(s.batches[:i:i], s.batches[i+n:]...)
		s.index = append(s.index[:i:i], s.index[i+n:]...)
		for _, later := range s.batches[i:] {
			if closeUp {
				later.FirstOffset -= gap
			}
		}
		return
	}
}

// removeClosing removes the note of the clean shutdown, so the partition looks as if the broker had
// crashed.
func (s *segment) removeClosing(t testing.TB) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.dir, closing)); !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
}
