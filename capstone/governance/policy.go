package governance

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// A Policy says how long each class of record is kept. A record of several classes is kept for the
// longest.
type Policy struct {
	Classes []Class `json:"classes"`
	Persons Term    `json:"persons"` // after the last record that names one

	digest string
}

// A Class is a class of records.
type Class struct {
	Class string   `json:"class"`
	Types []string `json:"types"` // beginnings of event types; "" is every type
	// From is the event after which the years count: record, or end for the last event of a
	// contract that is no longer open.
	From string `json:"from"`
	Term
}

// A Term is a number of years, and the rule that requires it.
type Term struct {
	Years int    `json:"years"`
	Rule  string `json:"rule"`
}

//go:embed retention.json
var defaults []byte

// Default returns the policy that the program comes with.
func Default() Policy {
	p, err := ParsePolicy(defaults)
	if err != nil {
		panic(err) // the file is a part of the program
	}
	return p
}

// ParsePolicy reads a policy. Each record must be of some class.
func ParsePolicy(text []byte) (p Policy, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("the retention policy: %w", err)
	}
	if d.More() {
		return p, errors.New("the retention policy: there is text after its end")
	}
	if err := contract.CheckMembers(text); err != nil {
		return p, fmt.Errorf("the retention policy: %w", err)
	}
	sum, all := sha256.Sum256(text), false
	p.digest = hex.EncodeToString(sum[:])
	for i, c := range p.Classes {
		if c.Class == "" || len(c.Types) == 0 || !c.valid() ||
			c.From != "record" && c.From != "end" {
			return p, fmt.Errorf("the retention policy: class %d (%q): want a name, types, "+
				"from record or end, 0 to 100 years, and a rule", i+1, c.Class)
		}
		all = all || c.From == "record" && c.has("")
	}
	if !all || !p.Persons.valid() {
		return p, fmt.Errorf("the retention policy: want a class of every type (\"\") from its " +
			"record, and a term for persons")
	}
	return p, nil
}

func (t Term) valid() bool { return t.Years >= 0 && t.Years <= 100 && t.Rule != "" }

func (t Term) after(at time.Time) time.Time { return at.AddDate(t.Years, 0, 0) }

func (c Class) has(typ string) bool {
	for _, prefix := range c.Types {
		if strings.HasPrefix(typ, prefix) {
			return true
		}
	}
	return false
}

// Digest returns SHA-256 of the text of the policy, in hexadecimal.
func (p Policy) Digest() string { return p.digest }

// A Due is the end of the retention of a record, and the reason.
type Due struct {
	Class string    `json:"class"`
	Rule  string    `json:"rule"`
	At    time.Time `json:"due"`            // zero while Open
	Open  string    `json:"open,omitempty"` // the contract that has not ended
}

// later reports whether d ends after e.
func (d Due) later(e Due) bool {
	return e.Open == "" && (d.Open != "" || d.At.After(e.At))
}

// LockUntil returns the end of the retention of an event by the classes that count from its record.
// The end of a contract is not known when the event is sealed.
func (p Policy) LockUntil(typ string, recorded time.Time) (until time.Time) {
	for _, c := range p.Classes {
		if at := c.after(recorded); c.From == "record" && c.has(typ) && at.After(until) {
			until = at
		}
	}
	return until
}

// due returns the end of the retention of a record by each of its classes.
func (p Policy) due(r Record, f *Facts) (all []Due) {
	for _, c := range p.Classes {
		if c.has(r.Type) {
			all = append(all, c.due(r, f))
		}
	}
	return all
}

// duePerson returns the times until which a record needs the person that it names: the term of
// persons, and the classes that count from the end of the record's contract.
func (p Policy) duePerson(r Record, f *Facts) []Due {
	all := []Due{{Rule: p.Persons.Rule, At: p.Persons.after(r.At)}}
	for _, c := range p.Classes {
		if c.From == "end" && c.has(r.Type) {
			all = append(all, c.due(r, f))
		}
	}
	return all
}

func (c Class) due(r Record, f *Facts) Due {
	d := Due{Class: c.Class, Rule: c.Rule}
	if c.From == "record" {
		d.At = c.after(r.At)
	} else if k := f.contracts[r.Contract]; k != nil && k.ended.IsZero() {
		d.Open = r.Contract
	} else if k != nil {
		d.At = c.after(k.ended)
	}
	return d
}
