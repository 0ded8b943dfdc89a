package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// An Entry is one line of a history. Exactly one of its pointers is set.
type Entry struct {
	At     int64   `json:"at"` // nanoseconds since the run began
	Run    *Run    `json:"run,omitempty"`
	Invoke *Invoke `json:"invoke,omitempty"`
	Return *Return `json:"return,omitempty"`
	Fault  *Struck `json:"fault,omitempty"`
	Fed    *Seen   `json:"fed,omitempty"`
	Logged *Seen   `json:"logged,omitempty"`
}

// A Run says what was run. It is the first entry.
type Run struct {
	Store   string `json:"store"`
	Stack   string `json:"stack"`
	Seed    uint64 `json:"seed"`
	Writers int    `json:"writers"`
	Clients int    `json:"clients"`
	Kills   int    `json:"kills"`
	Owned   bool   `json:"owned"` // a part of the log has one owner at a time, who loses it when it stands still (Kafka)
}

// An Invoke is the beginning of one attempt at an operation.
type Invoke struct {
	Request
	Client int    `json:"client"`
	Writer string `json:"writer"`           // address#how many processes it has had
	Behind bool   `json:"behind,omitempty"` // that process stands still, or did: see Rules
}

// A Request is what a writer is asked.
type Request struct {
	Op       int         `json:"op"` // from 1; each attempt has its own
	Kind     Kind        `json:"kind"`
	Stream   string      `json:"stream"`
	Expected int64       `json:"expected,omitempty"` // of an append
	IDs      []uuid.UUID `json:"ids,omitempty"`      // of the batch, or the one to find; the id gives the content (see event)
}

// An Outcome says how an attempt ended.
type Outcome string

// Of these Unknown and Damaged leave open whether an append is recorded. One that never returned is the same.
const (
	OK        Outcome = "ok"
	Conflict  Outcome = "conflict"  // *contract.ConflictError
	Fenced    Outcome = "fenced"    // contract.ErrFenced, and it is known that nothing was recorded
	Elsewhere Outcome = "elsewhere" // *contract.NotOwnerError
	Absent    Outcome = "absent"    // contract.ErrNotFound
	Unknown   Outcome = "unknown"
	Refused   Outcome = "refused" // for a reason that there was none for
	Damaged   Outcome = "damaged" // *contract.DamagedError, *contract.OffloadError
)

// A Return is the end of an attempt.
type Return struct {
	Op       int                `json:"op"`
	Outcome  Outcome            `json:"outcome"`
	Receipts []contract.Receipt `json:"receipts,omitempty"` // of an append
	Actual   int64              `json:"actual,omitempty"`   // of a conflict
	Owner    string             `json:"owner,omitempty"`    // of what is elsewhere
	Events   []Seen             `json:"events,omitempty"`   // of a read, or the one that was found
	Error    string             `json:"error,omitempty"`
}

// Seen is an event as somebody read it.
type Seen struct {
	ID         uuid.UUID         `json:"id"`
	Stream     string            `json:"stream,omitempty"` // left out in a read of one
	Version    int64             `json:"version"`
	RecordedAt time.Time         `json:"recorded_at,omitzero"`
	Position   contract.Position `json:"position,omitzero"`
	Altered    bool              `json:"altered,omitempty"` // its content is not what was sent
}

// Struck is what the nemesis did. Woken is SIGCONT to a process that was stalled, or that was replaced.
type Struck struct {
	Blow  Blow   `json:"blow"`
	To    string `json:"to,omitempty"`
	Woken bool   `json:"woken,omitempty"`
}

// A History takes down entries as they come. It is safe for concurrent use.
type History struct {
	began time.Time

	mu      sync.Mutex
	entries []Entry
	ops     int
}

// NewHistory begins one.
func NewHistory(run Run) *History {
	return &History{began: time.Now(), entries: []Entry{{Run: &run}}}
}

// invoke takes down the beginning of an attempt, and gives it its number. It is called BEFORE the request is sent.
func (h *History) invoke(i Invoke) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops++
	i.Op = h.ops
	h.entries = append(h.entries, Entry{At: h.now(), Invoke: &i})
	return i.Op
}

// add takes down anything else, AFTER it was seen.
func (h *History) add(e Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.At = h.now()
	h.entries = append(h.entries, e)
}

// now never gives the same time twice, so that what follows another is never taken for its contemporary. The lock is held.
func (h *History) now() int64 {
	return max(int64(time.Since(h.began)), h.entries[len(h.entries)-1].At+1)
}

// Entries is what was taken down until now.
func (h *History) Entries() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Entry(nil), h.entries...)
}

// WriteHistory writes JSON Lines.
func WriteHistory(w io.Writer, entries []Entry) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return out.Flush()
}

// ReadHistory reads what WriteHistory writes. A line that is none is an error with its number.
func ReadHistory(r io.Reader) ([]Entry, error) {
	dec := json.NewDecoder(r)
	var entries []Entry
	for {
		var e Entry
		switch err := dec.Decode(&e); {
		case err == io.EOF && len(entries) > 0 && entries[0].Run != nil:
			return entries, nil
		case err == io.EOF:
			return nil, fmt.Errorf("line 1 does not say what was run")
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
	}
}
