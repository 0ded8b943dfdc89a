package vault

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

const streams = "party/"

// Stream returns the stream of a party.
func Stream(party string) string { return streams + party }

// Of returns the party of a stream, and whether it is the stream of one.
func Of(stream string) (party string, ok bool) { return strings.CutPrefix(stream, streams) }

// Recorded is the body of party.recorded: fields of a party, each encrypted.
type Recorded struct {
	Fields []Sealed `avro:"fields"`
}

// A Sealed field is readable only with the key of its party.
type Sealed struct {
	Name       string `avro:"name"`
	Ciphertext []byte `avro:"ciphertext"`
}

// Unmasked is the body of party.unmasked: the actor asked to read the fields, and the reason of the
// event says why.
type Unmasked struct {
	Fields []string `avro:"fields"`
}

// Erased is the body of party.erased. It ends the stream of the party.
type Erased struct {
	Rule   string `avro:"rule"`   // that allows the erasure, with the end of retention
	Policy string `avro:"policy"` // the digest of the policy that was applied
}

// Kept is the body of party.kept: an erasure that was refused.
type Kept struct {
	Rule   string    `avro:"rule"`
	Detail string    `avro:"detail"`
	Until  time.Time `avro:"until"` // the end of retention; zero under a hold, which has no end
	Policy string    `avro:"policy"`
}

// EventType implements domain.Body.
func (Recorded) EventType() string { return "party.recorded" }

// EventType implements domain.Body.
func (Unmasked) EventType() string { return "party.unmasked" }

// EventType implements domain.Body.
func (Erased) EventType() string { return "party.erased" }

// EventType implements domain.Body.
func (Kept) EventType() string { return "party.kept" }

// A Party is the state of a party stream. It has no text.
type Party struct {
	ID      string
	Version int64
	Erased  bool
	// Changed is when the party was last recorded, or erased.
	Changed time.Time
	fields  map[string]field
}

type field struct {
	event      uuid.UUID
	recorded   time.Time
	ciphertext []byte
}

// Fold returns the party of a stream. The latest event of a field counts.
func Fold(id string, events iter.Seq2[contract.Recorded, error]) (Party, error) {
	p := Party{ID: id, fields: map[string]field{}}
	for r, err := range events {
		if err != nil {
			return p, err
		}
		if err := p.apply(r); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *Party) apply(r contract.Recorded) error {
	p.Version = r.Version
	switch r.Type {
	case Recorded{}.EventType():
		body, err := domain.Decode[Recorded](r)
		if err != nil {
			return err
		}
		p.Changed = r.RecordedAt
		for _, f := range body.Fields {
			p.fields[f.Name] = field{r.ID, r.RecordedAt, f.Ciphertext}
		}
	case Erased{}.EventType():
		p.Erased, p.Changed = true, r.RecordedAt
	}
	return nil
}

// Fields returns the names of the fields, sorted.
func (p Party) Fields() []string { return slices.Sorted(maps.Keys(p.fields)) }

// A TextError is a field or a party that the vault does not take. It does not quote the text.
type TextError struct{ What, Want string }

func (e *TextError) Error() string { return e.What }

// Hint says what to do.
func (e *TextError) Hint() string { return e.Want }

// longest is the most bytes of the text of a field.
const longest = 1000

// Check refuses a party and fields that the vault does not take.
func Check(party string, fields map[string]string) error {
	if !trade.Principals.Has(party) {
		return &TextError{"the party is no identifier", "want " + trade.Principals.Want}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == "" || len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			return &TextError{"a field has no name that the vault takes",
				"a name has small letters and -, at most 40"}
		}
		text := fields[name]
		invisible := func(r rune) bool { return !trade.IsPrintable(r) }
		if text == "" || len(text) > longest || !utf8.ValidString(text) ||
			!trade.IsNormal(text) || strings.ContainsFunc(text, invisible) {
			return &TextError{"field " + name + " has no text that every reader sees as it is",
				fmt.Sprintf("want 1 to %d bytes of printable text in NFC", longest)}
		}
	}
	if fields != nil && len(fields) == 0 {
		return &TextError{"there is no field", "give lines like name=Ann Smith"}
	}
	return nil
}

// A Verdict is the answer to the question whether the data of a party may go.
type Verdict struct {
	Allowed      bool
	Rule, Detail string
	Until        time.Time // the end of retention, if that is the reason of a refusal
	Policy       string    // digest
}

// A KeptError is an erasure that was refused. The refusal is on record.
type KeptError struct {
	Party string
	Verdict
}

func (e *KeptError) Error() string {
	return fmt.Sprintf("the data of %s stays: %s (%s)", e.Party, e.Detail, e.Rule)
}

// Errors of the vault.
var (
	ErrNoParty = errors.New("there is no such party on record")
	ErrErased  = errors.New("the party is erased")
)
