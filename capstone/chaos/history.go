package chaos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// An Entry is one line of a history. Exactly one of its fields besides At is set.
type Entry struct {
	At     int64         `json:"at"` // nanoseconds since the run began
	Run    *Run          `json:"run,omitempty"`
	Invoke *Invoke       `json:"invoke,omitempty"`
	Return *Return       `json:"return,omitempty"`
	Fault  *AppliedFault `json:"fault,omitempty"`
	Fed    *Seen         `json:"fed,omitempty"`
	Logged *Seen         `json:"logged,omitempty"`
	Folded string        `json:"folded,omitempty"` // the digest of a reader that read the whole log
	State  *State        `json:"state,omitempty"`
}

// A Run describes a run. It is the first entry.
type Run struct {
	Store   string `json:"store"`
	Stack   string `json:"stack"`
	Seed    uint64 `json:"seed"`
	Writers int    `json:"writers"`
	Clients int    `json:"clients"`
	Kills   int    `json:"kills"`
	Owned   bool   `json:"owned"` // a partition has one owner, which loses it when stalled (Kafka)
	// Services: the writers are services, which take commands. A command is one event, at any
	// version of its stream.
	Services bool `json:"services,omitempty"`
}

// An Invoke is the beginning of one attempt at an operation.
type Invoke struct {
	Request
	Client int    `json:"client"`
	Writer string `json:"writer"`           // address#number of the process there
	Stale  bool   `json:"behind,omitempty"` // the process is or was stopped: see Linearizable
}

// A Request asks a writer for one operation.
type Request struct {
	Op       int         `json:"op"` // from 1; each attempt has its own
	Kind     Kind        `json:"kind"`
	Stream   string      `json:"stream"`
	Expected int64       `json:"expected,omitempty"` // of an append
	IDs      []uuid.UUID `json:"ids,omitempty"`      // of the batch, or of the event to find
}

// An Outcome is the end of an attempt.
type Outcome string

// Outcomes. After Unknown and Damaged an append may be recorded or not. The same holds for an
// attempt that never returned.
const (
	OK        Outcome = "ok"
	Conflict  Outcome = "conflict"  // *contract.ConflictError
	Fenced    Outcome = "fenced"    // contract.ErrFenced, and certainly not recorded
	Elsewhere Outcome = "elsewhere" // *contract.NotOwnerError
	Absent    Outcome = "absent"    // contract.ErrNotFound
	Unknown   Outcome = "unknown"
	Refused   Outcome = "refused" // for a reason that the request does not have
	Damaged   Outcome = "damaged" // *contract.DamagedError, *contract.OffloadError
)

// A Return is the end of an attempt.
type Return struct {
	Op       int                `json:"op"`
	Outcome  Outcome            `json:"outcome"`
	Receipts []contract.Receipt `json:"receipts,omitempty"` // of an append
	Actual   int64              `json:"actual,omitempty"`   // of a conflict
	Owner    string             `json:"owner,omitempty"`    // of a partition that is elsewhere
	Events   []Seen             `json:"events,omitempty"`   // of a read, or the found event
	Error    string             `json:"error,omitempty"`
}

// Seen is an event as a reader saw it.
type Seen struct {
	ID         uuid.UUID         `json:"id"`
	Stream     string            `json:"stream,omitempty"` // empty in the read of one stream
	Version    int64             `json:"version"`
	RecordedAt time.Time         `json:"recorded_at,omitzero"`
	Position   contract.Position `json:"position,omitzero"`
	Altered    bool              `json:"altered,omitempty"` // the content is not the sent content
}

// An AppliedFault is a fault that the nemesis applied, or with Woken the SIGCONT to a process that
// was stalled or replaced.
type AppliedFault struct {
	Blow  Blow   `json:"blow"`
	To    string `json:"to,omitempty"`
	Woken bool   `json:"woken,omitempty"`
}

// A State is the answer of a service, after the last fault, to the question for its state.
type State struct {
	Writer string `json:"writer,omitempty"`
	Events int64  `json:"events"`
	Equal  bool   `json:"equal"`  // the read model is equal to a replay of the log
	Digest string `json:"digest"` // of the replay
}

// namespace is the namespace of the event ids of a seed.
var namespace = uuid.MustParse("6a1c1f0e-9d0f-4b7e-8f37-0c6f2f6d1b11")

// idOf returns the id of the nth event of a client.
func idOf(seed uint64, client, n int) uuid.UUID {
	return uuid.NewSHA1(namespace, fmt.Appendf(nil, "%d/%d/%d", seed, client, n))
}

// Event returns the event with an id. The id determines the content, so a request need not carry
// it, and any reader can tell whether it was altered. Some events are small, some take a page of a
// file.
func Event(stream string, id uuid.UUID) contract.Event {
	return contract.Event{
		ID: id, Stream: stream, Type: "trade.amended", Schema: 1,
		EffectiveAt: time.Date(2025, 3, 30, 12, 0, int(id[1]), 0, time.UTC),
		EnteredAt:   time.Date(2025, 3, 30, 12, 0, int(id[1]), 0, time.UTC), CommandID: id.String(),
		Actor: "desk-7", Reason: "chaos", Source: "blotter/chaos",
		Data: append([]byte{0, 0, 0, 0, 1}, bytes.Repeat(id[:], 1+int(id[2])*int(id[2])/256)...),
	}
}

// seen returns e as the history keeps it.
func seen(e contract.Recorded) Seen {
	return Seen{
		ID: e.ID, Stream: e.Stream, Version: e.Version, RecordedAt: e.RecordedAt,
		Position: e.Position,
		Altered:  e.ContentDigest() != Event(e.Stream, e.ID).ContentDigest(),
	}
}

// A History collects entries. It is safe for concurrent use.
type History struct {
	began time.Time

	mu      sync.Mutex
	entries []Entry
	ops     int
}

// NewHistory begins a history.
func NewHistory(run Run) *History {
	return &History{began: time.Now(), entries: []Entry{{Run: &run}}}
}

// invoke adds the beginning of an attempt, and returns its number. It is called BEFORE the request
// is sent.
func (h *History) invoke(i Invoke) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops++
	i.Op = h.ops
	h.entries = append(h.entries, Entry{At: h.now(), Invoke: &i})
	return i.Op
}

// add adds any other entry, AFTER it was seen.
func (h *History) add(e Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.At = h.now()
	h.entries = append(h.entries, e)
}

// now never returns the same time twice, so an entry never looks concurrent to the one before. The
// caller holds the lock.
func (h *History) now() int64 {
	return max(int64(time.Since(h.began)), h.entries[len(h.entries)-1].At+1)
}

// Entries returns all entries so far.
func (h *History) Entries() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Entry(nil), h.entries...)
}

// WriteHistory writes entries as JSON Lines.
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

// ReadHistory reads the output of WriteHistory. A line that is not an entry is an error with the
// number of the line.
func ReadHistory(r io.Reader) ([]Entry, error) {
	dec := json.NewDecoder(r)
	var entries []Entry
	for {
		var e Entry
		switch err := dec.Decode(&e); {
		case err == io.EOF && len(entries) > 0 && entries[0].Run != nil:
			return entries, nil
		case err == io.EOF:
			return nil, fmt.Errorf("line 1 does not describe a run")
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
	}
}
