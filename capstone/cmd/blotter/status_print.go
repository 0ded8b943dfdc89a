package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"example.com/blotter/capstone/serve"
)

func printStatus(w io.Writer, s status, now time.Time) {
	printStack(w, s.Stack)
	if s.served {
		printHealth(w, s.Health)
	}
	if s.Log != nil {
		printLog(w, s, now)
	}
	for _, finding := range slices.Concat(s.Faults, s.Drift, s.Strays, s.Stale) {
		fmt.Fprintln(w, indented(finding))
	}
	if s.Problem != "" {
		fmt.Fprintln(w, indented(s.Problem))
	}
}

func printStack(w io.Writer, s stackStatus) {
	switch {
	case s.Kept != 0:
		fmt.Fprintf(w, "stack  %s, kept running by process %d\n", s.Kind, s.Kept)
	case s.Kind == "embedded":
		fmt.Fprintln(w, "stack  embedded, started for this command; "+
			"keep one running with: blotter up")
	default:
		fmt.Fprintf(w, "stack  %s\n", s.Kind)
	}
	var rows []string
	for _, p := range s.Parts {
		if p.Problem != "" {
			rows = append(rows, fmt.Sprintf("%s\t%s\tfails: %s", p.Name, p.At, p.Problem))
			continue
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\tanswers in %.1f ms", p.Name, p.At, p.Millis))
	}
	table(w, "part\taddress\tstate", rows...)
}

// printHealth prints the health of a service.
func printHealth(w io.Writer, h serve.Health) {
	ready := "ready"
	if !h.Ready {
		ready = "not ready"
	}
	fmt.Fprintln(w, "service  "+ready)
	var rows []string
	for _, p := range h.Parts {
		state := "well"
		if !p.Well {
			state = "not well"
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s", p.Name, state, cmp.Or(p.Reason, "-")))
	}
	table(w, "part\tstate\treason", rows...)
}

func printLog(w io.Writer, s status, now time.Time) {
	l := s.Log
	printLine(w, "log    %s, in the %s store: %s", l.Name, l.Store, plural(l.Events, "event"))
	rows := []string{fmt.Sprintf("ends\t%v", []int64(l.Ends))}
	if l.Last != nil {
		rows = append(rows, fmt.Sprintf("last recorded\t%s", l.Last.Format(time.RFC3339Nano)))
	}
	if l.Claimed > 0 {
		rows = append(rows, fmt.Sprintf("actors\t%s by an actor that did not sign in: "+
			"see blotter history --claimed", plural(l.Claimed, "event")))
	}
	if l.Writer != 0 {
		rows = append(rows, fmt.Sprintf("written by\tprocess %d", l.Writer))
	}
	for _, lag := range s.Lag {
		rows = append(rows, lag.Of+"\t"+lag.line())
	}
	if s.Index != nil {
		rows = append(rows, "index\t"+s.Index.line())
	}
	rows = append(rows, "snapshot\t"+snapshotLine(s.Snapshot, l.simulated, now),
		"checkpoint\t"+checkpointLine(s.Checkpoint, now), "follow-ups\t"+followUpLine(s.FollowUps))
	for _, b := range s.AtRest {
		rows = append(rows, fmt.Sprintf("at rest\tbucket %s, encryption %s", b.Bucket,
			b.Encryption))
	}
	labels(w, rows...)
	printLags(w, s.Lag)
	if s.FollowUps != nil {
		printOrphans(w, s.FollowUps.Orphans)
	}
	if len(s.Parked) > 0 {
		fmt.Fprintln(w, "  parked streams")
		printParked(w, s.Parked)
	}
}

func (i indexStatus) line() string {
	if i.Unused == "" {
		return "agrees with the log"
	}
	return i.Unused + "; the next command that writes rebuilds it"
}

func (l lag) line() string {
	if l.Ahead != "" {
		return l.Ahead
	}
	if l.Other {
		return "of another version of blotter; the next command that uses it makes it again"
	}
	return l.behind.line()
}

func (b behind) line() string {
	if b.Events == 0 {
		return "up to date"
	}
	line := plural(b.Events, "event") + " behind"
	if b.Seconds != nil {
		line += ", for " + span(*b.Seconds)
	}
	return line
}

// printLags prints a table of the partitions of which a reader has not read all events. A log of
// one partition needs no such table.
func printLags(w io.Writer, lags []lag) {
	var rows []string
	for _, l := range lags {
		for _, p := range l.Partitions {
			if p.Events == 0 || len(l.Partitions) == 1 {
				continue
			}
			seconds := "-"
			if p.Seconds != nil {
				seconds = fmt.Sprintf("%.2f", *p.Seconds)
			}
			rows = append(rows,
				fmt.Sprintf("%s\t%d\t%d\t%s", l.Of, p.Partition, p.Events, seconds))
		}
	}
	if len(rows) > 0 {
		table(w, "reader\tpartition\tevents behind\tfor seconds", rows...)
	}
}

// snapshotLine names the last snapshot. In a simulated log it was taken at a time of the log.
func snapshotLine(s *lastSnapshot, simulated bool, now time.Time) string {
	switch {
	case s == nil:
		return "none yet"
	case s.Destroyed != "":
		return fmt.Sprintf("%s, destroyed by certificate %s", s.Name, s.Destroyed)
	case simulated:
		return fmt.Sprintf("%s, taken at %s", s.Name, s.Taken.Format(time.RFC3339Nano))
	}
	return fmt.Sprintf("%s, taken %s ago", s.Name, span(now.Sub(s.Taken).Seconds()))
}

func checkpointLine(c *lastSealed, now time.Time) string {
	if c == nil {
		return "none yet"
	}
	if c.Begun != "" {
		return c.Begun
	}
	if c.Lost > 0 {
		return fmt.Sprintf("%s/%d; the archive has lost a later one, of size %d", c.Origin, c.Size,
			c.Lost)
	}
	line := fmt.Sprintf("%s/%d", c.Origin, c.Size)
	if c.Published != nil {
		line += fmt.Sprintf(", published %s ago", span(now.Sub(*c.Published).Seconds()))
	}
	if len(c.Witnesses) > 0 {
		line += ", " + witnessLine(c.Witnesses)
	}
	if c.Unwitnessed != "" {
		line += "; " + c.Unwitnessed
	}
	line += fmt.Sprintf("; %s past it, unanchored", plural(c.Unanchored, "event"))
	if n := int64(len(c.Foreign)); n > 0 {
		line += fmt.Sprintf("; %s in the archive not signed: blotter verify", plural(n, "object"))
	}
	return line
}

func followUpLine(f *followUpCount) string {
	switch {
	case f == nil:
		return "not examined while another process writes the log"
	case f.NotIssued+f.Refused == 0:
		return "all on record"
	}
	return fmt.Sprintf("%d not issued, %d refused", f.NotIssued, f.Refused)
}

// span shows a time in seconds, for people.
func span(seconds float64) string {
	d := time.Duration(max(0, seconds) * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
