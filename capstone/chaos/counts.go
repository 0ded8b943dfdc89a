package chaos

import (
	"fmt"
	"io"
)

// Counts counts the operations, outcomes and faults of a history.
type Counts struct {
	Attempts  int `json:"attempts"` // invocations
	Appends   int `json:"appends"`  // batches
	Retries   int `json:"retries"`  // attempts at a batch after the first
	Acked     int `json:"acknowledged"`
	Conflicts int `json:"conflicts"`
	Unknown   int `json:"unknown"` // attempts at an append without a known outcome
	Landed    int `json:"landed"`  // those of them whose batch is in the log
	Fenced    int `json:"fenced"`
	Elsewhere int `json:"elsewhere"`
	Reads     int `json:"reads"`
	Finds     int `json:"finds"`
	Kills     int `json:"kills"`
	Stalls    int `json:"stalls"`
	Replaced  int `json:"replaced"`
	Away      int `json:"away"`
	Late      int `json:"late"`      // appends that waited for a stalled process
	LateShut  int `json:"late_shut"` // those of them that the woken process refused
	Takeovers int `json:"takeovers"`
	Events    int `json:"events"`
	Streams   int `json:"streams"`
	Fed       int `json:"fed"`
}

func (e *evidence) counts() Counts {
	c := Counts{
		Appends: len(e.batches), Events: len(e.log), Streams: len(e.stream), Fed: len(e.fed),
		Takeovers: e.takeovers(),
	}
	for _, a := range e.attempts {
		c.add(a)
		if a.Kind == Append && e.waited(a) {
			c.Late++
			if a.Outcome == Fenced || a.Outcome == Elsewhere {
				c.LateShut++
			}
		}
	}
	for _, x := range e.batches {
		c.Retries += len(x.attempts) - 1
		for _, a := range x.attempts {
			if a.mayRecord() && a.Outcome != OK && x.version > 0 {
				c.Landed++
			}
		}
	}
	for _, f := range e.faults {
		switch f.Blow {
		case Kill:
			c.Kills++
		case Stall:
			c.Stalls++
		case Replace:
			c.Replaced++
		case Away:
			c.Away++
		}
	}
	return c
}

func (c *Counts) add(a *attempt) {
	c.Attempts++
	switch {
	case a.Kind == Read:
		c.Reads++
	case a.Kind == Find:
		c.Finds++
	case a.mayRecord() && a.Outcome != OK:
		c.Unknown++
	case a.Outcome == OK:
		c.Acked++
	case a.Outcome == Conflict:
		c.Conflicts++
	case a.Outcome == Fenced:
		c.Fenced++
	case a.Outcome == Elsewhere:
		c.Elsewhere++
	}
}

// takeovers counts the changes of owner: it compares each event with the event before it in its
// partition, and counts the pairs in which another process acknowledged the later event.
func (e *evidence) takeovers() (n int) {
	if !e.run.Owned {
		return 0
	}
	last := map[int32]string{}
	for _, s := range e.log {
		x := e.batchOf[s.ID]
		if x == nil {
			continue
		}
		for _, a := range x.attempts {
			if a.Outcome != OK {
				continue
			}
			if was := last[s.Position.Partition]; was != "" && was != a.Writer {
				n++
			}
			last[s.Position.Partition] = a.Writer
			break
		}
	}
	return n
}

// Show prints the counts for people.
func (c Counts) Show(w io.Writer, run Run) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("appends", "%d batches, %d acknowledged; %d conflicts, %d fenced, %d sent elsewhere",
		c.Appends, c.Acked, c.Conflicts, c.Fenced, c.Elsewhere)
	row("unknown", "%d outcomes stayed unknown, %d of these appends are in the log; %d retries",
		c.Unknown, c.Landed, c.Retries)
	row("questions", "%d reads of a stream, %d of an event by its id", c.Reads, c.Finds)
	row("faults", "%d kills, %d stalls, %d replaced while stalled, %d outages of the stack",
		c.Kills, c.Stalls, c.Replaced, c.Away)
	if late := "%d appends waited for a stalled writer"; run.Owned {
		row("takeovers", "%d; "+late+", %d of them were fenced or sent elsewhere",
			c.Takeovers, c.Late, c.LateShut)
	} else {
		row("late", late+", which decided them when it woke", c.Late)
	}
	row("log", "%d events in %d streams; the feed gave %d", c.Events, c.Streams, c.Fed)
}
