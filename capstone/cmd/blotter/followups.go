package main

import (
	"fmt"
	"io"

	"github.com/google/uuid"

	"example.com/blotter/capstone"
)

// An apart is two contracts that do not fit together: a cause in one, and what it asks of the other, which is not on record.
type apart struct {
	Cause uuid.UUID `json:"cause"`
	UTI   string    `json:"uti"`
	Owed  string    `json:"owed"`
	Why   string    `json:"why"`
}

func apartOf(missing []capstone.OrphanedFollowUp) (all []apart) {
	for _, m := range missing {
		a := apart{m.Cause.ID, m.Command.UTI, "to begin", "not issued"}
		switch {
		case m.Command.Voids != uuid.Nil:
			a.Owed = "to be voided"
		case m.Command.Corrects != uuid.Nil:
			a.Owed = "to be restated"
		}
		if m.Refusal != nil {
			a.Why = m.Refusal.Error()
		}
		all = append(all, a)
	}
	return all
}

// showApart names them, if there are any.
func showApart(w io.Writer, all []apart) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "  apart from what they began from")
	rows := []string{"  contract\towed\twhy\tcause"}
	for _, a := range all {
		rows = append(rows, fmt.Sprintf("  %s\t%s\t%s\t%s", a.UTI, a.Owed, a.Why, a.Cause))
	}
	table(w, rows...)
}

// apartHint is how two contracts come together again.
const apartHint = "annul the cause, or mend the contract and then restate its cause, which restates the contract"

// together fails an import that leaves contracts apart.
func together(missing []capstone.OrphanedFollowUp) error {
	if len(missing) == 0 {
		return nil
	}
	return &failure{fmt.Sprintf("%s apart from what began it", plural(int64(len(missing)), "contract")), apartHint}
}
