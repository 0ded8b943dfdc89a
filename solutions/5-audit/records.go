package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
)

// A leaf has every attribute of its event, and only the digest of its Avro body. The records of a
// batch have the rest, so that the log can be made again from the archive. They are a signed note
// with the schemas of the events, and after its signature each body in the order of leaves, with
// its length before it in four bytes big-endian. The signature covers the schemas, whose logical
// types no fingerprint covers. The leaves cover the bodies.

const recordNames = "records/"

// recordsSlot is the slot of the records of a batch, by the batch's number.
func recordsSlot(number int64) slot { return slot(fmt.Sprintf("%s%012d", recordNames, number)) }

// maxBodies is the most bytes of bodies in a batch of several events. One body may have as many.
const maxBodies = contract.MaxOffload

// errRecords is wrapped by every error of an object that has not the records of its batch.
var errRecords = errors.New("not the records of the batch that the log's key signed")

// recordsText is the text of the note of records, as one line of JSON.
type recordsText struct {
	Number  int64        `json:"number"`
	Schemas []schemaText `json:"schemas"`
}

func (t recordsText) encode() string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(fmt.Sprintf("audit: encode records: %v", err)) // every field is plain data
	}
	return string(text) + "\n"
}

// A schemaText is a schema of the writer's catalog. The fingerprint in a leaf names it.
type schemaText struct {
	Type    string `json:"type"`
	Version int    `json:"version"`
	Text    string `json:"text"`
}

// A schemaName is the name of a schema in an event.
type schemaName struct {
	typ         string
	version     int
	fingerprint [32]byte
}

// of reports whether s is the name of the schema of an event.
func (s *schemaName) of(r *contract.Recorded) bool {
	return s.fingerprint == r.Fingerprint && s.version == r.Schema && s.typ == r.Type
}

// signRecords returns the records of b, whose events were read whole. A schema that this program's
// catalog lacks is left out: the registry has it under the id in the leaf.
func (b *batch) signRecords(keys ...note.Signer) ([]byte, error) {
	all, size := recordsText{b.Number, []schemaText{}}, 0
	seen := map[schemaName]bool{}
	for i := range b.events {
		ev := &b.events[i]
		size += 4 + len(ev.body)
		if i > 0 && ev.schema == b.events[i-1].schema || seen[*ev.schema] {
			continue
		}
		seen[*ev.schema] = true
		s, ok := schemas.Find(ev.schema.typ, ev.schema.version)
		if ok && s.Fingerprint == ev.schema.fingerprint {
			all.Schemas = append(all.Schemas, schemaText{s.Type, s.Version, s.Text})
		}
	}
	signed, err := note.Sign(&note.Note{Text: all.encode()}, keys...)
	data := append(make([]byte, 0, len(signed)+size), signed...)
	for i := range b.events {
		ev := &b.events[i]
		data = binary.BigEndian.AppendUint32(data, uint32(len(ev.body)))
		data = append(data, ev.body...)
	}
	return data, err
}

// openRecords reads the records of b, whose leaves were read, and gives each event its body.
func (b *batch) openRecords(data []byte, key note.Verifier) ([]schemaText, error) {
	signed, bodies := cutNote(data)
	n, err := openNote(signed, key)
	if err == nil {
		err = signsAt(n, key, b.edge.size)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errRecords, err)
	}
	var top recordsText
	err = json.Unmarshal([]byte(n.Text), &top)
	if err != nil || top.Number != b.Number || top.Schemas == nil || n.Text != top.encode() {
		// The key also signs batches and checkpoints. Only the canonical text is that of records.
		return nil, fmt.Errorf("%w: its text is not that of batch %d", errRecords, b.Number)
	}
	for i := range b.events {
		ev := &b.events[i]
		if len(bodies) < 4 || uint64(len(bodies)-4) < uint64(binary.BigEndian.Uint32(bodies)) {
			return nil, fmt.Errorf("%w: it ends inside the body of event %d", errRecords, i)
		}
		end := 4 + int(binary.BigEndian.Uint32(bodies))
		body := bodies[4:end:end]
		bodies = bodies[end:]
		if ev.body != nil && bytes.Equal(body, ev.body) { // its leaf was made from the same bytes
			continue
		}
		if sum := sha256.Sum256(body); !bytes.HasSuffix(ev.Leaf, sum[:]) {
			return nil, fmt.Errorf("%w: it has another payload for the event at %s",
				errRecords, ev.Position)
		}
		ev.body = body
	}
	if len(bodies) > 0 {
		return nil, fmt.Errorf("%w: it goes on after the last body", errRecords)
	}
	return top.Schemas, nil
}

