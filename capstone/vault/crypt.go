package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// KeySize is the size of every key, in bytes: two AES-256 keys, as AES-SIV takes them (RFC 5297,
// section 2.2).
const KeySize = subtle.AESSIVKeySize

// NewKey draws a key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key) // never fails
	return key
}

// ErrSealed is wrapped by the error of a ciphertext that its key does not open: it was changed, or
// belongs to another event or field, or has another key.
var ErrSealed = errors.New("the ciphertext does not open")

// seal encrypts one field of one event by AES-SIV (RFC 5297). The encryption is deterministic, so
// that a retry of an append has the same content. The event, its stream and the field are the
// associated data: the same text in another event has another ciphertext.
func seal(key []byte, stream string, event uuid.UUID, field, text string) ([]byte, error) {
	siv, err := subtle.NewAESSIV(key)
	if err != nil {
		return nil, err
	}
	return siv.EncryptDeterministically([]byte(text), associated(stream, event[:], []byte(field)))
}

// unseal is the inverse of seal.
func unseal(key []byte, stream string, event uuid.UUID, field string, sealed []byte) (
	string, error) {
	siv, err := subtle.NewAESSIV(key)
	if err != nil {
		return "", err
	}
	text, err := siv.DecryptDeterministically(sealed,
		associated(stream, event[:], []byte(field)))
	if err != nil {
		return "", fmt.Errorf("field %s of event %s: %w", field, event, ErrSealed)
	}
	return string(text), nil
}

// associated returns a tag and the parts, each with its length before it in four bytes big-endian.
func associated(first string, parts ...[]byte) (b []byte) {
	for _, part := range append([][]byte{[]byte("blotter/vault/v1"), []byte(first)}, parts...) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// A Master wraps the keys of the parties. It may be a key management service, which keeps its key
// to itself. MasterKey is one with the key in memory.
type Master interface {
	// ID names the key. It tells nothing about the key itself.
	ID() string
	Wrap(ctx context.Context, party string, key []byte) ([]byte, error)
	Unwrap(ctx context.Context, party string, wrapped []byte) ([]byte, error)
}

// MasterKey is a Master whose key the process has.
type MasterKey [KeySize]byte

var _ Master = MasterKey{}

// ParseMasterKey reads a key as NewMasterKey writes it: 128 hexadecimal digits.
func ParseMasterKey(text string) (key MasterKey, err error) {
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != KeySize {
		// the error of hex would show a part of the key
		return key, fmt.Errorf("a master key is %d hexadecimal digits", 2*KeySize)
	}
	return MasterKey(b), nil
}

// NewMasterKey draws a master key, as text.
func NewMasterKey() string { return hex.EncodeToString(NewKey()) + "\n" }

// ID returns the first bytes of a digest of the key.
func (k MasterKey) ID() string {
	sum := sha256.Sum256(append([]byte("blotter/master/v1\x00"), k[:]...))
	return hex.EncodeToString(sum[:8])
}

// Wrap encrypts the key of a party.
func (k MasterKey) Wrap(_ context.Context, party string, key []byte) ([]byte, error) {
	siv, err := subtle.NewAESSIV(k[:])
	if err != nil {
		return nil, err
	}
	return siv.EncryptDeterministically(key, associated(party))
}

// Unwrap decrypts the key of a party.
func (k MasterKey) Unwrap(_ context.Context, party string, wrapped []byte) ([]byte, error) {
	siv, err := subtle.NewAESSIV(k[:])
	if err != nil {
		return nil, err
	}
	key, err := siv.DecryptDeterministically(wrapped, associated(party))
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %w", party, ErrSealed)
	}
	return key, nil
}
