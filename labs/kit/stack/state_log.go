package stack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// DamagedStateError says that one of the broker's own logs, of producers and transactions or of group offsets, is not what
// it wrote. To go on without the entries behind the damage would forget which producers are fenced. Nothing has been altered.
type DamagedStateError struct {
	Path string
	At   int // byte
	What string
}

func (e *DamagedStateError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s", e.Path, e.At, e.What)
}

// Hint says what to do about it.
func (e *DamagedStateError) Hint() string {
	return "nothing was altered; restore the data directory from a copy"
}

// checkStateLog reads a file of frames, little-endian: 4 bytes length of version and data, 4 bytes CRC-32C of both, 2 bytes
// version, data. The last frame may be cut short: whole is where it begins, and torn says whether there is one.
func checkStateLog(path string) (whole int64, torn bool, err error) {
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
		if length < 2 || length > int64(len(body)) || crc32c(body[:length]) != binary.LittleEndian.Uint32(raw[at+4:]) {
			return 0, false, &DamagedStateError{Path: path, At: at, What: "the length or checksum of an entry does not match"}
		}
		at += 8 + int(length)
	}
	return int64(at), at < len(raw), nil
}

// hidesFrame is to frames what hidesBatch is to batches.
func hidesFrame(rest []byte) bool {
	if len(rest) > 8 && crc32c(rest[8:]) == binary.LittleEndian.Uint32(rest[4:]) {
		return true
	}
	for at := 1; at+10 <= len(rest); at++ {
		length := int64(binary.LittleEndian.Uint32(rest[at:]))
		body := rest[at+8:]
		if length >= 2 && length <= int64(len(body)) && crc32c(body[:length]) == binary.LittleEndian.Uint32(rest[at+4:]) {
			return true
		}
	}
	return false
}
