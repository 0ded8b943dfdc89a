// Package incident puts the events of a log, the alerts of Prometheus and the log lines of a
// program into one timeline.
//
// Alerts are JSON: the answer of Prometheus to /api/v1/alerts, or that of the Alertmanager to
// /api/v2/alerts, which also has alerts that ended. Log lines are JSON Lines as slog.JSONHandler
// writes them, with the fields time, level and msg. Other lines, as those of a crash, have the time
// of the line before.
package incident

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// An Entry is a moment of the timeline.
type Entry struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"` // event, alert or log
	What   string    `json:"what"`
	Detail string    `json:"detail"`
}

// Timeline returns the entries from one time to another, both included, in order of their times.
// Entries of one time stay in the given order.
func Timeline(from, to time.Time, all ...[]Entry) []Entry {
	entries := []Entry{} // never nil: nothing is an empty list
	for _, e := range slices.Concat(all...) {
		if !e.At.Before(from) && !e.At.After(to) {
			e.At = e.At.UTC()
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return entries
}

// An alert has the fields of both programs. Prometheus states activeAt, the Alertmanager startsAt.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"`
	ActiveAt    time.Time         `json:"activeAt"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// ReadAlerts reads alerts: an entry for the beginning of each, and for its end if it is stated. The
// Alertmanager states the end of a firing alert in advance; Timeline leaves out what lies ahead.
func ReadAlerts(r io.Reader) (entries []Entry, err error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Alerts []alert `json:"alerts"`
		} `json:"data"`
	}
	target := any(&answer)
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		target = &answer.Data.Alerts
	}
	if err := json.Unmarshal(text, target); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	for i, a := range answer.Data.Alerts {
		name, begun := a.Labels["alertname"], a.ActiveAt
		if begun.IsZero() {
			begun = a.StartsAt
		}
		if name == "" || begun.IsZero() {
			return nil, fmt.Errorf("alert %d lacks its alertname or its time", i+1)
		}
		delete(a.Labels, "alertname")
		detail := strings.TrimSpace(pairs(a.Labels) + pairs(a.Annotations))
		what := "begins"
		if a.State == "pending" {
			what = "is pending"
		}
		entries = append(entries, Entry{begun, "alert", name + " " + what, detail})
		if !a.EndsAt.IsZero() {
			entries = append(entries, Entry{a.EndsAt, "alert", name + " ends", detail})
		}
	}
	return entries, nil
}

// pairs returns the values of a map in order of their keys, each as " key=value".
func pairs[V any](all map[string]V) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, " %s=%v", key, all[key])
	}
	return b.String()
}

// longestLine is the longest line of a log, in bytes.
const longestLine = 1 << 20

// ReadLogs reads log lines. A line that is not JSON has the time of the line before it, or that of
// the first line with a time. An error names the line.
func ReadLogs(r io.Reader) (entries []Entry, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	first, n := 0, 1 // first is the number of entries before the first time
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if !json.Valid(lines.Bytes()) {
			e := Entry{Kind: "log", What: strings.TrimSpace(lines.Text())}
			if first < len(entries) {
				e.At = entries[len(entries)-1].At
			} else {
				first++
			}
			entries = append(entries, e)
			continue
		}
		e, err := logEntry(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		entries = append(entries, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n, err)
	}
	if first > 0 && first == len(entries) {
		return nil, errors.New("no line is a JSON object with a time")
	}
	for i := range first {
		entries[i].At = entries[first].At
	}
	return entries, nil
}

func logEntry(line []byte) (e Entry, err error) {
	fields := map[string]any{}
	in := json.NewDecoder(bytes.NewReader(line))
	in.UseNumber()
	if err := in.Decode(&fields); err != nil {
		return e, fmt.Errorf("not a JSON object: %w", err)
	}
	at, _ := fields["time"].(string)
	e.Kind = "log"
	if e.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return e, errors.New("no field time in RFC 3339")
	}
	e.What = fmt.Sprintf("%v %v", fields["level"], fields["msg"])
	for _, known := range []string{"time", "level", "msg"} {
		delete(fields, known)
	}
	e.Detail = strings.TrimSpace(pairs(fields))
	return e, nil
}
