package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Snapshots keep files that may be lost: an account without its snapshot is folded from its
// beginning.
type Snapshots interface {
	// Load returns the content of a file; nil without the file.
	Load(name string) ([]byte, error)
	// Save replaces a file. A crash leaves the old content or the new one.
	Save(name string, content []byte) error
}

// DefaultEvery is the number of events of an account after which its next snapshot is due.
const DefaultEvery = 1000

// A Snapshot is the state of an account after a prefix of its stream. It names the last event of
// the prefix, by its content. Its text is:
//
//	blotter account snapshot 1
//	SHA-256 of the third line, without its newline, in hexadecimal
//	the snapshot in JSON
//
// The checksum finds damage. It does not prove who wrote the file: protect the data folder. Reports
// read the entries, and no snapshot.
type Snapshot struct {
	Stream    string             `json:"stream"`
	Log       string             `json:"log,omitempty"` // see Desk.LogID
	Version   int64              `json:"version"`
	Event     uuid.UUID          `json:"event"`
	Digest    string             `json:"digest"` // content digest of the event
	Opened    AccountOpened      `json:"opened"`
	Status    Status             `json:"status"`
	Balance   trade.Decimal      `json:"balance"`
	Movements []snapshotMovement `json:"movements"` // of an account with a floor
}

type snapshotMovement struct {
	At     time.Time     `json:"at"`
	Amount trade.Decimal `json:"amount"`
}

// A SnapshotError is a snapshot that is not used. The whole stream is read in its place.
type SnapshotError struct{ Stream, Why string }

func (e *SnapshotError) Error() string {
	return fmt.Sprintf("the snapshot of %s %s; the whole stream is read", e.Stream, e.Why)
}

const snapshotFormat = "blotter account snapshot 1"

// SnapshotOf returns the snapshot of an account whose last event is last.
func SnapshotOf(a Account, last contract.Event) Snapshot {
	digest := last.ContentDigest()
	s := Snapshot{
		Stream: last.Stream, Version: a.Version, Event: last.ID,
		Digest: hex.EncodeToString(digest[:]), Opened: a.AccountOpened, Status: a.Status,
		Balance: a.Balance,
	}
	for _, m := range a.movement {
		s.Movements = append(s.Movements, snapshotMovement{m.at.UTC(), m.amount})
	}
	return s
}

// Account returns the state of the account.
func (s Snapshot) Account() Account {
	a := Account{AccountOpened: s.Opened, Status: s.Status, Version: s.Version,
		Balance: s.Balance, saved: s.Version}
	for _, m := range s.Movements {
		a.movement = append(a.movement, movement{m.At, m.Amount})
	}
	return a
}

// Text returns the text of s.
func (s Snapshot) Text() []byte {
	body, err := json.Marshal(s)
	if err != nil { // every field is plain data
		panic(fmt.Sprintf("ledger: a snapshot that does not marshal: %v", err))
	}
	return fmt.Appendf(nil, "%s\n%x\n%s\n", snapshotFormat, sha256.Sum256(body), body)
}

// ParseSnapshot reads the snapshot of a stream. The error is *SnapshotError.
func ParseSnapshot(stream string, text []byte) (s Snapshot, err error) {
	refuse := func(format string, args ...any) (Snapshot, error) {
		return Snapshot{}, &SnapshotError{stream, fmt.Sprintf(format, args...)}
	}
	format, rest, _ := strings.Cut(string(text), "\n")
	if format != snapshotFormat {
		return refuse("has the format %.60q, and this program reads %q", format, snapshotFormat)
	}
	sum, body, _ := strings.Cut(rest, "\n")
	body, whole := strings.CutSuffix(body, "\n")
	if !whole || sum != fmt.Sprintf("%x", sha256.Sum256([]byte(body))) {
		return refuse("is damaged: its content does not have its SHA-256")
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return refuse("is damaged: %v", err)
	}
	if s.Stream != stream || s.Version < 1 {
		return refuse("is that of version %d of %q", s.Version, s.Stream)
	}
	return s, nil
}

// SnapshotName returns the name of the file of a stream.
func SnapshotName(stream string) string {
	return fmt.Sprintf("%x.snapshot", sha256.Sum256([]byte(stream)))
}

// latest returns the snapshot of an account; nil without one that can be used.
func (d *Desk) latest(stream string) *Snapshot {
	if d.Snapshots == nil || !strings.HasPrefix(stream, accountStreams) {
		return nil
	}
	text, err := d.Snapshots.Load(SnapshotName(stream))
	if err != nil {
		d.warn(&SnapshotError{stream, "cannot be read: " + err.Error()})
	}
	if text == nil || err != nil {
		return nil
	}
	s, err := ParseSnapshot(stream, text)
	if err == nil && s.Log != d.LogID {
		err = &SnapshotError{stream, fmt.Sprintf("is of the log %q, and this one is %q", s.Log,
			d.LogID)}
	}
	if err != nil {
		d.warn(err)
		return nil
	}
	return &s
}

// endsWith reports whether r is the event that the snapshot ends with. Without it on record the
// snapshot is one of another history.
func (s *Snapshot) endsWith(r contract.Recorded) bool {
	digest := r.ContentDigest()
	return r.Version == s.Version && r.ID == s.Event && hex.EncodeToString(digest[:]) == s.Digest
}

// snapshot keeps the state of an account whose last event is last, if that is due: Every events
// after the last snapshot, and a tenth of the events before that one. A snapshot may have a
// movement of each event, and all snapshots together are then in proportion to the events.
//
// The events are on record BEFORE the snapshot is written. A crash between the two, and a snapshot
// that cannot be written, leave the snapshot before it or none. Then the next process reads more of
// the stream, and finds the same state.
func (d *Desk) snapshot(s *State, last contract.Event) {
	_, name, _ := Of(last.Stream)
	a := s.Accounts[name]
	every := d.Every
	if every == 0 {
		every = DefaultEvery
	}
	if d.Snapshots == nil || !strings.HasPrefix(last.Stream, accountStreams) ||
		a.Version-a.saved < max(every, a.saved/10) {
		return
	}
	now := SnapshotOf(a, last)
	now.Log = d.LogID
	if err := d.Snapshots.Save(SnapshotName(last.Stream), now.Text()); err != nil {
		d.warn(fmt.Errorf("the snapshot of %s cannot be written: %w", last.Stream, err))
	}
	a.saved = a.Version // also after a failure: the next one is due after as many events
	s.Accounts[name] = a
}

func (d *Desk) warn(err error) {
	if d.Warn != nil {
		d.Warn(err)
	}
}
