package trade

import "github.com/google/uuid"

// admit says who may do what to the contract as it is now, over all slots. What may stand in which slot is Evolve's
// affair.
func (l timeline) admit(now Trade, cmd Command) *Refusal {
	if now.Status == Voided {
		return refuse(IsVoided, "%s is voided, and nothing follows a void", now.UTI)
	}
	if _, ok := l.place[cmd.Voids]; !ok && cmd.Voids != uuid.Nil {
		return refuse(UnknownEvent, "%s did not begin with event %s: there is nothing of it to void", now.UTI, cmd.Voids)
	}
	if cmd.Corrects == uuid.Nil {
		if r := l.admitNew(now, cmd); r != nil {
			return r
		}
	} else if r := l.admitCorrection(now, cmd); r != nil {
		return r
	}
	return l.admitSuccessor(cmd)
}

func (l timeline) admitNew(now Trade, cmd Command) *Refusal {
	c, _ := cmd.Body.(Cancel)
	_, begins := cmd.Body.(New)
	switch {
	case now.Status == "":
		return nil // Evolve knows what may begin
	case begins:
		return refuse(AlreadyBegun, "%s is %s", now.UTI, now.Status)
	case c.Kind == Void && l.slots[0].By == FollowUpActor && cmd.Voids == uuid.Nil: // what that gave up, and the cash carried in, would be gone
		return refuse(ContinuesAnother, "%s continues %s: correct the event that began it there to quantity 0, and it is voided", now.UTI, now.PriorUTI)
	case c.Kind == Void:
		return nil
	}
	return now.live()
}

// admitCorrection holds corrections to what the rest of the log may rely on. A slot that begins a contract always
// does, whichever contract it names it goes on naming, and once annulled it stays so: the contract it began is
// voided by then, and nothing follows a void. A contract that continues another goes on doing so, or cash that was carried
// over from that one would vanish.
func (l timeline) admitCorrection(now Trade, cmd Command) *Refusal {
	stands := l.slots[l.place[cmd.Corrects]].Event
	began, wasNew := stands.Body.(New)
	restated, isNew := cmd.Body.(New)
	switch {
	case wasNew != isNew:
		return refuse(WrongKind, "a %s cannot become a %s: void the contract, and enter it anew", KindOf(stands.Body).Operation, KindOf(cmd.Body).Operation)
	case began.PriorUTI != "" && restated.PriorUTI == "": // whoever leaves it out has left out the value carried in, too
		return refuse(WrongKind, "%s continues %s, and the correction does not: restate prior_uti and carried_in as history shows them", now.UTI, began.PriorUTI)
	case successorOf(stands.Body) != successorOf(cmd.Body) || Begun(stands.Body) != Begun(cmd.Body):
		return refuse(WrongKind, "a correction cannot change which contract begins: restate it with quantity 0, and enter it anew")
	case Begun(stands.Body) != "" && annuls(stands):
		return refuse(WrongKind, "this %s is annulled, and %s with it: enter it anew", KindOf(stands.Body).Operation, Begun(stands.Body))
	case now.Status != Live && (cmd.Approver == "" || cmd.Approver == cmd.Actor):
		return refuse(NeedsApprover, "%s is %s: a correction needs an approver other than %q", now.UTI, now.Status, cmd.Actor)
	}
	return nil
}

// admitSuccessor keeps the contracts that began from this one together with it: none is orphaned by a void, and no two
// slots begin the same one. A void that follows from another contract goes on to them: see FollowUps.
func (l timeline) admitSuccessor(cmd Command) *Refusal {
	c, _ := cmd.Body.(Cancel)
	for i, s := range l.slots {
		next := Begun(s.Event.Body)
		if next == "" || cmd.Corrects != uuid.Nil && l.place[cmd.Corrects] == i {
			continue
		}
		if c.Kind == Void && cmd.Voids == uuid.Nil && !annuls(s.Event) {
			return refuse(HasFollowUps, "%s began from this contract: first correct version %d to quantity 0", next, s.Version)
		}
		if next == Begun(cmd.Body) {
			return refuse(BadTerms, "%s began with version %d already", next, s.Version)
		}
	}
	return nil
}
