package chaos

import (
	"fmt"
	"io"
)

// Counts say how much was done.
type Counts struct {
	Attempts  int `json:"attempts"` // invocations
	Appends   int `json:"appends"`  // batches
	Retries   int `json:"retries"`  // attempts at a batch after the first
	Acked     int `json:"acknowledged"`
	Conflicts int `json:"conflicts"`
	Unknown   int `json:"unknown"` // attempts at an append whose outcome was not told
	Landed    int `json:"landed"`  // of these, whose batch is in the log
	Fenced    int `json:"fenced"`
	Elsewhere int `json:"elsewhere"`
	Reads     int `json:"reads"`
	Finds     int `json:"finds"`
	Kills     int `json:"kills"`
	Stalls    int `json:"stalls"`
	Replaced  int `json:"replaced"`
	Away      int `json:"away"`
	Late      int `json:"late"`      // appends that waited for a process that stood still
	LateShut  int `json:"late_shut"` // of these, that were answered fenced or elsewhere when it woke
	Takeovers int `json:"takeovers"`
	Events    int `json:"events"`
	Streams   int `json:"streams"`
	Fed       int `json:"fed"`
}

func (b *book) counts() Counts {
	c := Counts{Appends: len(b.batches), Events: len(b.logged), Streams: len(b.stream), Fed: len(b.fed), Takeovers: b.takeovers()}
	for _, t := range b.tries {
		c.try(t)
		if t.Kind == Append && b.waited(t) {
			c.Late++
			if t.Outcome == Fenced || t.Outcome == Elsewhere {
				c.LateShut++
			}
		}
	}
	for _, x := range b.batches {
		c.Retries += len(x.tries) - 1
		for _, t := range x.tries {
			if t.yes() && t.Outcome != OK && x.at > 0 {
				c.Landed++
			}
		}
	}
	for _, s := range b.struck {
		switch s.Blow {
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

func (c *Counts) try(t *try) {
	c.Attempts++
	switch {
	case t.Kind == Read:
		c.Reads++
	case t.Kind == Find:
		c.Finds++
	case t.yes() && t.Outcome != OK:
		c.Unknown++
	case t.Outcome == OK:
		c.Acked++
	case t.Outcome == Conflict:
		c.Conflicts++
	case t.Outcome == Fenced:
		c.Fenced++
	case t.Outcome == Elsewhere:
		c.Elsewhere++
	}
}

// takeovers is how often, along a partition, an event was acknowledged by another process than the one before it.
func (b *book) takeovers() (n int) {
	if !b.run.Owned {
		return 0
	}
	last := map[int32]string{}
	for _, s := range b.logged {
		x := b.of[s.ID]
		if x == nil {
			continue
		}
		for _, t := range x.tries {
			if t.Outcome != OK {
				continue
			}
			if was := last[s.Position.Partition]; was != "" && was != t.Writer {
				n++
			}
			last[s.Position.Partition] = t.Writer
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
	row("appends", "%d batches, %d acknowledged; %d conflicts, %d fenced, %d sent elsewhere", c.Appends, c.Acked, c.Conflicts, c.Fenced, c.Elsewhere)
	row("unknown", "%d outcomes were not told, %d of them had landed; %d batches were sent again", c.Unknown, c.Landed, c.Retries)
	row("questions", "%d reads of a stream, %d of an event by its id", c.Reads, c.Finds)
	row("faults", "%d kills, %d stalls, %d replaced while they stood still, %d times the broker or database was away", c.Kills, c.Stalls, c.Replaced, c.Away)
	if run.Owned {
		row("takeovers", "%d; %d appends waited for a writer that stood still, and %d of them were fenced or sent elsewhere", c.Takeovers, c.Late, c.LateShut)
	} else {
		row("late", "%d appends waited for a writer that stood still, and were decided when it woke, as any other", c.Late)
	}
	row("log", "%d events in %d streams; the feed gave %d", c.Events, c.Streams, c.Fed)
}
