// Package vault keeps personal data: names and contacts of people.
//
// The data of a person is in the stream party/<id> and nowhere else; all other streams have the id
// alone. Each field is encrypted with the key of its party by AES-SIV (RFC 5297). The ciphertext is
// in the log, so it is under checkpoints, in proofs, in extracts and in the archive. The keys are
// in a store of their own, wrapped by a master key that is in neither. Destroying the key makes
// every copy of the ciphertext unreadable, and changes no byte of the log: all digests and proofs
// stay as they are.
//
// The log decides who is erased. The vault destroys the key of a party whose stream has
// party.erased, whenever it is opened and whenever it is asked: a store of keys that was restored
// from an old backup brings nobody back.
//
//	the process dies                        then
//	after a key is kept, before its event   an unused key; the next record uses it
//	after party.erased, before the key goes the next use of the vault destroys the key
//	after party.unmasked, before the answer the event says that the data was asked for
package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Vault records, shows and erases parties.
type Vault struct {
	log    contract.Store
	codec  *domain.Codec
	keys   Keys
	master Master
}

// Open applies the erasures of the log to the keys, BEFORE anybody can ask.
func Open(
	ctx context.Context, log contract.Store, codec *domain.Codec, keys Keys, master Master,
) (*Vault, error) {
	v := &Vault{log, codec, keys, master}
	parties, err := keys.Parties(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range parties {
		if _, err := v.Party(ctx, id); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Party returns the state of a party, which is empty if nothing is on record. It destroys the key
// of an erased party.
func (v *Vault) Party(ctx context.Context, id string) (Party, error) {
	p, err := Fold(id, v.log.Stream(ctx, Stream(id)))
	if err == nil && p.Erased {
		err = v.keys.Delete(ctx, id)
	}
	return p, err
}

// Record puts fields of a party on record. The same entry again is the same event.
func (v *Vault) Record(
	ctx context.Context, entry domain.Entry, id string, fields map[string]string,
) error {
	if err := Check(id, fields); err != nil {
		return err
	}
	p, err := v.known(ctx, id, true)
	if err != nil {
		return err
	}
	key, err := v.key(ctx, p)
	if err != nil {
		return err
	}
	event, body := trade.EventID(entry.CommandID, 0), Recorded{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		sealed, err := seal(key, Stream(id), event, name, fields[name])
		if err != nil {
			return err
		}
		body.Fields = append(body.Fields, Sealed{name, sealed})
	}
	return v.append(ctx, id, p.Version, entry, body, false)
}

// known returns a party that is not erased. Unless new, it is on record.
func (v *Vault) known(ctx context.Context, id string, new bool) (Party, error) {
	p, err := v.Party(ctx, id)
	switch {
	case err != nil:
		return p, err
	case p.Erased:
		return p, fmt.Errorf("party %s: %w, since %s", id, ErrErased,
			p.Changed.Format(time.RFC3339))
	case p.Version == 0 && !new:
		return p, fmt.Errorf("party %s: %w", id, ErrNoParty)
	}
	return p, nil
}

// A LostKeyError is a party on record whose key is in no store: nobody erased it.
type LostKeyError struct{ Party string }

func (e *LostKeyError) Error() string {
	return fmt.Sprintf("the key of %s is lost: its fields are on record, and it is not erased",
		e.Party)
}

// Is reports that a lost key is no key.
func (e *LostKeyError) Is(target error) bool { return target == ErrNoKey }

// Hint says what to do.
func (e *LostKeyError) Hint() string {
	return "restore the backup of the schema of keys"
}

// key returns the key of a party, which is made for a party without a field on record. A second key
// would hide that the first one is lost.
func (v *Vault) key(ctx context.Context, p Party) ([]byte, error) {
	id := p.ID
	w, err := v.keys.Get(ctx, id)
	if errors.Is(err, ErrNoKey) && len(p.fields) > 0 {
		return nil, &LostKeyError{id}
	}
	if errors.Is(err, ErrNoKey) {
		fresh, wrapErr := v.master.Wrap(ctx, id, NewKey())
		if wrapErr != nil {
			return nil, wrapErr
		}
		// BEFORE the event that it encrypts.
		w, err = v.keys.Put(ctx, id, Wrapped{v.master.ID(), fresh})
	}
	if err != nil {
		return nil, err
	}
	return v.unwrap(ctx, id, w)
}

// A MasterError is a key that another master key wraps.
type MasterError struct{ Party, Has, Want string }

func (e *MasterError) Error() string {
	return fmt.Sprintf("the master key %s is not the one that wraps the key of %s: %s",
		e.Has, e.Party, e.Want)
}

// Hint says what to do.
func (e *MasterError) Hint() string { return "name the master key that the last rotation chose" }

func (v *Vault) unwrap(ctx context.Context, id string, w Wrapped) ([]byte, error) {
	if w.Master != v.master.ID() {
		return nil, &MasterError{id, v.master.ID(), w.Master}
	}
	return v.master.Unwrap(ctx, id, w.Key)
}

func (v *Vault) append(
	ctx context.Context, id string, at int64, entry domain.Entry, body domain.Body, ends bool,
) error {
	e, err := v.codec.Event(ctx, Stream(id), 0, entry, body)
	if err != nil {
		return err
	}
	e.Ends = ends
	_, err = v.log.Append(ctx, e.Stream, at, e)
	return err
}

// A Field is a field of a party. Its text is empty where it is masked.
type Field struct {
	Name     string    `json:"field"`
	Text     string    `json:"text,omitempty"`
	Recorded time.Time `json:"recorded_at"`
	Event    string    `json:"event"`
}

// Masked returns the fields of a party without their texts.
func (p Party) Masked() (all []Field) {
	for _, name := range p.Fields() {
		f := p.fields[name]
		all = append(all, Field{Name: name, Recorded: f.recorded, Event: f.event.String()})
	}
	return all
}

// Unmask returns the fields with their texts. The reading is on record BEFORE it happens.
func (v *Vault) Unmask(ctx context.Context, entry domain.Entry, id string) ([]Field, error) {
	p, err := v.known(ctx, id, false)
	if err != nil {
		return nil, err
	}
	if len(p.fields) == 0 {
		return nil, fmt.Errorf("party %s: %w", id, ErrNoParty)
	}
	key, err := v.key(ctx, p)
	if err != nil {
		return nil, err
	}
	err = v.append(ctx, id, contract.Any, entry, Unmasked{p.Fields()}, false)
	if err != nil {
		return nil, err
	}
	all := p.Masked()
	for i, name := range p.Fields() {
		f := p.fields[name]
		all[i].Text, err = unseal(key, Stream(id), f.event, name, f.ciphertext)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Erase puts the erasure of a party on record, and AFTER that destroys its key. It asks for the
// verdict once the party is known. A verdict against the erasure is on record as well, and is a
// *KeptError. Nothing is recorded for a party that is erased.
func (v *Vault) Erase(
	ctx context.Context, entry domain.Entry, id string,
	ask func(context.Context) (Verdict, error),
) error {
	p, err := v.known(ctx, id, false)
	if err != nil {
		return err
	}
	says, err := ask(ctx)
	if err != nil {
		return err
	}
	if !says.Allowed {
		kept := Kept{Rule: says.Rule, Detail: says.Detail, Until: says.Until, Policy: says.Policy}
		if err := v.append(ctx, id, contract.Any, entry, kept, false); err != nil {
			return err
		}
		return &KeptError{id, says}
	}
	erased := Erased{Rule: says.Rule + ": " + says.Detail, Policy: says.Policy}
	if err := v.append(ctx, id, p.Version, entry, erased, true); err != nil {
		return err
	}
	// A crash here leaves the key of a party that the log has erased. See Party.
	return v.keys.Delete(ctx, id)
}

// Rotate wraps every key with another master key, in one step. The keys of erased parties are gone
// and do not return. When the old master key is destroyed, every older copy of the wrapped keys is
// unreadable: those in backups, in write-ahead logs and in dead rows of the table.
func (v *Vault) Rotate(ctx context.Context, to Master) (count int, err error) {
	err = v.keys.Rewrap(ctx, func(party string, w Wrapped) (Wrapped, error) {
		if w.Master == to.ID() {
			return w, nil // a crash after the step: the answer was lost
		}
		key, err := v.unwrap(ctx, party, w)
		if err != nil {
			return w, err
		}
		count++
		next, err := to.Wrap(ctx, party, key)
		return Wrapped{to.ID(), next}, err
	})
	if err == nil {
		v.master = to
	}
	return count, err
}
