package stack

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The broker's directory, as kfake keeps it:
//
//	topics.json                                 names, partition counts, configuration
//	pids.log, groups.log                        frames: producers and transactions, group offsets
//	partitions/<topic>-<n>/<offset>.dat         record batches end to end, from that offset on
//	partitions/<topic>-<n>/<offset>.idx         one entry of 15 bytes per batch
//	partitions/<topic>-<n>/snapshot.json        the state at the last orderly stop
//
// At a wrong checksum the broker truncates the file with only a warning. Therefore the check in
// this file runs before the broker opens its directory.

// DamagedSegmentError says that the log of a partition differs from the bytes that the broker
// wrote. The check has altered no file.
type DamagedSegmentError struct {
	Topic     string
	Partition int32
	Offset    int64 // the first offset that cannot be trusted
	Path      string
	Fault     string
}

func (e *DamagedSegmentError) Error() string {
	return fmt.Sprintf("log of %s, partition %d, is damaged at offset %d: %s (%s)",
		e.Topic, e.Partition, e.Offset, e.Fault, e.Path)
}

// Hint returns the advice.
func (e *DamagedSegmentError) Hint() string { return restoreHint }

const restoreHint = "restore the data directory from a backup; this check altered no file"

// DamagedStateError says that one of the broker's state logs (of producers and transactions, or of
// group offsets) differs from the bytes that the broker wrote. Without the entries after the damage
// the broker would forget which producers are fenced. The check has altered no file.
type DamagedStateError struct {
	Path  string
	At    int // byte
	Fault string
}

func (e *DamagedStateError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s", e.Path, e.At, e.Fault)
}

// Hint returns the advice.
func (e *DamagedStateError) Hint() string { return restoreHint }

// checkFiles reads every batch of every partition, and changes no file. It accepts only the traces
// of a crash, and returns the repairs that they need: a torn last batch, a torn last entry of a
// state log or an index, and transactions without an end.
func checkFiles(dir string) (r repairs, err error) {
	topics, err := readTopics(filepath.Join(dir, "topics.json"))
	if err != nil {
		return r, err
	}
	for _, name := range []string{"pids.log", "groups.log"} {
		path := filepath.Join(dir, name)
		end, torn, err := checkStateLog(path)
		if err != nil {
			return r, err
		}
		if torn {
			r.torn = append(r.torn, tornLog{path, end})
		}
	}
	for _, t := range topics {
		for n := range t.Partitions {
			p := partition{topic: t.Name, number: n, shrinks: t.shrinks(), open: map[int64]int16{}}
			name := fmt.Sprintf("%s-%d", url.PathEscape(t.Name), n)
			p.dir = filepath.Join(dir, "partitions", name)
			if err := p.check(); err != nil {
				return r, err
			}
			r.gaps = append(r.gaps, p.gaps...)
			for producer, epoch := range p.open {
				r.open = append(r.open, openTransaction{t.Name, n, producer, epoch})
			}
		}
	}
	return r, nil
}

type topic struct {
	Name       string            `json:"name"`
	Partitions int32             `json:"partitions"`
	Configs    map[string]string `json:"configs"`
}

// shrinks reports whether the broker may remove records of the topic: compaction removes them from
// the middle, retention from the beginning. In all other topics every offset must be there.
func (t topic) shrinks() bool {
	limited := func(key string) bool { v, ok := t.Configs[key]; return ok && v != "-1" }
	return strings.Contains(t.Configs["cleanup.policy"], "compact") ||
		limited("retention.ms") || limited("retention.bytes")
}

func readTopics(path string) ([]topic, error) {
	var file struct{ Topics []topic }
	err := readJSON(path, &file)
	return file.Topics, err
}

// readJSON leaves the value unchanged if the file is missing.
func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// partition is one log during its check.
type partition struct {
	topic   string
	number  int32
	dir     string
	shrinks bool
	next    int64         // the offset after the last complete batch so far
	batches []recordBatch // of the current segment
	gaps    []indexGap
	open    map[int64]int16 // the epochs of producers whose last transaction has no end
}

func (p *partition) damaged(path, fault string) error {
	return &DamagedSegmentError{
		Topic: p.topic, Partition: p.number, Offset: p.next, Path: path, Fault: fault,
	}
}

func (p *partition) check() error {
	bases, err := segmentBases(p.dir)
	if err != nil {
		return err
	}
	var torn []byte
	for i, base := range bases {
		if i == 0 || p.shrinks {
			p.next = max(p.next, base)
		}
		torn, err = p.checkSegment(base, i == len(bases)-1)
		if err != nil {
			return err
		}
	}
	return p.checkEnd(torn)
}

