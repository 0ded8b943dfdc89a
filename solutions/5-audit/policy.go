package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// ErrUnwitnessed is wrapped by the error for a checkpoint that has fewer cosignatures than a policy
// asks for.
var ErrUnwitnessed = errors.New("unwitnessed")

// A Policy says which witnesses must cosign a checkpoint (C2SP tlog-policy).
type Policy struct {
	Logs      []note.Verifier // may be empty: the log is then known otherwise
	Witnesses []Witness
	quorum    quorum
}

// A Witness is a witness of a policy.
type Witness struct {
	Name string        // within the policy
	Key  note.Verifier // of its cosignatures (C2SP tlog-cosignature)
	URL  string        // its submission prefix (C2SP tlog-witness); empty if it cannot be asked
}

// A quorum reports whether the witnesses with these names are enough.
type quorum func(cosigned map[string]bool) bool

// A Cosignature is the statement of a witness that a checkpoint was the last one of its log at a
// time.
type Cosignature struct {
	Witness string    `json:"witness"` // its name within the policy
	At      time.Time `json:"at"`
}

// Check returns the cosignatures of a signed checkpoint by witnesses of p. The error is
// ErrUnwitnessed if they are fewer than p asks for, and ErrCheckpoint if a signature is wrong or if
// key is of no log of p.
func (p *Policy) Check(signed []byte, key note.Verifier) ([]Cosignature, error) {
	if len(p.Logs) > 0 && !slices.ContainsFunc(p.Logs, func(log note.Verifier) bool {
		_, err := verifiersOf(key).Verifier(log.Name(), log.KeyHash())
		return err == nil
	}) {
		return nil, fmt.Errorf("%w: the policy has no log with the key %s", ErrCheckpoint,
			keyID(key))
	}
	var all []Cosignature
	cosigned, names := map[string]bool{}, []string{}
	for _, w := range p.Witnesses {
		at, err := w.cosignedAt(signed)
		if err != nil {
			return nil, fmt.Errorf("%w: witness %s: %w", ErrCheckpoint, w.Name, err)
		}
		if names = append(names, w.Name); at.IsZero() {
			continue
		}
		cosigned[w.Name] = true
		all = append(all, Cosignature{w.Name, at})
	}
	if !p.quorum(cosigned) {
		return all, fmt.Errorf("%w: it has the cosignatures of %d of the witnesses %s, "+
			"which is not a quorum of the policy", ErrUnwitnessed, len(all),
			strings.Join(names, ", "))
	}
	return all, nil
}

// at is cosignedAt for a note whose signatures were checked.
func (w Witness) at(signed []byte) time.Time {
	at, _ := w.cosignedAt(signed)
	return at
}

// cosignedAt returns the time at which w cosigned a note; the zero time if it did not.
func (w Witness) cosignedAt(signed []byte) (at time.Time, err error) {
	n, err := openNote(signed, w.Key)
	if unknown := new(note.UnverifiedNoteError); errors.As(err, &unknown) {
		return at, nil
	}
	if err == nil {
		at, err = cosignature.CoSigV1Timestamp(n.Sigs[0])
	}
	return at.UTC(), err
}

