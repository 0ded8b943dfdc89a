package reporttest

import (
	"fmt"

	"example.com/blotter/labs/kit/trade"
)

// A Step is one command of a story.
type Step struct {
	At    string // when it is entered
	From  string // when it takes effect; empty if when it is entered
	UTI   string
	Body  trade.Body
	Wrong int // the 1-based step whose event the command corrects; 0 for none
}

// Play sends the commands of a story, and calls after with the 1-based number of each step.
func (d *Desk) Play(story []Step, after func(step int)) error {
	var events []trade.Event
	for i, s := range story {
		cmd := trade.Command{ID: fmt.Sprintf("step-%d", i+1), UTI: s.UTI, EnteredAt: At(s.At),
			Body: s.Body}
		if s.From != "" {
			cmd.EffectiveAt = At(s.From)
		}
		if s.Wrong > 0 {
			cmd.Corrects = events[s.Wrong-1].ID
		}
		e, err := d.Send(cmd)
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		events = append(events, e)
		after(i + 1)
	}
	return nil
}

// Story returns the lives of six contracts that a desk entered, and of those that began from them:
// every kind of event, in part and in full, late, corrected and voided.
func Story() []Step {
	amend := Amendment
	terminate := func(q string) trade.Cancel {
		return trade.Cancel{Kind: trade.Terminate, Quantity: MWh(q)}
	}
	novate := func(q, next string) trade.Novate {
		return trade.Novate{Role: trade.Remaining, Quantity: MWh(q), NewUTI: next, Incoming: "BETA"}
	}
	leave := novate("50", "X1")
	leave.Role = trade.Transferor
	exercise := func(q, next string) trade.Exercise {
		e := trade.Exercise{Quantity: MWh(q), UnderlyingPrice: trade.Dec("90"), NewUTI: next,
			Settlement: trade.Physical}
		if next == "" {
			e.Settlement = trade.Cash
		}
		return e
	}
	settle := func(q string) trade.Settle {
		return trade.Settle{Quantity: MWh(q), Price: trade.Dec("85")}
	}
	trader := trade.Amend{Kind: trade.Update, Trader: "ben"}
	void := trade.Cancel{Kind: trade.Void}
	sold := forward("DE-LU", "peak", "240", "95")
	sold.Side = trade.Sell
	return []Step{
		{"2025-01-02T09:00:00Z", "", "A", forward("DE-LU", "base", "100", "80"), 0},
		{"2025-01-02T10:00:00Z", "", "B", sold, 0},
		{"2025-01-03", "", "A", amend("82", ""), 0},
		{"2025-01-04", "", "A", amend("", "120"), 0},
		{"2025-01-05", "", "A", amend("83", "110"), 0},
		{"2025-01-06", "", "A", trader, 0},
		{"2025-01-07", "", "A", forward("DE-LU", "base", "105", "80"), 1}, // was 100
		{"2025-01-08", "", "A", amend("82.5", ""), 3},                     // was 82
		{"2025-01-09", "2025-01-03T12:00:00Z", "A", terminate("10"), 0},   // late
		{"2025-01-10", "", "A", novate("40", "A2"), 0},
		{"2025-01-11", "", "A", novate("30", "A2"), 10}, // was 40
		{"2025-01-12", "", "A2", amend("84", ""), 0},
		{"2025-01-13", "", "A2", amend("", "45"), 0},
		{"2025-01-14", "", "A", terminate("0"), 9}, // was 10: it did not happen
		{"2025-01-15", "", "B", terminate("40"), 0},
		{"2025-01-16", "", "B", leave, 0},
		{"2025-01-17", "", "B", amend("96", ""), 0},
		{"2025-01-18", "", "B", terminate("50"), 15}, // was 40
		{"2025-01-19", "", "B", terminate("140"), 0}, // the rest
		{"2025-01-20", "", "B", terminate("100"), 19},
		{"2025-01-21", "", "B", amend("97", ""), 0},
		{"2025-01-22", "", "C", forward("TTF", "base", "3000", "30"), 0},
		{"2025-01-22", "", "D", Call("50", "4", "2025-05-15"), 0},
		{"2025-01-23", "", "C", amend("", "3300"), 0},
		{"2025-01-24", "", "C", void, 0},
		{"2025-01-25", "", "C2", forward("TTF", "base", "3300", "31"), 0},
		{"2025-01-26", "", "C2", forward("TTF", "base", "3300", "31.5"), 26},
		{"2025-01-27", "", "D", amend("4.5", ""), 0},
		{"2025-01-28", "", "D", amend("", "60"), 0},
		{"2025-01-29", "", "D", terminate("5"), 0},
		{"2025-05-15T08:00:00Z", "", "D", exercise("20", "D2"), 0},
		{"2025-05-15T09:00:00Z", "", "D", exercise("10", ""), 0},
		{"2025-05-15T10:00:00Z", "", "D", exercise("25", "D3"), 0},
		{"2025-05-16", "", "D", exercise("15", "D2"), 31}, // was 20
		{"2025-05-17", "", "D2", amend("71", ""), 0},
		{"2025-05-18", "", "D3", terminate("25"), 0},
		{"2025-05-19", "", "C2", novate("3300", "C3"), 0},
		{"2025-05-20", "", "C3", trader, 0},
		{"2025-05-21", "", "C2", novate("3000", "C3"), 37}, // was all
		{"2025-05-22", "", "C2", terminate("300"), 0},
		{"2025-05-23", "", "E", forward("DE-LU", "base", "10", "-5"), 0},
		{"2025-05-24", "", "E", amend("", "20"), 0},
		{"2025-05-25", "", "E", void, 0},
		{"2025-07-02", "", "A", settle("50"), 0},
		{"2025-07-03", "", "A", settle("30"), 0},
		{"2025-07-04", "", "B", settle("40"), 0},
		{"2025-07-05", "", "D2", settle("15"), 0},
		{"2025-07-06", "", "A", novate("0", "A2"), 10}, // it did not happen
		{"2025-07-07", "", "A", void, 0},
	}
}

func forward(zone, profile, q, price string) trade.New {
	n := Forward(q, price)
	n.Instrument.Zone, n.Instrument.Profile = zone, profile
	if zone == "TTF" {
		n.Book, n.Instrument.Commodity = "GAS", trade.Gas
	}
	return n
}
