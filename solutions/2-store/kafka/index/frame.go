package index

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A frame is one event in the file of events. The pointer to a frame has the frame's length.
// Numbers are big-endian.
//
//	4 bytes   CRC-32C (RFC 3720, appendix B.4) of the rest
//	4         length of the frame
//	8         the event's offset in the log
//	12        pointer to the frame of the stream's previous event; zero for the first
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
	offset   int64
	previous pointer
	entry    []byte
	id       uuid.UUID
	ends     bool
	stream   string
	body     []byte
}

const (
	frameHeader = 4 + 4 + 8 + pointerSize
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
	entry.Follow(previous, func(dst []byte) []byte { return codec.AppendEvent(dst, e) })
	return entry
}

// Follow makes e the entry after previous in its stream. body appends the event as the Codec writes
// it.
func (e *Entry) Follow(previous Digest, body func(dst []byte) []byte) {
	data := make([]byte, 0, entryHeader+len(e.Stream))
	data = append(append(data, e.ID[:]...), flag(e.Ends))
	data = binary.BigEndian.AppendUint16(data, uint16(len(e.Stream)))
	e.data = body(append(data, e.Stream...))
	e.Digest = roll(previous, e.data)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// A pointer locates a frame in the file of events. The zero pointer points to nothing.
type pointer struct {
	At   int64 `json:"at"`
	Size int32 `json:"size"`
}

const pointerSize = 12

func (p pointer) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.At))
	return binary.BigEndian.AppendUint32(dst, uint32(p.Size))
}

func pointerOf(b []byte) pointer {
	return pointer{
		At: int64(binary.BigEndian.Uint64(b)), Size: int32(binary.BigEndian.Uint32(b[8:])),
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends the frame of e. The stream's previous event is at previous.
func appendFrame(dst []byte, e *Entry, previous pointer) []byte {
	begin := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(frameHeader+len(e.data)))
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Position.Offset))
	dst = append(previous.append(dst), e.data...)
	binary.BigEndian.PutUint32(dst[begin:], crc32.Checksum(dst[begin+4:], castagnoli))
	return dst
}

// parseFrame returns the frame in b, which it uses.
func parseFrame(b []byte) (f frame, err error) {
	if len(b) < frameHeader+entryHeader || int(binary.BigEndian.Uint32(b[4:])) != len(b) {
		return f, errors.New("its length is wrong")
	}
	if crc32.Checksum(b[4:], castagnoli) != binary.BigEndian.Uint32(b) {
		return f, errors.New("its checksum is wrong")
	}
	f.offset = int64(binary.BigEndian.Uint64(b[8:]))
	f.previous, f.entry = pointerOf(b[16:]), b[frameHeader:]
	f.id, f.ends = uuid.UUID(f.entry[:16]), f.entry[16] == 1
	name := int(binary.BigEndian.Uint16(f.entry[17:]))
	if entryHeader+name > len(f.entry) {
		return f, errors.New("the name of its stream is too long")
	}
	f.stream = string(f.entry[entryHeader : entryHeader+name])
	f.body = f.entry[entryHeader+name:]
	return f, nil
}

// frameAt returns the frame at p. The error of a damaged frame is ErrUnusable.
func (f *file) frameAt(p pointer) (frame, error) {
	if p.Size < frameHeader || p.Size > maxFrame {
		return frame{}, damaged(p.At, fmt.Errorf("it has %d bytes", p.Size))
	}
	b := make([]byte, p.Size)
	if _, err := f.events.ReadAt(b, p.At); err != nil {
		return frame{}, damaged(p.At, err)
	}
	found, err := parseFrame(b)
	if err != nil {
		return frame{}, damaged(p.At, err)
	}
	return found, nil
}

func damaged(at int64, why error) error {
	return fmt.Errorf("%w: event at byte %d of its file: %v", ErrUnusable, at, why)
}

// decode returns the event of a frame.
func (f *file) decode(found frame) (contract.Recorded, error) {
	at := contract.Position{Partition: f.opts.Partition, Offset: found.offset}
	e, err := f.opts.Codec.ParseEvent(found.body, at)
	if err != nil {
		return e, fmt.Errorf("%w: event of offset %d: %v", ErrUnusable, found.offset, err)
	}
	return e, nil
}

// scan calls visit with every frame, in the order of the file. A frame is valid until visit
// returns.
func (f *file) scan(visit func(pointer, frame) error) error {
	r := bufio.NewReaderSize(io.NewSectionReader(f.events, 0, f.progress.Size), 1<<18)
	var buffer []byte
	for at := int64(0); at < f.progress.Size; {
		begin, err := r.Peek(8)
		if err != nil {
			return damaged(at, err)
		}
		size := binary.BigEndian.Uint32(begin[4:])
		if size < frameHeader || size > maxFrame {
			return damaged(at, fmt.Errorf("it has %d bytes", size))
		}
		buffer = append(buffer[:0], make([]byte, size)...)
		if _, err := io.ReadFull(r, buffer); err != nil {
			return damaged(at, err)
		}
		found, err := parseFrame(buffer)
		if err != nil {
			return damaged(at, err)
		}
		if err := visit(pointer{at, int32(size)}, found); err != nil {
			return err
		}
		at += int64(size)
	}
	return nil
}