// ParsePolicy reads the text of a policy. It accepts nothing that C2SP tlog-policy forbids.
func ParsePolicy(text []byte) (*Policy, error) {
	p := policyText{
		names: map[string]quorum{}, member: map[string]bool{}, keys: map[string]bool{},
	}
	if !bytes.HasSuffix(text, []byte("\n")) && len(text) > 0 {
		return nil, errors.New("a policy ends with a newline")
	}
	for i, line := range strings.Split(string(text), "\n") {
		if at := strings.IndexFunc(line, isControl); at >= 0 {
			return nil, fmt.Errorf("policy line %d: a control character at byte %d", i+1, at+1)
		}
		items := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(items) == 0 || strings.HasPrefix(items[0], "#") {
			continue
		}
		if err := p.line(items[0], items[1:]); err != nil {
			return nil, fmt.Errorf("policy line %d: %w", i+1, err)
		}
	}
	if p.quorum == nil {
		return nil, errors.New("a policy has one line quorum, and this one has none")
	}
	return &p.Policy, nil
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// A policyText is a policy whose lines up to some line were read.
type policyText struct {
	Policy
	names  map[string]quorum // of witnesses and groups
	member map[string]bool   // the names that are in a group
	keys   map[string]bool   // the public keys of logs and of witnesses
}

func (p *policyText) line(kind string, items []string) error {
	switch n := len(items); {
	case kind == "log" && (n == 1 || n == 2):
		return p.log(items[0])
	case kind == "witness" && (n == 2 || n == 3):
		return p.witness(items[0], items[1], strings.Join(items[2:], ""))
	case kind == "group" && n >= 3:
		return p.group(items[0], items[1], items[2:])
	case kind == "quorum" && n == 1:
		return p.setQuorum(items[0])
	}
	return fmt.Errorf("want log KEY [URL], witness NAME KEY [URL], "+
		"group NAME all|any|NUMBER NAME..., or quorum NAME, and got %.40q", kind)
}

func (p *policyText) log(text string) error {
	key, err := note.NewVerifier(text)
	if err != nil {
		return fmt.Errorf("the key of a log, %q: %w", text, err)
	}
	p.Logs = append(p.Logs, key)
	return p.newKey("log", text)
}

func (p *policyText) witness(name, text, url string) error {
	key, err := cosignature.NewVerifierForCosignatureV1(text)
	if err == nil && !strings.HasPrefix(text, keyID(key)+"+") {
		err = errors.New("it is no key of cosignatures, or its hash is wrong")
	}
	if err != nil {
		return fmt.Errorf("the key of witness %s, %q: %w", name, text, err)
	}
	p.Witnesses = append(p.Witnesses, Witness{name, key, url})
	err = p.define(name, func(cosigned map[string]bool) bool { return cosigned[name] })
	return errors.Join(err, p.newKey("witness", text))
}

// newKey refuses the public key of an earlier line, under whatever name.
func (p *policyText) newKey(kind, text string) error {
	_, key, _ := strings.Cut(text[strings.Index(text, "+")+1:], "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil {
		return fmt.Errorf("the key %q: %w", text, err)
	}
	public := kind + string(raw[1:])
	if p.keys[public] {
		return fmt.Errorf("a %s before has the same public key", kind)
	}
	p.keys[public] = true
	return nil
}

func (p *policyText) define(name string, q quorum) error {
	if _, ok := p.names[name]; ok || name == "none" {
		return fmt.Errorf("the name %s is taken", name)
	}
	p.names[name] = q
	return nil
}

func (p *policyText) group(name, threshold string, members []string) error {
	var all []quorum
	for _, member := range members {
		q, ok := p.names[member]
		if !ok || p.member[member] {
			return fmt.Errorf("%s is not defined before, or is in a group already", member)
		}
		p.member[member] = true
		all = append(all, q)
	}
	k, err := strconv.Atoi(threshold)
	switch {
	case threshold == "any":
		k = 1
	case threshold == "all":
		k = len(members)
	case err != nil || k < 1 || k > len(members) || strconv.Itoa(k) != threshold:
		return fmt.Errorf("the threshold %q is not all, any, or a number from 1 to %d",
			threshold, len(members))
	}
	return p.define(name, func(cosigned map[string]bool) bool {
		found := 0
		for _, q := range all {
			if q(cosigned) {
				found++
			}
		}
		return found >= k
	})
}

func (p *policyText) setQuorum(name string) error {
	q, ok := p.names[name]
	if name == "none" {
		q, ok = func(map[string]bool) bool { return true }, true
	}
	switch {
	case p.quorum != nil:
		return errors.New("a policy has one line quorum, and this is the second")
	case !ok:
		return fmt.Errorf("%s is not defined before", name)
	}
	p.quorum = q
	return nil
}
