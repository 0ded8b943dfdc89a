package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"example.com/blotter/capstone/incident"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

type incidentCmd struct {
	From   moment   `required:"" help:"${incident_from}" placeholder:"TIME"`
	To     moment   `help:"${incident_to}" placeholder:"TIME" default:"now"`
	Alerts []string `help:"${incident_alerts}" placeholder:"FILE"`
	Logs   []string `help:"${incident_logs}" placeholder:"FILE"`
}

func (c *incidentCmd) Run(ctx context.Context, a *app) error {
	now := time.Now()
	from, err := c.From.parse("--from", a.cli.Zone, now, trade.ParseBeginning)
	if err != nil {
		return err
	}
	to, err := c.To.parse("--to", a.cli.Zone, now, trade.ParseMoment)
	if err != nil {
		return err
	}
	alerts, err := readAll(c.Alerts, incident.ReadAlerts)
	if err != nil {
		return err
	}
	logs, err := readAll(c.Logs, incident.ReadLogs)
	if err != nil {
		return err
	}
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	events, err := eventEntries(ctx, s, from, to)
	if err != nil {
		return err
	}
	all := incident.Timeline(from, to, events, alerts, logs)
	return a.answer(of(s), all, func(w io.Writer) {
		var rows []string
		for _, e := range all {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", e.At.Format(time.RFC3339Nano), e.Kind,
				e.What, e.Detail))
		}
		table(w, "at\tkind\twhat\tdetail", rows...)
	})
}

func readAll(
	paths []string, read func(io.Reader) ([]incident.Entry, error),
) (all []incident.Entry, err error) {
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return nil, &usageError{err.Error(), "name a file"}
		}
		some, err := read(file)
		file.Close()
		if err != nil {
			return nil, &usageError{fmt.Sprintf("%s: %v", path, err),
				"give alerts as Prometheus or the Alertmanager answers them, and logs in JSON"}
		}
		all = append(all, some...)
	}
	return all, nil
}

// eventEntries returns the events that were recorded from one time to another.
func eventEntries(
	ctx context.Context, s *session.Session, from, to time.Time,
) (entries []incident.Entry, err error) {
	end, err := s.Log.End(ctx)
	if err != nil {
		return nil, err
	}
	for r, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		if r.RecordedAt.Before(from) || r.RecordedAt.After(to) {
			continue
		}
		entries = append(entries, incident.Entry{At: r.RecordedAt, Kind: "event", What: r.Type,
			Detail: fmt.Sprintf("%s version %d by %s: %s", r.Stream, r.Version, r.Actor, r.Reason)})
	}
	return entries, nil
}
