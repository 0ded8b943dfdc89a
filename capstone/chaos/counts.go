package chaos

import (
	"fmt"
	"io"
	"math"
	"slices"
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
	// Moved counts the partitions that another process took over from a disturbed process. The
	// times are seconds from the first append that was sent to the partition after the fault, to
	// the first append that the other process acknowledged.
	Moved       int     `json:"moved"`
	MovedMedian float64 `json:"moved_median_s"`
	MovedMost   float64 `json:"moved_most_s"`
	Folded      int     `json:"folded"`           // digests of readers
	Digest      string  `json:"digest"`           // of the log
	States      int     `json:"states,omitempty"` // states of services
	State       string  `json:"state,omitempty"`  // the digest of the first one
}

func (e *evidence) counts() Counts {
	c := Counts{
		Appends: len(e.batches), Events: len(e.log), Streams: len(e.stream), Fed: len(e.fed),
		Folded: len(e.folded), Digest: digestOf(e.log),
	}
	if c.States = len(e.states); c.States > 0 {
		c.State = e.states[0].Digest
	}
	takeovers, moves := e.takeovers()
	c.Takeovers, c.Moved = takeovers, len(moves)
	if n := len(moves); n > 0 {
		slices.Sort(moves)
		c.MovedMedian, c.MovedMost = seconds(moves[n/2]), seconds(moves[n-1])
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

func seconds(nanos int64) float64 { return math.Round(float64(nanos)/1e6) / 1e3 }

// takeovers counts the changes of owner: it compares each event with the event before it in its
// partition, and counts the pairs in which another process acknowledged the later event. It also
// returns the nanoseconds of the changes that followed a fault.
func (e *evidence) takeovers() (n int, moves []int64) {
	if !e.run.Owned {
		return 0, nil
	}
	last, sent := map[int32]*attempt{}, e.partitions()
	for _, s := range e.log {
		x := e.batchOf[s.ID]
		if x == nil {
			continue
		}
		i := slices.IndexFunc(x.attempts, func(a *attempt) bool { return a.Outcome == OK })
		if i < 0 {
			continue
		}
		p, a := s.Position.Partition, x.attempts[i]
		if was := last[p]; was != nil && was.Writer != a.Writer {
			n++
			if fault := e.faultAfter(was); fault < a.to {
				moves = append(moves, a.to-min(a.from, waitedSince(fault, sent[p])))
			}
		}
		last[p] = a
	}
	return n, moves
}

// partitions returns the attempts at appends, by the partition of their stream.
func (e *evidence) partitions() map[int32][]*attempt {
	of, attempts := map[string]int32{}, map[int32][]*attempt{}
	for _, s := range e.log {
		of[s.Stream] = s.Position.Partition
	}
	for _, a := range e.attempts {
		if p, ok := of[a.Stream]; ok && a.Kind == Append {
			attempts[p] = append(attempts[p], a)
		}
	}
	return attempts
}

// faultAfter returns the time of the first kill or stop of a writer after its attempt, or never.
func (e *evidence) faultAfter(a *attempt) int64 {
	first := int64(never)
	for _, s := range e.stops[a.Writer] {
		if s.from >= a.from {
			first = min(first, s.from)
		}
	}
	if killed, ok := e.killed[a.Writer]; ok && killed >= a.from {
		first = min(first, killed)
	}
	return first
}

// waitedSince returns the time of the first attempt after a fault, of the attempts at a partition.
func waitedSince(fault int64, attempts []*attempt) int64 {
	first := int64(never)
	for _, a := range attempts {
		if a.from >= fault {
			first = min(first, a.from)
		}
	}
	return first
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
		row("moved", "%d partitions to another process after a fault, "+
			"in %.1f s (median), %.1f s (longest)", c.Moved, c.MovedMedian, c.MovedMost)
	} else {
		row("late", late+", which decided them when it woke", c.Late)
	}
	row("log", "%d events in %d streams; the feed gave %d", c.Events, c.Streams, c.Fed)
	row("digest", "%s, of the log and of %d more readers", c.Digest, c.Folded)
	if c.States > 0 {
		row("state", "%s, of a replay and of the read model, asked of %d services",
			c.State, c.States)
	}
}