// cutNote cuts a signed note from the bytes after it. A signature line begins with a dash, and no
// length of a body does.
func cutNote(data []byte) (signed, rest []byte) {
	blank := bytes.Index(data, []byte("\n\n"))
	if blank < 0 {
		return data, nil
	}
	end := blank + 2
	for bytes.HasPrefix(data[end:], []byte("— ")) {
		line := bytes.IndexByte(data[end:], '\n')
		if line < 0 {
			break
		}
		end += line + 1
	}
	return data[:end], data[end:]
}

// records reads the records of a batch whose leaves were read. each is called with the name of
// every object that is opened; it may be nil.
func (a *Auditor) records(ctx context.Context, b *batch, each func(string)) ([]schemaText, error) {
	return find(ctx, a.Archive, recordsSlot(b.Number), func(ctx context.Context, name string) (
		[]schemaText, error) {
		if each != nil {
			each(name)
		}
		return a.openRecords(ctx, b, name)
	})
}

func (a *Auditor) openRecords(ctx context.Context, b *batch, name string) (
	found []schemaText, err error) {
	data, err := a.Archive.Get(ctx, name)
	if err == nil {
		found, err = b.openRecords(data, a.Verifier)
	}
	return found, a.opened(name, err)
}

// putRecords writes the records of a batch, unless they are there. Sealers with different catalogs
// write different schemas. Each of them is right.
func (s *sealer) putRecords(ctx context.Context, b *batch) error {
	data, err := b.signRecords(s.signers()...)
	if err != nil {
		return fmt.Errorf("the records of batch %d: %w", b.Number, err)
	}
	archive := s.locked(b)
	err = put(ctx, archive, recordsSlot(b.Number), data, func(ctx context.Context, name string) (
		[]schemaText, error) {
		found := *b // an object that is there must not change the events
		found.events = slices.Clone(b.events)
		return s.openRecords(ctx, &found, name)
	})
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// locked returns the archive in which the records of a batch are locked for as long as the policy
// keeps any of its events. No event keeps them from later on than the seal: nobody shortens a lock,
// so a recorded_at in the future must not make one of years. A simulated log was sealed at its
// latest recorded_at. A crash before they are written leaves none: the sealer that adopts the batch
// writes them with the same lock.
func (s *sealer) locked(b *batch) Archive {
	archive, ok := s.Archive.(Locker)
	if !ok || s.LockUntil == nil {
		return s.Archive
	}
	l := locking{Locker: archive}
	for _, ev := range b.events {
		from := ev.recorded
		if from.After(b.Sealed) {
			from = b.Sealed
		}
		if at := s.LockUntil(ev.schema.typ, from); at.After(l.until) {
			l.until = at
		}
	}
	return l
}

// Records implements contract.RecordArchive. Each event is the one that the last checkpoint signs,
// byte for byte.
func (a *Auditor) Records(ctx context.Context, each func(contract.SealedRecords) error) error {
	return a.batches(ctx, 0, func(b *batch) error {
		texts, err := a.records(ctx, b, nil)
		if isForeign(err) || errors.Is(err, ErrAbsent) {
			err = fmt.Errorf("%w: %w", ErrArchive, err)
		}
		if err != nil {
			return err
		}
		out := contract.SealedRecords{Number: b.Number, First: b.first()}
		for _, s := range texts {
			fingerprint, err := schemas.Fingerprint(s.Text)
			if err != nil {
				return fmt.Errorf("%s version %d in the records of batch %d: %w",
					s.Type, s.Version, b.Number, err)
			}
			out.Schemas = append(out.Schemas, schemas.Schema{
				Type: s.Type, Version: s.Version, Text: s.Text, Fingerprint: fingerprint,
			})
		}
		for _, ev := range b.events {
			r, err := recordedOf(ev.Leaf, ev.body)
			if err != nil {
				return fmt.Errorf("batch %d, position %s: %w", b.Number, ev.Position, err)
			}
			r.Position = ev.Position
			out.Events = append(out.Events, r)
		}
		return each(out)
	})
}

// A RecordsObject is the object of the archive that has the records of a batch.
type RecordsObject struct {
	Number int64
	Name   string        // empty if no object has the records
	Events []SealedEvent // in the order of leaves
}

// A SealedEvent is the place of an event, and the id that its leaf has.
type SealedEvent struct {
	contract.Position
	ID uuid.UUID
}

// RecordsObjects calls each with the object of every batch under the last checkpoint, in order. It
// reads each object, so that a foreign one under its name is passed over.
func (a *Auditor) RecordsObjects(ctx context.Context, each func(RecordsObject) error) error {
	return a.batches(ctx, 0, func(b *batch) error {
		o := RecordsObject{Number: b.Number}
		for _, ev := range b.events {
			e := SealedEvent{Position: ev.Position}
			fields, err := split(ev.Leaf)
			if err != nil || len(fields) != len(layout)+1 {
				return fmt.Errorf("%w: batch %d, position %s", ErrLeaf, b.Number, ev.Position)
			}
			copy(e.ID[:], fields[idField])
			o.Events = append(o.Events, e)
		}
		// The last object that is opened is the right one.
		_, err := a.records(ctx, b, func(name string) { o.Name = name })
		if errors.Is(err, ErrAbsent) || isForeign(err) {
			o.Name, err = "", nil
		}
		if err != nil {
			return err
		}
		return each(o)
	})
}

// recordedOf is the inverse of contract.Recorded.Leaf, with the body that the leaf commits to. The
// position is not in a leaf.
func recordedOf(leaf, body []byte) (r contract.Recorded, err error) {
	f, err := split(leaf)
	if err != nil {
		return r, err
	}
	if len(f) != len(layout)+1 {
		return r, fmt.Errorf("%w: it has %d fields", ErrLeaf, len(f))
	}
	next := func() []byte { f = f[1:]; return f[0] }
	for _, text := range []*string{
		&r.Stream, &r.Type, &r.CommandID, &r.Actor, &r.Approver, &r.Reason, &r.Source,
		&r.SubmittedBy, &r.Traceparent,
	} {
		*text = string(next())
	}
	for _, id := range []*uuid.UUID{
		&r.ID, &r.Corrects, &r.Correlation, &r.Causation, &r.AppendGroup,
	} {
		copy(id[:], next())
	}
	for _, at := range []*time.Time{
		&r.EffectiveAt, &r.EnteredAt, &r.RecordedAt, &r.SourceRecordedAt,
	} {
		*at = micros(next())
	}
	r.SourceLine, r.Version = integer(next()), integer(next())
	r.Ends = bytes.Equal(next(), []byte{1})
	r.Schema = int(integer(next()))
	copy(r.Fingerprint[:], next())
	r.Data = append(bytes.Clone(next()), body...)
	if !bytes.Equal(r.Leaf(), leaf) {
		return r, fmt.Errorf("%w: it is not that of its event", ErrLeaf)
	}
	return r, nil
}

// integer reads a number of a leaf; zero for a field of another size.
func integer(b []byte) int64 {
	if len(b) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}
