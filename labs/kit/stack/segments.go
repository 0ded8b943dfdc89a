package stack

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
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
//	pids.log, groups.log                        frames: producers and transactions, group offsets (state_log.go)
//	partitions/<topic>-<n>/<offset>.dat         record batches end to end, from that offset on (batch.go)
//	partitions/<topic>-<n>/<offset>.idx         one entry of 15 bytes per batch
//	partitions/<topic>-<n>/snapshot.json        what was there when the broker was last closed in order
//
// Where a checksum is wrong, the broker cuts the file before it and goes on with a warning. So the check comes first.

// DamagedSegmentError says that the log of a partition is not what the broker wrote. Nothing has been altered.
type DamagedSegmentError struct {
	Topic     string
	Partition int32
	Offset    int64 // the first offset that cannot be trusted
	Path      string
	What      string
}

func (e *DamagedSegmentError) Error() string {
	return fmt.Sprintf("log of %s, partition %d, is damaged at offset %d: %s (%s)", e.Topic, e.Partition, e.Offset, e.What, e.Path)
}

// Hint says what to do about it.
func (e *DamagedSegmentError) Hint() string {
	return "nothing was altered; restore the data directory from a copy"
}

// checkSegments reads every batch of every partition and changes nothing. What it lets pass is the one thing a crash
// leaves: a last batch, or a last entry of a state log, that is not whole, and transactions without an end.
func checkSegments(dir string) (left remains, err error) {
	topics, err := readTopics(filepath.Join(dir, "topics.json"))
	if err != nil {
		return left, err
	}
	for _, name := range []string{"pids.log", "groups.log"} {
		path := filepath.Join(dir, name)
		whole, torn, err := checkStateLog(path)
		if err != nil {
			return left, err
		}
		if torn {
			left.torn = append(left.torn, tornLog{path, whole})
		}
	}
	for _, t := range topics {
		for n := range t.Partitions {
			p := partition{topic: t.Name, number: n, shrinks: t.shrinks(), open: map[int64]int16{}}
			p.dir = filepath.Join(dir, "partitions", url.PathEscape(t.Name)+"-"+strconv.Itoa(int(n)))
			if err := p.check(); err != nil {
				return left, err
			}
			left.gaps = append(left.gaps, p.gaps...)
			for producer, epoch := range p.open {
				left.open = append(left.open, openTransaction{t.Name, n, producer, epoch})
			}
		}
	}
	return left, nil
}

type topic struct {
	Name       string            `json:"name"`
	Partitions int32             `json:"partitions"`
	Configs    map[string]string `json:"configs"`
}

// shrinks tells that the broker may take records out of the topic: by compaction from the middle, by retention from the
// beginning. In all other topics every offset must be there.
func (t topic) shrinks() bool {
	limited := func(key string) bool { v, ok := t.Configs[key]; return ok && v != "-1" }
	return strings.Contains(t.Configs["cleanup.policy"], "compact") || limited("retention.ms") || limited("retention.bytes")
}

func readTopics(path string) ([]topic, error) {
	var file struct{ Topics []topic }
	err := readJSON(path, &file)
	return file.Topics, err
}

// readJSON leaves the value alone when there is no file.
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

// partition is one log being checked.
type partition struct {
	topic   string
	number  int32
	dir     string
	shrinks bool
	next    int64   // the offset after the last whole batch so far
	batches []batch // of the segment at hand
	gaps    []indexGap
	open    map[int64]int16 // producers with a transaction that has no end yet, and their epochs
}

func (p *partition) damaged(path, what string) error {
	return &DamagedSegmentError{Topic: p.topic, Partition: p.number, Offset: p.next, Path: path, What: what}
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
		torn, err = p.segment(base, i == len(bases)-1)
		if err != nil {
			return err
		}
	}
	return p.reaches(torn)
}

// segment checks one pair of files and returns the torn batch at the end, which only the last segment may have.
func (p *partition) segment(base int64, last bool) (torn []byte, err error) {
	path := filepath.Join(p.dir, strconv.FormatInt(base, 10)+".dat")
	if base != p.next {
		return nil, p.damaged(path, fmt.Sprintf("the next file begins at offset %d", base))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rest, what := p.walk(raw)
	if what == "" && len(rest) > 0 && (!last || hidesBatch(rest, p.next)) {
		what = "a batch is cut short, and more follows it"
	}
	if what != "" {
		return nil, p.damaged(path, what)
	}
	return rest, p.index(strings.TrimSuffix(path, ".dat") + ".idx")
}

// walk takes the whole batches, and returns what follows them with what is wrong with it; nothing is wrong with bytes
// that may be the beginning of a batch.
func (p *partition) walk(raw []byte) (rest []byte, what string) {
	p.batches = nil
	for rest = raw; len(rest) > 0; {
		b, whole, what := readBatch(rest)
		if what != "" || !whole {
			return rest, what
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

// index entries tell the broker which batches belong to transactions, and their leader epochs:
//
//	 0  1  version
//	 1  1  low byte of the CRC-32C of what follows
//	 2  4  leader epoch, little-endian
//	 6  8  a timestamp
//	14  1  flags
//
// A crash can leave the last batches without their entries, or with half of one: a gap. The epochs must agree: it is the one field of a
// batch that nothing else vouches for.
func (p *partition) index(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for i := range min(len(raw)/indexEntrySize, len(p.batches)) {
		entry := raw[i*indexEntrySize:][:indexEntrySize]
		if entry[1] != byte(crc32c(entry[2:])) {
			return p.damaged(path, "the checksum of an index entry does not match")
		}
		if p.batches[i].epoch != binary.LittleEndian.Uint32(entry[2:]) {
			p.next = p.batches[i].first
			return p.damaged(path, "a batch and its index entry differ in the leader epoch")
		}
	}
	if whole := len(raw) / indexEntrySize; len(raw)%indexEntrySize > 0 || whole < len(p.batches) {
		p.gaps = append(p.gaps, indexGap{path, whole, p.batches[min(whole, len(p.batches)):]})
	}
	return nil
}

const (
	indexEntrySize    = 15
	indexEntryVersion = 1
)

// reaches compares the end of the log with where it was when the broker last closed it in order. Later records are fine,
// missing ones are not.
func (p *partition) reaches(torn []byte) error {
	var snapshot struct {
		HighWatermark int64 `json:"high_watermark"`
	}
	path := filepath.Join(p.dir, "snapshot.json")
	if err := readJSON(path, &snapshot); err != nil || p.shrinks {
		return err
	}
	if end := max(p.next, tornEnd(torn, snapshot.HighWatermark)); end < snapshot.HighWatermark {
		return p.damaged(path, fmt.Sprintf("it reached to offset %d when it was closed, and the rest is missing", snapshot.HighWatermark))
	}
	return nil
}

// segmentBases is the offsets that the files of a partition begin at, in order.
func segmentBases(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no record yet
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
