package proof_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
)

// A segment is the files of one partition, as the broker keeps them: record batches end to end (Apache Kafka documentation, "Message
// format: record batch"), and beside them an index with 15 bytes for each.
type segment struct {
	dir       string
	partition int32
	batches   []*batch
	index     [][]byte
}

type batch struct {
	kmsg.RecordBatch
	records []*kmsg.Record
	broken  bool // its checksum is left as it was
}

const (
	batchOverhead = 49 // bytes of a batch that its length field counts, without the records
	checkedFrom   = 21 // where that begins what the checksum covers
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

// closing is the file in which the broker notes, when it is closed in order, how far the partition went.
const closing = "snapshot.json"

// write puts both files back, every length and (but for broken batches) every checksum made right.
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
		body := r.AppendTo(nil)[1:] // behind the length, which is one byte while it is zero
		b.Records = append(binary.AppendVarint(b.Records, int64(len(body))), body...)
	}
	b.NumRecords, b.Length = int32(len(b.records)), int32(batchOverhead+len(b.Records))
	raw := b.AppendTo(nil)
	if !b.broken {
		binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[checkedFrom:], crc32.MakeTable(crc32.Castagnoli)))
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

// places are the events of the partition, in order. The rest is records of the broker's (control) and of the owners (marks).
func (s *segment) places() []place {
	var all []place
	for _, b := range s.batches {
		if b.Attributes&attrControl != 0 {
			continue
		}
		for _, r := range b.records {
			if header(r, "ce_type") != "blotter.owner" {
				at := contract.Position{Partition: s.partition, Offset: b.FirstOffset + int64(r.OffsetDelta)}
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

// place finds an event.
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

// splice takes n batches out from the one that begins at an offset, and where they are to close up moves those behind down.
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

// forget removes what the broker wrote about the partition when it was closed in order, as after a crash.
func (s *segment) forget(t testing.TB) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.dir, closing)); !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
}
