// Package reconcile compares two records of the same facts, and keeps each difference, a break,
// until it is resolved.
//
//	job          ours                         theirs
//	archive      the log                      the locked archive under its checkpoint
//	heads        the log                      the heads, the index, or the rows of the database
//	model        a replay of the log          the read model
//	follow-ups   the causes on record         the events that they ask for
//	pending      the commands on record       the approvals that they wait for
//	file:NAME    the trades with NAME         a file of confirmations from NAME
//
// # The life of a break
//
// The id of a break is the digest of its content, so a run that finds it again opens nothing. Each
// step is an event on the stream break/<id>:
//
//	break.opened    a run found it, and it is not open or accepted yet
//	break.assigned  somebody shall look into it
//	break.resolved  a person accepted it (it is not opened again), or a run found that it vanished
//
// A break with other values is another break: the run closes the earlier one as vanished. A run
// closes only a break that it looked at: not one of a field that its file lacks, of a row that one
// side lacks, or any after a fault that ended the job.
//
// # A crash
//
// A run appends one event after the other. A run that ended early has opened some of its breaks;
// the next run opens the others.
package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
)

// A Row is one fact of one side: its key, and its compared fields with canonical values.
type Row struct {
	Key    string
	Fields []Field
}

// A Field is a named value. A row without the field has the empty value.
type Field struct{ Name, Value string }

func (r Row) value(name string) string {
	for _, f := range r.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// A Difference is one field in which two sides differ. An empty value is none.
type Difference struct {
	Job    string `json:"job"`
	Key    string `json:"key"`
	Field  string `json:"field"`
	Ours   string `json:"ours"`
	Theirs string `json:"theirs"`
}

// Fields of a difference that is not about a value.
const (
	Missing = "row"   // only one side has the key
	Twice   = "twice" // one side has the key again
	Fault   = "fault" // the job ended here, and did not look at the rest
)

// ID returns the id of the break that the difference is: 16 hexadecimal digits of SHA-256 over its
// fields as a JSON array. The digest cannot be taken for that of other fields joined differently.
func (d Difference) ID() string {
	text, err := json.Marshal([]string{d.Job, d.Key, d.Field, d.Ours, d.Theirs})
	if err != nil {
		panic(err) // strings are always JSON
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:8])
}

// A side is one of two iterators, with the row that comes next.
type side struct {
	next func() (Row, error, bool)
	row  Row
	ok   bool
}

// advance reads the next row. It reports whether that row has the key of the one before it, and
// refuses an order in which a row could be missed.
func (s *side) advance() (again bool, err error) {
	before, had := s.row, s.ok
	s.row, err, s.ok = s.next()
	if err != nil || !s.ok || !had {
		return false, err
	}
	if s.row.Key < before.Key {
		return false, fmt.Errorf("key %q comes after key %q: rows must be in order of their keys",
			s.row.Key, before.Key)
	}
	return s.row.Key == before.Key, nil
}

// Compare yields each difference between two sides, whose rows are in order of their keys. It holds
// one row of each side. An error of a side ends it.
func Compare(job string, ours, theirs iter.Seq2[Row, error]) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		pair := pairOf(ours, theirs)
		defer pair.stop()
		for {
			found, more, err := pair.step()
			if err != nil {
				yield(Difference{}, err)
				return
			}
			for _, d := range found {
				d.Job = job
				if !yield(d, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

type pair struct {
	ours, theirs side
	begun        bool
	stop         func()
}

func pairOf(ours, theirs iter.Seq2[Row, error]) *pair {
	nextOurs, stopOurs := iter.Pull2(ours)
	nextTheirs, stopTheirs := iter.Pull2(theirs)
	return &pair{ours: side{next: nextOurs}, theirs: side{next: nextTheirs},
		stop: func() { stopOurs(); stopTheirs() }}
}

// step compares the rows at hand and reads on. more is false after the last row of both sides.
func (p *pair) step() (found []Difference, more bool, err error) {
	advanceOurs, advanceTheirs := !p.begun, !p.begun
	if p.begun {
		order := p.order()
		advanceOurs, advanceTheirs = order <= 0, order >= 0
		found = p.differences(order)
	}
	p.begun = true
	if advanceOurs {
		found, err = p.ours.skip(found, Difference{Field: Twice, Ours: "again"})
	}
	if advanceTheirs && err == nil {
		found, err = p.theirs.skip(found, Difference{Field: Twice, Theirs: "again"})
	}
	return found, p.ours.ok || p.theirs.ok, err
}

// skip advances to the next key, and adds a difference if the present one came again.
func (s *side) skip(found []Difference, twice Difference) ([]Difference, error) {
	for first := true; ; first = false {
		again, err := s.advance()
		if err != nil || !again {
			return found, err
		}
		if twice.Key = s.row.Key; first {
			found = append(found, twice)
		}
	}
}

// order tells which side has the smaller key.
func (p *pair) order() int {
	switch {
	case !p.theirs.ok:
		return -1
	case !p.ours.ok:
		return 1
	}
	return cmp.Compare(p.ours.row.Key, p.theirs.row.Key)
}

func (p *pair) differences(order int) (found []Difference) {
	ours, theirs := p.ours.row, p.theirs.row
	switch {
	case order < 0:
		return []Difference{{Key: ours.Key, Field: Missing, Ours: "present"}}
	case order > 0:
		return []Difference{{Key: theirs.Key, Field: Missing, Theirs: "present"}}
	}
	for _, f := range slices.Concat(ours.Fields, theirs.Fields) {
		d := Difference{Key: ours.Key, Field: f.Name, Ours: ours.value(f.Name),
			Theirs: theirs.value(f.Name)}
		if d.Ours != d.Theirs && !slices.Contains(found, d) {
			found = append(found, d)
		}
	}
	return found
}
