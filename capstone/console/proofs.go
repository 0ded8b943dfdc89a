package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	tlogproof "github.com/transparency-dev/formats/proof"
)

// Checked is the verdict on a proof.
type Checked struct {
	Checks      []Check // in the order in which they are made
	Witnesses   []Cosignature
	Unwitnessed string // why the cosignatures are no quorum; empty if they are, or none is asked
}

// check returns the check with a name. The zero Check was not made.
func (c Checked) check(name string) Check {
	i := slices.IndexFunc(c.Checks, func(o Check) bool { return o.Name == name })
	if i < 0 {
		return Check{}
	}
	return c.Checks[i]
}

// A Check is one check of a proof. It is not made after another one failed.
type Check struct {
	Name, Problem string
	Made          bool
}

// A Cosignature is the statement of a witness that it saw a checkpoint.
type Cosignature struct {
	Witness string
	At      time.Time
}

// Seen returns the time that the witness states.
func (c Cosignature) Seen() string { return stamp(c.At) }

// A proof says whether the last checkpoint covers an event.
type proof struct {
	Origin, Size string
	Index        uint64
	Problem      string // the reason why it does not
	Checked
}

// A prover proves the events of one page. It asks for the witnesses of a checkpoint once.
type prover struct {
	*Config
	checked map[string]Checked // by the note of the checkpoint
}

// proof returns the proof of an event; nil if the service proves nothing.
func (c prover) proof(ctx context.Context, id string) *proof {
	if c.Prove == nil {
		return nil
	}
	text, err := c.Prove(ctx, id)
	var p tlogproof.TLogProof
	if err == nil {
		p, err = c.Read(text)
	}
	if err != nil {
		return &proof{Problem: err.Error()}
	}
	note := string(p.Checkpoint)
	verdict, ok := c.checked[note]
	if !ok {
		if verdict, err = c.Check(ctx, text); err != nil {
			return &proof{Problem: err.Error()}
		}
		c.checked[note] = verdict
	}
	made := &proof{Index: p.Index, Checked: verdict}
	if lines := strings.SplitN(note, "\n", 3); len(lines) == 3 { // C2SP tlog-checkpoint
		made.Origin, made.Size = lines[0], lines[1]
	}
	return made
}

// A tampering is a proof beside a copy of which one byte was altered. Only the page has the copy.
type tampering struct {
	Event, Of string
	Byte      int
	Parts     []proofPart
	Was, Is   string // the bytes around the altered one; empty if none was asked
	Checks    []tamperedCheck
	Fails     string // the first check that fails for the copy; empty: none does
}

// A proofPart is a part of a proof that can be altered.
type proofPart struct {
	Name, Title string
	bytes       []byte
}

// Size returns the number of bytes.
func (p proofPart) Size() int { return len(p.bytes) }

// A tamperedCheck is a check of the proof, and the same check of the altered copy.
type tamperedCheck struct {
	Name        string
	Proof, Copy Check
}

// tamper alters one byte in a copy of a proof, and shows which check of the copy fails.
func tamper(c *Config, r *http.Request, p *page) error {
	id, err := uuid.Parse(p.Own.Get("event"))
	if err != nil || c.Prove == nil {
		return &Problem{Status: http.StatusNotFound,
			Detail: fmt.Sprintf("there is no proof of the event %q", p.Own.Get("event")),
			Hint:   "the page of a trade has a link at each proof"}
	}
	text, err := c.Prove(r.Context(), id.String())
	if err != nil {
		return &Problem{Status: http.StatusConflict, Detail: "not proven: " + err.Error()}
	}
	body := &tampering{Event: id.String(), Of: cmp.Or(p.Own.Get("of"), "event")}
	p.Body = body
	read, err := c.Read(text)
	if err != nil {
		return err
	}
	altered, err := body.alter(read, p.Own.Get("byte"))
	if err != nil {
		return err
	}
	proven, err := c.Check(r.Context(), text)
	if err != nil {
		return err
	}
	verdict, err := c.Check(r.Context(), altered)
	if err != nil {
		return err
	}
	body.compare(proven, verdict)
	return nil
}

// compare pairs the checks of a proof with those of its altered copy, by name: the policy of
// witnesses may change between the two.
func (t *tampering) compare(proven, altered Checked) {
	for _, check := range altered.Checks {
		t.Checks = append(t.Checks, tamperedCheck{check.Name, proven.check(check.Name), check})
		if check.Problem != "" && t.Fails == "" {
			t.Fails = check.Name
		}
	}
	for _, check := range proven.Checks {
		if other := altered.check(check.Name); other.Name == "" {
			t.Checks = append(t.Checks, tamperedCheck{check.Name, check, other})
		}
	}
}

// alter returns a copy of a proof with another last bit in one byte of a part. Without a byte it
// alters nothing, and proposes the one in the middle.
func (t *tampering) alter(p tlogproof.TLogProof, at string) ([]byte, error) {
	t.Parts = []proofPart{{"event", "the event", p.ExtraData},
		{"checkpoint", "the signed checkpoint", p.Checkpoint}}
	if len(p.Hashes) > 0 { // a tree of one leaf has none
		t.Parts = append(t.Parts, proofPart{"path", "the path to the root", p.Hashes[0][:]})
	}
	i := slices.IndexFunc(t.Parts, func(part proofPart) bool { return part.Name == t.Of })
	if i < 0 {
		return nil, &Problem{Status: http.StatusBadRequest,
			Detail: fmt.Sprintf("a proof has no part %q", t.Of), Hint: "name event or checkpoint"}
	}
	of := t.Parts[i].bytes
	t.Byte = len(of) / 2
	if at == "" {
		return p.Marshal(), nil
	}
	n, err := strconv.Atoi(at)
	if err != nil || n < 0 || n >= len(of) {
		return nil, &Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf(
			"byte %q: the part has the bytes 0 to %d", at, len(of)-1), Hint: "name one of them"}
	}
	around := of[max(0, n-12):min(len(of), n+13)]
	t.Byte, t.Was = n, fmt.Sprintf("%q", around)
	of[n] ^= 1
	t.Is = fmt.Sprintf("%q", around)
	return p.Marshal(), nil
}
