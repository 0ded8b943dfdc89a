package index

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// An index file is a header, and a frame for each event. Numbers are big-endian. Positions count
// from the beginning of the file.
//
//	4 bytes   CRC-32C (RFC 3720, appendix B.4) of the rest of the header
//	4         length of the header
//	          "blotter index 4\n", and the log (Options.Log)
//
//	4 bytes   CRC-32C of the rest of the frame
//	4         length of the frame
//	8         the event's offset in the log
//	8         position of the frame of the stream's previous event; zero for the first
//	          entry:
//	16        id
//	1         1 if the event ends its stream, else 0
//	2         length of the stream's name
//	          name of the stream
//	          the event, as the Codec writes it
//
// The rolling digest of a stream is SHA-256 of the digest before (32 zero bytes for the first
// event) and the entry. The entry repeats parts of the event, so that the digest of a stream can be
// computed without decoding its events. The offset is not in the digest: the broker gives it after
// the head of the stream is written.
type frame struct {
	at       int64 // its position
	offset   int64
	previous int64
	entry    []byte
	id       uuid.UUID
	ends     bool
	stream   string
	body     []byte
}

const (
	format      = "blotter index 4\n"
	checked     = 4 + 4 // checksum and length
	frameHeader = checked + 8 + 8
	entryHeader = 16 + 1 + 2
	maxFrame    = contract.MaxData + 64*contract.MaxAttribute
)

// A Digest is the rolling digest of a stream.
type Digest = [sha256.Size]byte

// roll returns the digest of a stream after one more entry.
func roll(previous Digest, entry []byte) (d Digest) {
	h := sha256.New()
	h.Write(previous[:])
	h.Write(entry)
	h.Sum(d[:0])
	return d
}

// An Entry is an event with the digest of its stream up to it.
type Entry struct {
	contract.Recorded
	Digest Digest
	data   []byte // the entry of its frame
}

// NewEntry returns the entry of the event that follows previous in its stream.
func NewEntry(previous Digest, e contract.Recorded, codec Codec) *Entry {
	entry := &Entry{Recorded: e}
	entry.Follow(previous, nil, func(dst []byte) []byte { return codec.AppendEvent(dst, e) })
	return entry
}

// Follow makes e the entry after previous in its stream. body appends the event as the Codec writes
// it. Follow appends to buffer, and returns it: it must not change before the entry is added to an
// index.
func (e *Entry) Follow(previous Digest, buffer []byte, body func(dst []byte) []byte) []byte {
	begin := len(buffer)
	buffer = append(buffer, previous[:]...) // so that the digest is that of one slice
	buffer = append(append(buffer, e.ID[:]...), flag(e.Ends))
	buffer = binary.BigEndian.AppendUint16(buffer, uint16(len(e.Stream)))
	buffer = body(append(buffer, e.Stream...))
	e.data = buffer[begin+len(previous) : len(buffer) : len(buffer)]
	e.Digest = sha256.Sum256(buffer[begin:])
	return buffer
}

// End returns the end of the stream up to e.
func (e *Entry) End() End { return End{e.Version, e.Ends, e.Digest} }

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends the frame of e. The frame of the stream's previous event is at previous.
func appendFrame(dst []byte, e *Entry, previous int64) []byte {
	begin := len(dst)
	dst = append(dst, make([]byte, checked)...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Position.Offset))
	dst = binary.BigEndian.AppendUint64(dst, uint64(previous))
	dst = append(dst, e.data...)
	check(dst[begin:])
	return dst
}

// header returns the header of the index of a log.
func header(log string) []byte {
	b := append(make([]byte, checked), format+log...)
	check(b)
	return b
}

// check sets the length and the checksum at the beginning of b.
func check(b []byte) {
	binary.BigEndian.PutUint32(b[4:], uint32(len(b)))
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
}

// isChecked returns an error unless b has its length and its checksum.
func isChecked(b []byte) error {
	if len(b) < checked || int64(binary.BigEndian.Uint32(b[4:])) != int64(len(b)) {
		return errors.New("its length is wrong")
	}
	if crc32.Checksum(b[4:], castagnoli) != binary.BigEndian.Uint32(b) {
		return errors.New("its checksum is wrong")
	}
	return nil
}

// checkHeader returns an error unless b is the header of the index of a log.
func checkHeader(b []byte, log string) error {
	if err := isChecked(b); err != nil {
		return err
	}
	found, ok := strings.CutPrefix(string(b[checked:]), format)
	switch {
	case !ok:
		return errors.New("it has another format")
	case found != log:
		return fmt.Errorf("it belongs to the log %s", found)
	}
	return nil
}

// parseFrame returns the frame in b, which it uses.
func parseFrame(b []byte) (f frame, err error) {
	if err := isChecked(b); err != nil {
		return f, err
	}
	if len(b) < frameHeader+entryHeader {
		return f, errors.New("it is too short")
	}
	f.offset = int64(binary.BigEndian.Uint64(b[checked:]))
	f.previous = int64(binary.BigEndian.Uint64(b[checked+8:]))
	f.entry = b[frameHeader:]
	f.id, f.ends = uuid.UUID(f.entry[:16]), f.entry[16] == 1
	name := int(binary.BigEndian.Uint16(f.entry[17:]))
	if entryHeader+name > len(f.entry) {
		return f, errors.New("the name of its stream is too long")
	}
	f.stream = string(f.entry[entryHeader : entryHeader+name])
	f.body = f.entry[entryHeader+name:]
	return f, nil
}

// readChecked reads the next bytes that begin with their checksum and length, into buffer. The
// error is io.EOF if the file ends before they do.
func readChecked(r *bufio.Reader, buffer []byte) ([]byte, error) {
	begin, err := r.Peek(checked)
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(begin[4:])
	if size < checked || size > maxFrame {
		return nil, fmt.Errorf("it has %d bytes", size)
	}
	buffer = slices.Grow(buffer[:0], int(size))[:size]
	if _, err := io.ReadFull(r, buffer); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return nil, err
	}
	return buffer, nil
}
