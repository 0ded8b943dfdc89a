package projectiontest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// opening is the time at which the first event of a history is recorded. Events may be effective
// two months before.
var opening = time.Date(2025, 3, 3, 8, 0, 0, 0, time.UTC)

// History generates n events of many contracts and a few curves, in one or more partitions. It
// draws random commands, and records the results of trade.Decide. Follow-ups in other contracts
// come a little later. A few of the refusals are recorded, and snapshots are. From event 150 on,
// steps of confirmations are reported. The same arguments give the same history.
func History(seed uint64, n, partitions int) *Log {
	h := &historian{
		Rand: rand.New(rand.NewPCG(seed, 1)), log: newLog(partitions),
		streams: map[string][]trade.Event{}, utis: 12 + n/10,
	}
	for len(h.log.Events) < n {
		switch at := len(h.log.Events); {
		case at%100 == 60:
			h.takeSnapshot()
		case at%200 == 170:
			h.adopt()
		case at%100 == 80:
			h.skipEvent()
		case at > 150 && at%10 == 5 && h.confirmed < at:
			h.confirmed = at
			h.confirm(at / 10)
		default:
			h.decide(h.next())
		}
	}
	return h.log
}

// takeSnapshot records a snapshot, which changes no model.
func (h *historian) takeSnapshot() {
	body := trade.SnapshotTaken{
		Name: fmt.Sprintf("S-%d", len(h.log.Events)), RecordedThrough: h.now(),
		Cursor: []int64{int64(len(h.log.Events))},
	}
	cmd := trade.Command{
		ID: trade.SnapshotID(body.Name), EnteredAt: h.now(), Actor: "desk-7", Reason: "made up",
		Body: body,
	}
	h.record(trade.SnapshotStream, cmd, trade.Decision{EffectiveAt: h.now(), Body: body})
}

// confirm records the n-th report about the confirmation of one of the last contracts. It changes
// no contract. Some reports restate an earlier one.
func (h *historian) confirm(n int) {
	cmd := trade.Command{
		ID: fmt.Sprintf("F-%d", n), UTI: h.begun[max(0, len(h.begun)-1-n%2)], EnteredAt: h.now(),
		Actor: "desk-7", Reason: "made up",
	}
	reports := h.streams[trade.ConfirmationStream(cmd.UTI)]
	if len(reports) > 1 {
		cmd.Corrects = reports[0].ID
	}
	cmd.Body = report(h.streams[trade.TradeStream(cmd.UTI)], n)
	h.decide(cmd)
}

// adopt records that a history was adopted, which changes no model.
func (h *historian) adopt() {
	n := len(h.log.Events)
	body := trade.BackfillAdopted{
		File: "made-up.jsonl", Digest: [32]byte{byte(n), byte(n >> 8), byte(n >> 16)},
	}
	cmd := trade.Command{
		ID: trade.BackfillID(body.Digest), EnteredAt: h.now(), Actor: "desk-7",
		Approver: "control-1", Reason: "made up", Body: body,
	}
	h.record(trade.BackfillStream, cmd, trade.Decision{EffectiveAt: h.now(), Body: body})
}

// skipEvent records an illegal event in the stream of a contract, and then an event that skips it.
func (h *historian) skipEvent() {
	cmd := trade.Command{
		ID: fmt.Sprintf("I-%d", len(h.log.Events)), EnteredAt: h.now(), Actor: "intruder-9",
		Body: trade.Amend{Kind: trade.Update},
	}
	stream := trade.TradeStream(h.begun[0])
	unknown := trade.Decision{EffectiveAt: h.now(), Corrects: uuid.UUID{1}, Body: cmd.Body}
	illegal := h.record(stream, cmd, unknown)
	h.skip(stream, illegal)
}

// skip records an event that skips another one.
func (h *historian) skip(stream string, illegal trade.Event) {
	cmd := trade.Command{
		ID: trade.SkipID(illegal.ID), EnteredAt: h.now(), Actor: "desk-7", Approver: "control-1",
		Reason: "made up",
		Body: trade.EventSkipped{
			Version: illegal.Version, Event: illegal.ID, Rule: string(trade.UnknownEvent),
		},
	}
	h.record(stream, cmd, trade.Decision{EffectiveAt: h.now(), Body: cmd.Body})
}

type historian struct {
	*rand.Rand
	log      *Log
	streams  map[string][]trade.Event
	utis     int             // number of UTIs of new contracts
	begun    []string        // UTIs of contracts, successors included
	due      []trade.Command // follow-ups that are not decided yet
	commands int             // number of commands drawn

	confirmed int // number of events before the last report about a confirmation
}

func (h *historian) now() time.Time {
	return opening.Add(time.Duration(len(h.log.Events)) * (time.Minute + time.Microsecond))
}

