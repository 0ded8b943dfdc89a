package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// A transfer moves money between two ledgers, whose streams may be in two partitions. So it is two
// appends, and each half is an entry that names the stream of the other one:
//
//	                              on record         the same command, sent again
//	a crash before the first half nothing           begins
//	a crash after it              the first half    posts the second half
//	the second half is refused    the first half    takes the first half back
//	a crash before it is back     the first half    takes the first half back
//	the first half is reversed    the reversal      refuses the second half
//	by hand after a crash
//
// Until then the transfer hangs, and Transfers names it.

// Suffixes of the names that follow from those of a transfer.
const (
	toID   = "/to"   // of the command of the second half
	backID = "/back" // of the command that takes the first half back
	undoes = "-back" // of the entry that does
)

func (r TransferEntry) reads(s *State, at time.Time) []string {
	return posting(s, at, r.Lines, r.Entry)
}

func (r TransferEntry) decide(d *decision) {
	d.checkID("the other ledger", r.To)
	// The second half and the reversal have names of their own, which must fit.
	d.checkID("the entry that would take the first half back", r.Entry+undoes)
	if id := d.Command.ID + backID; !trade.CommandIDs.Has(id) {
		d.refuse(BadCommand, "the command id of a transfer is too long: %q would take it back, "+
			"want %s", id, trade.CommandIDs.Want)
	}
	if r.To == d.State.Ledger {
		d.refuse(BadCommand, "a transfer from ledger %s to itself: post one entry", r.To)
	}
	if r.Lines == nil {
		r.Lines = []Line{} // nil posts a draft
	}
	PostEntry{Entry: r.Entry, Description: r.Description, Lines: r.Lines,
		OtherHalf: JournalStream(r.To, r.Entry)}.decide(d)
}

// secondHalf posts the other half of a transfer whose first half is on record. If the other ledger
// refuses it, it takes the first half back.
func (d *Desk) secondHalf(
	ctx context.Context, cmd Command, t TransferEntry, first Outcome,
) (Outcome, error) {
	cmd.Correlation = cmp.Or(cmd.Correlation, trade.EventID(cmd.ID, 0))
	cmd.Cause = trade.EventID(cmd.ID, 0)
	if first.Again { // perhaps entered at another time: both halves have the time of the first
		r, err := d.Log.Find(ctx, cmd.Cause)
		if err != nil {
			return Outcome{}, err
		}
		cmd.EnteredAt = r.EnteredAt
	}
	in := cmd
	in.ID, in.Ledger = cmd.ID+toID, t.To
	if t.ToLines == nil {
		t.ToLines = []Line{}
	}
	in.Do = PostEntry{Entry: t.Entry, Description: t.Description, Lines: t.ToLines,
		OtherHalf: JournalStream(cmd.Ledger, t.Entry)}
	if off, err := d.isOff(ctx, cmd.Ledger, in, first); off != nil || err != nil {
		return Outcome{Refusal: off}, err
	}
	second, err := d.one(ctx, in)
	if err != nil || second.Refusal == nil {
		second.Again = second.Again && first.Again
		return second, err
	}
	back := cmd
	back.ID, back.Do = cmd.ID+backID, ReverseEntry{Entry: t.Entry, By: t.Entry + undoes}
	undone, err := d.one(ctx, back)
	if err == nil && undone.Refusal != nil && undone.Refusal.Rule != AlreadyReversed {
		second.Refusal.Detail += fmt.Sprintf("; the first half hangs, since its reversal was "+
			"refused: %s", undone.Refusal.Detail)
	}
	return second, err
}

// isOff refuses the second half of a transfer whose first half was reversed meanwhile, and puts
// that on record. A first half that is reversed after this look hangs: Transfers names it.
func (d *Desk) isOff(ctx context.Context, from string, in Command, first Outcome) (
	*trade.Refusal, error) {
	if !first.Again {
		return nil, nil
	}
	if _, found, err := d.recorded(ctx, in); found || err != nil {
		return nil, err
	}
	name, s := in.Subject(), NewState(from, d.Zone)
	err := d.loadStream(ctx, s, JournalStream(from, name))
	by := s.Entries[name].ReversedBy
	if by == "" || err != nil {
		return nil, err
	}
	off := &trade.Refusal{Rule: AlreadyReversed, Detail: fmt.Sprintf("the first half of the "+
		"transfer, entry %s of ledger %s, was reversed by %s", name, from, by)}
	return off, d.refuse(ctx, in, off)
}

// Transfers folds the facts of all ledgers, and finds the halves that hang. The streams may come in
// any order.
type Transfers struct {
	other    map[string]string // the stream of the other half, by that of each half
	since    map[string]time.Time
	reversed map[string]bool
}

// A Hanging transfer has one half without the other.
type Hanging struct {
	Half  string    // the stream of the entry that is on record
	Other string    // the stream of its other half
	Since time.Time // recorded
	Why   string
}

// NewTransfers returns the transfers of no facts.
func NewTransfers() *Transfers {
	return &Transfers{map[string]string{}, map[string]time.Time{}, map[string]bool{}}
}

// Take takes the next fact of any ledger.
func (t *Transfers) Take(f Fact) {
	switch body := f.Body.(type) {
	case JournalEntryPosted:
		if body.OtherHalf != "" {
			t.other[f.Stream], t.since[f.Stream] = body.OtherHalf, f.RecordedAt
		}
	case JournalEntryReversed:
		t.reversed[f.Stream] = true
	}
}

// Hanging returns the halves that are in force and whose other half is not.
func (t *Transfers) Hanging() (all []Hanging) {
	for _, half := range slices.Sorted(maps.Keys(t.other)) {
		other := t.other[half]
		why := ""
		switch {
		case t.reversed[half]:
			continue
		case t.other[other] != half:
			why = "the other half is not on record: send the same command again; if it is " +
				"refused, reverse this half"
		case t.reversed[other]:
			why = "the other half was reversed: reverse this one, too"
		default:
			continue
		}
		all = append(all, Hanging{half, other, t.since[half], why})
	}
	return all
}
