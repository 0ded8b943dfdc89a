// Package oracle is a model, for tests, of the places that reports are sent to: a swap data
// repository of the CFTC, the reporting mechanism and ARIS of REMIT, and the approved reporting
// mechanism of MiFIR. It takes files, answers each record, and holds the state that it was told.
//
// The model knows the files and the rules of acceptance, and nothing of trades or of the way in
// which reports are made. So a report that it refuses, or a state that differs from the record, is
// an error on one side.
//
//	regime  key                    accepted
//	CFTC    UTI                    NEWT once; MODI, CORR, VALU and TERM of an open swap; MODI,
//	                               CORR, VALU and REVI of a terminated one; EROR of both; REVI
//	                               of an error
//	REMIT   UTI                    N once; M and C of an open contract; E of the last record,
//	                               which it repeats
//	MIFIR   transaction reference  NEWT once; CANC of a report that is not cancelled
//
// Sources: CFTC Technical Specification v3.2, appendix F; TRUM 4.7; RTS 22, Annex I, fields 1 and
// 2. Of REMIT, the rule that E repeats the last record is stricter than TRUM.
package oracle

import (
	"fmt"
	"maps"
	"slices"
)

// The states of a contract or transaction.
const (
	Open      = "open"
	Ended     = "ended"     // terminated, cancelled early
	Withdrawn = "withdrawn" // an error: it should not have been reported
)

// A State is all that the repository knows of a contract or transaction.
type State struct {
	Status string
	Terms  map[string]string // as in the last accepted record, by field number
}

// An Answer is the repository's word about one record of a file.
type Answer struct {
	Record int    // 1-based in its file
	Key    string // of the contract or transaction
	Code   string // empty for an accepted record
	Reason string
}

// Accepted reports whether the record counts.
func (a Answer) Accepted() bool { return a.Code == "" }

// The codes of refusals.
const (
	Duplicate = "duplicate"      // a new one that is known
	Unknown   = "unknown"        // a change of one that is not known
	Closed    = "closed"         // a change that the state forbids
	BadPair   = "bad-pair"       // an event that the action does not allow
	NotLast   = "not-the-record" // an error of a record that is not the last one
)

// A Repository holds the state of every regime.
type Repository struct {
	states map[[2]string]*State     // by regime and key
	stacks map[string][]remitRecord // by UTI: the records that were not withdrawn
}

// New returns an empty repository.
func New() *Repository {
	return &Repository{map[[2]string]*State{}, map[string][]remitRecord{}}
}

// Submit takes a file of a regime, and answers each record in order. The error is that of a file
// that cannot be read; then no record counts.
func (r *Repository) Submit(regime string, file []byte) ([]Answer, error) {
	submit, ok := map[string]func([]byte) ([]Answer, error){
		"CFTC": r.cftc, "REMIT": r.remit, "MIFIR": r.mifir,
	}[regime]
	if !ok {
		return nil, fmt.Errorf("oracle: no regime %q", regime)
	}
	if len(file) == 0 {
		return nil, nil
	}
	answers, err := submit(file)
	if err != nil {
		return nil, fmt.Errorf("oracle: %s: %w", regime, err)
	}
	return answers, nil
}

// State returns the state of a contract or transaction. ok is false for one that was never
// accepted.
func (r *Repository) State(regime, key string) (s State, ok bool) {
	if p := r.states[[2]string{regime, key}]; p != nil {
		return *p, true
	}
	return State{}, false
}

// Keys returns the keys of a regime, sorted.
func (r *Repository) Keys(regime string) (all []string) {
	for k := range maps.Keys(r.states) {
		if k[0] == regime {
			all = append(all, k[1])
		}
	}
	slices.Sort(all)
	return all
}

// put sets the state after an accepted record. Without terms, those of the last one stay.
func (r *Repository) put(regime, key, status string, terms map[string]string) {
	p := r.states[[2]string{regime, key}]
	if p == nil {
		p = &State{}
		r.states[[2]string{regime, key}] = p
	}
	if p.Status = status; terms != nil {
		p.Terms = terms
	}
}