// next returns a follow-up that is due, or draws a new command, which may be illegal.
func (h *historian) next() trade.Command {
	if len(h.due) > 0 && h.IntN(4) == 0 {
		cmd := h.due[0]
		h.due = h.due[1:]
		return cmd
	}
	h.commands++
	cmd := trade.Command{
		ID: fmt.Sprintf("C-%d", h.commands), EnteredAt: h.now(), EffectiveAt: h.effective(),
		Actor: "desk-7", Approver: "control-1", Reason: "made up",
	}
	if h.IntN(7) == 0 {
		return h.markCurve(cmd)
	}
	return h.changeContract(cmd)
}

// effective draws a time that is mostly past, sometimes the time of entry, and sometimes ahead.
func (h *historian) effective() time.Time {
	switch h.IntN(8) {
	case 0:
		return h.now().AddDate(0, 0, 1+h.IntN(40))
	case 1, 2:
		return time.Time{}
	}
	return opening.Add(-time.Duration(h.IntN(60*24)) * time.Hour)
}

// changeContract completes cmd so that it begins or changes a contract. A quarter of the changes
// restate an earlier event.
func (h *historian) changeContract(cmd trade.Command) trade.Command {
	cmd.UTI = h.uti()
	history := h.streams[cmd.Stream()]
	switch {
	case len(history) == 0:
		cmd.EffectiveAt = opening.Add(-time.Duration(h.IntN(60*24))*time.Hour).AddDate(0, -2, 0)
		cmd.Body = h.contract()
	case h.IntN(4) > 0:
		cmd.Body = h.change(h.fold(cmd.UTI))
		if c, _ := cmd.Body.(trade.Cancel); c.Kind == trade.Void {
			cmd.EffectiveAt = time.Time{} // the time of the NEW
		}
	default:
		legal, _ := trade.Legal(cmd.Stream(), history)
		wrong := legal[h.IntN(len(legal))]
		cmd.Corrects, cmd.Body = wrong.ID, h.restate(wrong.Body)
		if h.IntN(2) == 0 || wrong.Version == 1 {
			cmd.EffectiveAt = time.Time{} // the time of the event that it corrects
		}
	}
	return cmd
}

// uti draws the UTI of a contract that has begun, or of one that may begin.
func (h *historian) uti() string {
	if len(h.begun) > 0 && h.IntN(2) == 0 {
		return h.begun[h.IntN(len(h.begun))]
	}
	return fmt.Sprintf("UTI-%03d", h.IntN(h.utis))
}

func (h *historian) fold(uti string) trade.Trade {
	t, _ := trade.Fold(uti, h.streams[trade.TradeStream(uti)], trade.AsOf{})
	return t
}

// markCurve completes cmd so that it marks a curve. A quarter of the marks restate an earlier one.
func (h *historian) markCurve(cmd trade.Command) trade.Command {
	cmd.Body = h.prices()
	if marks := h.streams[cmd.Stream()]; len(marks) > 0 && h.IntN(4) == 0 {
		cmd.Corrects = marks[h.IntN(len(marks))].ID
	}
	return cmd
}

// decide records the outcome of cmd.
func (h *historian) decide(cmd trade.Command) {
	stream := cmd.Stream()
	d, err := trade.Decide(h.streams, cmd)
	var refused *trade.Refusal
	switch {
	case errors.As(err, &refused):
		if h.IntN(8) == 0 {
			refusal := trade.CommandRefused{
				CommandID: cmd.ID, Digest: cmd.Digest(),
				Rule: string(refused.Rule), Detail: refused.Detail,
			}
			decision := trade.Decision{EffectiveAt: cmd.EnteredAt, Body: refusal}
			h.record(cmd.RefusedStream(), cmd, decision)
		}
		return
	case err != nil:
		panic(err) // Decide returns no other error
	}
	e := h.record(stream, cmd, d)
	uti, isTrade := strings.CutPrefix(stream, trade.TradeStream(""))
	if !isTrade {
		return
	}
	if e.Version == 1 {
		h.begun = append(h.begun, uti)
	}
	h.due = append(h.due, trade.FollowUps(uti, h.streams[stream], e)...)
}

// record appends a decision to a stream.
func (h *historian) record(stream string, cmd trade.Command, d trade.Decision) trade.Event {
	e := trade.Event{
		ID: trade.EventID(cmd.ID, 0), Version: int64(len(h.streams[stream])) + 1,
		Corrects: d.Corrects, EffectiveAt: d.EffectiveAt, EnteredAt: cmd.EnteredAt.UTC(),
		RecordedAt: h.now(), Body: d.Body,
	}
	h.streams[stream] = append(h.streams[stream], e)
	payload, err := Codec{}.Encode(context.Background(), e.Body)
	if err != nil {
		panic(err) // every body is plain data
	}
	h.log.add(contract.Recorded{
		Event: contract.Event{
			ID: e.ID, Stream: stream, Type: payload.Type, Schema: payload.Schema,
			EffectiveAt: e.EffectiveAt, Corrects: e.Corrects,
			EnteredAt: e.EnteredAt, CommandID: cmd.ID,
			Actor: cmd.Actor, Approver: cmd.Approver, Reason: cmd.Reason,
			Causation: cmd.ContentID(), Source: "projectiontest", Data: payload.Data,
		},
		Version: e.Version, RecordedAt: e.RecordedAt,
	})
	return e
}