// checkSegment checks one pair of files. It returns the torn batch at the end, which is damage in
// any segment except the last.
func (p *partition) checkSegment(base int64, last bool) (torn []byte, err error) {
	path := filepath.Join(p.dir, strconv.FormatInt(base, 10)+".dat")
	if base != p.next {
		return nil, p.damaged(path, fmt.Sprintf("the next file begins at offset %d", base))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rest, fault := p.readBatches(raw)
	if fault == "" && len(rest) > 0 && (!last || hidesBatch(rest, p.next)) {
		fault = "a batch is cut short, and more follows it"
	}
	if fault != "" {
		return nil, p.damaged(path, fault)
	}
	return rest, p.checkIndex(strings.TrimSuffix(path, ".dat") + ".idx")
}

// readBatches reads the complete batches. It returns the bytes after them, and their fault unless
// they may be the beginning of a batch.
func (p *partition) readBatches(raw []byte) (rest []byte, fault string) {
	p.batches = nil
	for rest = raw; len(rest) > 0; {
		b, complete, fault := readBatch(rest)
		if fault != "" || !complete {
			return rest, fault
		}
		if b.first < p.next || b.first > p.next && !p.shrinks {
			return rest, fmt.Sprintf("a batch says it begins at offset %d", b.first)
		}
		p.next = b.last + 1
		p.batches = append(p.batches, b)
		switch {
		case b.control:
			delete(p.open, b.producer)
		case b.transactional:
			p.open[b.producer] = b.producerEpoch
		}
		rest = rest[b.size:]
	}
	return nil, ""
}

// checkIndex checks the index entries, which tell the broker the batches of transactions and their
// leader epochs:
//
//	 0  1  version
//	 1  1  low byte of the CRC-32C of the bytes after it
//	 2  4  leader epoch, little-endian
//	 6  8  a timestamp
//	14  1  flags
//
// A crash can leave the last batches without their entries, or with a torn entry: a gap. The epochs
// must agree, since no checksum covers the epoch of a batch.
func (p *partition) checkIndex(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	complete := len(raw) / indexEntrySize
	for i := range min(complete, len(p.batches)) {
		entry := raw[i*indexEntrySize:][:indexEntrySize]
		if entry[1] != byte(crc32c(entry[2:])) {
			return p.damaged(path, "the checksum of an index entry does not match")
		}
		if p.batches[i].epoch != binary.LittleEndian.Uint32(entry[2:]) {
			p.next = p.batches[i].first
			return p.damaged(path, "a batch and its index entry differ in the leader epoch")
		}
	}
	if len(raw)%indexEntrySize > 0 || complete < len(p.batches) {
		p.gaps = append(p.gaps, indexGap{path, complete, p.batches[min(complete, len(p.batches)):]})
	}
	return nil
}

const (
	indexEntrySize    = 15
	indexEntryVersion = 1
)

// checkEnd compares the end of the log with its end at the last orderly stop. Later records are
// accepted, missing records are damage.
func (p *partition) checkEnd(torn []byte) error {
	var snapshot struct {
		HighWatermark int64 `json:"high_watermark"`
	}
	path := filepath.Join(p.dir, "snapshot.json")
	if err := readJSON(path, &snapshot); err != nil || p.shrinks {
		return err
	}
	if end := max(p.next, tornEnd(torn, snapshot.HighWatermark)); end < snapshot.HighWatermark {
		const format = "it ended at offset %d when it was closed, and its end is missing"
		return p.damaged(path, fmt.Sprintf(format, snapshot.HighWatermark))
	}
	return nil
}

// segmentBases returns the first offsets of a partition's files, in order.
func segmentBases(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the partition has no record yet
	}
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, e := range entries {
		name, isData := strings.CutSuffix(e.Name(), ".dat")
		if base, err := strconv.ParseInt(name, 10, 64); isData && err == nil {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// recordBatch is the part of a record batch that the check needs. On disk it is a record batch of
// the wire (Apache Kafka documentation, "Message format: record batch", magic 2), big-endian:
//
//	 0  8  base offset
//	 8  4  length of the bytes after this field
//	12  4  partition leader epoch
//	16  1  magic, 2
//	17  4  CRC-32C of all bytes from the attributes on
//	21  2  attributes
//	23  4  last offset delta
//	    …
//	43  8  producer id
//	51  2  producer epoch
//	    …
//	57  4  number of records, then the records
//
// The checksum covers none of the fields before it. The check compares those fields with the
// neighbouring batches and the index.
type recordBatch struct {
	first, last int64 // offsets
	size        int   // bytes
	epoch       uint32

	transactional, control bool // control: the end of a transaction
	producer               int64
	producerEpoch          int16
}

const (
	batchPrefix = 12 // base offset and length
	batchHeader = 61 // the bytes before the first record
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc32c(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// readBatch reads the first batch of raw. The batch is incomplete if raw ends before the batch
// does. A fault says why raw can be neither a batch nor the beginning of one.
func readBatch(raw []byte) (b recordBatch, complete bool, fault string) {
	if len(raw) < batchPrefix {
		return recordBatch{}, false, ""
	}
	length := int64(int32(binary.BigEndian.Uint32(raw[8:])))
	if length < batchHeader-batchPrefix {
		return recordBatch{}, false, fmt.Sprintf("a batch says it is %d bytes long", length)
	}
	if len(raw) > 16 && raw[16] != 2 {
		return recordBatch{}, false, fmt.Sprintf("a batch says it has format %d, not 2", raw[16])
	}
	if batchPrefix+length > int64(len(raw)) {
		return recordBatch{}, false, ""
	}
	raw = raw[:batchPrefix+length]
	if binary.BigEndian.Uint32(raw[17:]) != crc32c(raw[21:]) {
		return recordBatch{}, false, "the checksum of a batch does not match"
	}
	b.first, b.size = int64(binary.BigEndian.Uint64(raw)), len(raw)
	b.epoch = binary.BigEndian.Uint32(raw[12:])
	attributes := binary.BigEndian.Uint16(raw[21:])
	b.transactional, b.control = attributes&0x10 != 0, attributes&0x20 != 0
	b.producer = int64(binary.BigEndian.Uint64(raw[43:]))
	b.producerEpoch = int16(binary.BigEndian.Uint16(raw[51:]))
	b.last = b.first + int64(int32(binary.BigEndian.Uint32(raw[23:])))
	if b.first < 0 || b.last < b.first {
		fault = fmt.Sprintf("a batch says it holds offsets %d to %d", b.first, b.last)
		return recordBatch{}, false, fault
	}
	return b, true, ""
}

// hidesBatch reports whether an apparently torn batch only has a changed length field. Then its
// whole content is there, or complete batches follow it, and truncation would lose them.
func hidesBatch(rest []byte, next int64) bool {
	if len(rest) >= batchHeader && binary.BigEndian.Uint32(rest[17:]) == crc32c(rest[21:]) {
		return true
	}
	for at := 1; at+batchHeader <= len(rest); at++ {
		if rest[at+16] != 2 {
			continue // this byte alone excludes most places
		}
		if b, complete, fault := readBatch(rest[at:]); complete && fault == "" && b.first >= next {
			return true
		}
	}
	return false
}

// tornEnd returns the offset after a torn batch, as its header states it. If the header is cut,
// too, it returns unknown.
func tornEnd(torn []byte, unknown int64) int64 {
	switch {
	case len(torn) == 0:
		return 0
	case len(torn) < 27:
		return unknown
	default:
		first, delta := binary.BigEndian.Uint64(torn), binary.BigEndian.Uint32(torn[23:])
		return int64(first) + int64(int32(delta)) + 1
	}
}

// checkStateLog reads a file of frames, little-endian: 4 bytes length of version and data, 4 bytes
// CRC-32C of both, 2 bytes version, data. torn reports whether the last frame is cut short; end is
// the byte after the last complete frame.
func checkStateLog(path string) (end int64, torn bool, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	at := 0
	for at+8 <= len(raw) {
		length := int64(binary.LittleEndian.Uint32(raw[at:]))
		body := raw[at+8:]
		if length > int64(len(body)) && !hidesFrame(raw[at:]) {
			break
		}
		if !isFrame(raw[at:]) {
			return 0, false, &DamagedStateError{
				Path: path, At: at, Fault: "the length or checksum of an entry does not match",
			}
		}
		at += 8 + int(length)
	}
	return int64(at), at < len(raw), nil
}

// isFrame reports whether b, of 8 bytes at least, begins with a complete frame.
func isFrame(b []byte) bool {
	length, body := int64(binary.LittleEndian.Uint32(b)), b[8:]
	return length >= 2 && length <= int64(len(body)) &&
		crc32c(body[:length]) == binary.LittleEndian.Uint32(b[4:])
}

// hidesFrame reports whether an apparently torn frame only has a changed length field, like
// hidesBatch.
func hidesFrame(rest []byte) bool {
	if len(rest) > 8 && crc32c(rest[8:]) == binary.LittleEndian.Uint32(rest[4:]) {
		return true
	}
	for at := 1; at+10 <= len(rest); at++ {
		if isFrame(rest[at:]) {
			return true
		}
	}
	return false
}
