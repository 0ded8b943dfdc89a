package main

import (
	"fmt"
	"io"
	"time"
)

func showStatus(w io.Writer, s status, now time.Time) {
	showStack(w, s.Stack)
	if s.Log != nil {
		showLog(w, s, now)
	}
	if s.Problem != "" {
		fmt.Fprintln(w, s.Problem)
	}
}

func showStack(w io.Writer, s stackStatus) {
	switch {
	case s.Kept != 0:
		fmt.Fprintf(w, "stack  %s, kept up by process %d\n", s.Kind, s.Kept)
	case s.Kind == "embedded":
		fmt.Fprintln(w, "stack  embedded, started for this look; blotter up would keep one")
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
	table(w, rows...)
}

func showLog(w io.Writer, s status, now time.Time) {
	l := s.Log
	fmt.Fprintf(w, "log    %s, in the %s store: %s\n", l.Name, l.Store, plural(l.Events, "event"))
	rows := []string{fmt.Sprintf("ends\t%v", []int64(l.Ends))}
	if l.Last != nil {
		rows = append(rows, fmt.Sprintf("last recorded\t%s", l.Last.Format(time.RFC3339Nano)))
	}
	if l.Writer != 0 {
		rows = append(rows, fmt.Sprintf("written by\tprocess %d", l.Writer))
	}
	for _, lag := range s.Lag {
		rows = append(rows, lag.Of+"\t"+lag.line())
	}
	rows = append(rows, "snapshot\t"+snapshotLine(s.Snapshot, now), "checkpoint\t"+checkpointLine(s.Checkpoint, now),
		"follow-ups\t"+followUpLine(s.FollowUps))
	table(w, rows...)
	if s.FollowUps != nil {
		showApart(w, s.FollowUps.Apart)
	}
}

func (l lag) line() string {
	switch {
	case l.lost():
		return l.Ahead
	case l.Events == 0:
		return "up to date"
	}
	return fmt.Sprintf("%s behind, for %s", plural(l.Events, "event"), span(l.Seconds))
}

func snapshotLine(s *lastSnapshot, now time.Time) string {
	if s == nil {
		return "none yet"
	}
	return fmt.Sprintf("%s, taken %s ago", s.Name, span(now.Sub(s.Taken).Seconds()))
}

func checkpointLine(c *lastSealed, now time.Time) string {
	if c == nil {
		return "none yet"
	}
	if c.Lost > 0 {
		return fmt.Sprintf("%s/%d; one of size %d was published, and the archive has lost it", c.Origin, c.Size, c.Lost)
	}
	line := fmt.Sprintf("%s/%d", c.Origin, c.Size)
	if c.Published != nil {
		line += fmt.Sprintf(", published %s ago", span(now.Sub(*c.Published).Seconds()))
	}
	return line + fmt.Sprintf("; %s past it, unanchored", plural(c.Unanchored, "event"))
}

func followUpLine(f *followUpCount) string {
	switch {
	case f == nil:
		return "not looked at while another process writes the log"
	case f.NotIssued+f.Refused == 0:
		return "none missing"
	}
	return fmt.Sprintf("%d missing, %d refused; blotter import issues what is missing", f.NotIssued, f.Refused)
}

// span is a time that has passed, in seconds, for people.
func span(seconds float64) string {
	d := time.Duration(max(0, seconds) * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
