package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
)

// A frame is one event in an index's file of events. It has no length: what points to it says that. Numbers are big-endian.
//
//	4 bytes   CRC-32C (RFC 3720, appendix B.4) of the rest
//	8         the event's offset in the log
//	12        pointer to the frame of the stream's event before; zero for its first
//	          the event, as a record of a Kafka record batch (version 2, kmsg.Record): key, value, headers as in record.go
const frameHead = 4 + 8 + pointerSize

// A pointer says where in the file of events a frame is. The zero pointer points to nothing.
type pointer struct {
	At   int64 `json:"at"`
	Size int32 `json:"size"`
}

const pointerSize = 12

func (p pointer) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(dst, uint64(p.At)), uint32(p.Size))
}

func pointerOf(b []byte) pointer {
	return pointer{At: int64(binary.BigEndian.Uint64(b)), Size: int32(binary.BigEndian.Uint32(b[8:]))}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends the frame of e, whose stream goes on from before.
func appendFrame(dst []byte, e *contract.Recorded, before pointer) []byte {
	record := encode(*e)
	wire := kmsg.Record{Key: record.Key, Value: record.Value}
	for _, h := range record.Headers {
		wire.Headers = append(wire.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
	}
	begin := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Position.Offset))
	dst = before.append(dst)
	dst = wire.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[begin:], crc32.Checksum(dst[begin+4:], castagnoli))
	return dst
}

// readFrame is the event that p points to, and a pointer to the one before it in its stream. A frame that is not as it was
// written is errUnusable.
func readFrame(r io.ReaderAt, p pointer, partition int32) (contract.Recorded, pointer, error) {
	bad := func(why any) (contract.Recorded, pointer, error) {
		return contract.Recorded{}, pointer{}, fmt.Errorf("%w: event at byte %d of its file: %v", errUnusable, p.At, why)
	}
	if p.Size < frameHead || p.Size > maxRecord {
		return bad(fmt.Sprintf("it has %d bytes", p.Size))
	}
	frame := make([]byte, p.Size)
	if _, err := r.ReadAt(frame, p.At); err != nil {
		return bad(err)
	}
	if crc32.Checksum(frame[4:], castagnoli) != binary.BigEndian.Uint32(frame) {
		return bad("its checksum is wrong")
	}
	var wire kmsg.Record
	if err := wire.UnsafeReadFrom(frame[frameHead:]); err != nil {
		return bad(err)
	}
	record := &kgo.Record{Key: wire.Key, Value: wire.Value, Partition: partition, Offset: int64(binary.BigEndian.Uint64(frame[4:]))}
	for _, h := range wire.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	e, event, err := decode(record)
	if err != nil || !event {
		return bad(fmt.Sprintf("no event: %v", err))
	}
	return e, pointerOf(frame[12:]), nil
}
