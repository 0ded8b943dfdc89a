package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"example.com/blotter/labs/kit/contract"
)

// A frame is one event in the file of events. The pointer to a frame has the frame's length.
// Numbers are big-endian.
//
//	4 bytes   CRC-32C (RFC 3720, appendix B.4) of the rest
//	8         the event's offset in the log
//	12        pointer to the frame of the stream's previous event; zero for the first
//	          the event, as the Codec writes it
const (
	frameHeader = 4 + 8 + pointerSize
	maxFrame    = contract.MaxData + 64*contract.MaxAttribute
)

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
func (f *file) appendFrame(dst []byte, e *contract.Recorded, previous pointer) []byte {
	begin := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Position.Offset))
	dst = previous.append(dst)
	dst = f.opts.Codec.AppendEvent(dst, *e)
	binary.BigEndian.PutUint32(dst[begin:], crc32.Checksum(dst[begin+4:], castagnoli))
	return dst
}

// event returns the event at p, and the pointer to the previous event of its stream. The error of
// a damaged frame is ErrUnusable.
func (f *file) event(p pointer) (e contract.Recorded, previous pointer, err error) {
	frame, err := readFrame(f.events, p)
	if err == nil {
		previous = pointerOf(frame[12:])
		at := int64(binary.BigEndian.Uint64(frame[4:]))
		position := contract.Position{Partition: f.opts.Partition, Offset: at}
		e, err = f.opts.Codec.ParseEvent(frame[frameHeader:], position)
	}
	if err != nil {
		err = fmt.Errorf("%w: event at byte %d of its file: %v", ErrUnusable, p.At, err)
		return contract.Recorded{}, pointer{}, err
	}
	return e, previous, nil
}

func readFrame(r io.ReaderAt, p pointer) ([]byte, error) {
	if p.Size < frameHeader || p.Size > maxFrame {
		return nil, fmt.Errorf("it has %d bytes", p.Size)
	}
	frame := make([]byte, p.Size)
	if _, err := r.ReadAt(frame, p.At); err != nil {
		return nil, err
	}
	if crc32.Checksum(frame[4:], castagnoli) != binary.BigEndian.Uint32(frame) {
		return nil, errors.New("its checksum is wrong")
	}
	return frame, nil
}
