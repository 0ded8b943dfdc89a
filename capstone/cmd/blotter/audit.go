package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/explain"
	"example.com/blotter/capstone/forensics"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

// auditCmd has the questions of an investigation. None of them reads the whole log.
type auditCmd struct {
	State       auditStateCmd       `cmd:"" help:"Show every field of a trade and its events."`
	Field       auditFieldCmd       `cmd:"" help:"Show all changes of a field: old, new, who, why."`
	Principal   auditPrincipalCmd   `cmd:"" help:"List the events that a principal touched."`
	OutOfHours  auditOutOfHoursCmd  `cmd:"" name:"out-of-hours" help:"${audit_hours}"`
	FourEyes    auditFourEyesCmd    `cmd:"" name:"four-eyes" help:"${audit_four_eyes}"`
	Late        auditLateCmd        `cmd:"" help:"List late events, the latest first."`
	AfterClose  auditAfterCloseCmd  `cmd:"" name:"after-close" help:"${audit_after_close}"`
	Rebook      auditRebookCmd      `cmd:"" help:"${audit_rebook}"`
	Lineage     auditLineageCmd     `cmd:"" help:"${audit_lineage}"`
	Cause       auditCauseCmd       `cmd:"" help:"Show the causes and the effects of an event."`
	Restatement auditRestatementCmd `cmd:"" help:"${audit_restatement}"`
	Deleted     auditDeletedCmd     `cmd:"" help:"${audit_deleted}"`
}

// inquiry has the flags of every question about events.
type inquiry struct {
	asOf
	Certify string `help:"${audit_certify}" placeholder:"FOLDER" type:"path"`
	Actor   string `help:"The person who asks for the extract."`
	Reason  string `help:"The reason for asking for it."`
	Page    bool   `help:"${extract_page}"`
}

// listing has the flags of a question whose answer is a list of events.
type listing struct {
	From moment `help:"${audit_from}" placeholder:"TIME"`
	To   moment `help:"${audit_to}" placeholder:"TIME"`
	Top  int    `help:"${audit_top}" default:"100" placeholder:"N"`
	inquiry
}

// list answers a question with a table of events. property is the column after those of each
// event.
func (l listing) list(ctx context.Context, a *app, q forensics.Question, property string,
	cell func(forensics.Finding) string) error {
	var err error
	now := time.Now()
	if q.From, err = l.From.parse("--from", a.cli.Zone, now, trade.ParseBeginning); err != nil {
		return err
	}
	if q.Until, err = l.To.parse("--to", a.cli.Zone, now, trade.ParseMoment); err != nil {
		return err
	}
	if q.Limit = l.Top; q.Limit > 0 {
		q.Limit++ // the one more tells whether the list is complete
	}
	if err := q.Check(); err != nil {
		return &usageError{err.Error(), "see: blotter audit " + string(q.Kind) + " --help"}
	}
	return a.inquire(ctx, l.inquiry, func(in forensics.Index, at trade.AsOf) (r found, err error) {
		q.AsOf = at
		found, err := in.Find(ctx, q)
		if r.More = l.Top > 0 && len(found) > l.Top; r.More {
			found = found[:l.Top]
		}
		rows := []string{}
		for _, f := range found {
			r.events = append(r.events, f.ID)
			rows = append(rows, factRow(f.Fact)+"\t"+cell(f))
		}
		r.Found = append([]forensics.Finding{}, found...) // never nil: nothing is an empty list
		r.show = func(w io.Writer) { table(w, factHeader+"\t"+property, rows...) }
		return r, err
	})
}

const factHeader = "stream\tversion\ttype\trecorded at\teffective at\tactor\tapprover\treason\tid"

func factRow(f forensics.Fact) string {
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s", f.Stream, f.Version, f.Type,
		f.RecordedAt.Format(time.RFC3339Nano), f.EffectiveAt.Format(time.RFC3339Nano), f.Actor,
		dash(f.Approver), f.Reason, f.ID)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

type auditFieldCmd struct {
	Name  string `arg:"" help:"A trade, or a curve such as power/CET/base."`
	Field string `arg:"" help:"${audit_field}"`
	listing
}

func (c *auditFieldCmd) Run(ctx context.Context, a *app) error {
	stream := trade.TradeStream(c.Name)
	if strings.Contains(c.Name, "/") {
		stream = trade.CurveStream(c.Name)
	}
	q := forensics.Question{Kind: forensics.Field, Stream: stream, Field: c.Field}
	return c.list(ctx, a, q, "change", func(f forensics.Finding) string {
		return change{c.Field, f.Old, f.New}.String()
	})
}

type auditPrincipalCmd struct {
	Principal string `arg:"" help:"A principal, such as trader/1."`
	listing
}

func (c *auditPrincipalCmd) Run(ctx context.Context, a *app) error {
	q := forensics.Question{Kind: forensics.Principal, Principal: c.Principal}
	return c.list(ctx, a, q, "as", func(f forensics.Finding) string { return f.Roles })
}

type auditOutOfHoursCmd struct {
	Principal string `help:"Only events of this actor."`
	listing
}

func (c *auditOutOfHoursCmd) Run(ctx context.Context, a *app) error {
	q := forensics.Question{Kind: forensics.OutOfHours, Principal: c.Principal, Zone: a.cli.Zone}
	zone, err := trade.Zone(a.cli.Zone)
	if err != nil {
		return &usageError{"--zone: " + err.Error(), "name one of these"}
	}
	return c.list(ctx, a, q, "entered at", func(f forensics.Finding) string {
		return f.EnteredAt.In(zone).Format("Mon 2006-01-02 15:04:05 -0700")
	})
}

type auditFourEyesCmd struct{ listing }

func (c *auditFourEyesCmd) Run(ctx context.Context, a *app) error {
	q := forensics.Question{Kind: forensics.FourEyes}
	return c.list(ctx, a, q, "breach", func(f forensics.Finding) string { return string(f.Breach) })
}

type auditLateCmd struct {
	Over  time.Duration `help:"${audit_over}" default:"24h" placeholder:"DURATION"`
	Entry bool          `help:"${audit_entry}"`
	listing
}

func (c *auditLateCmd) Run(ctx context.Context, a *app) error {
	q := forensics.Question{Kind: forensics.Late, Over: c.Over, Entry: c.Entry}
	return c.list(ctx, a, q, "late by", func(f forensics.Finding) string {
		return (time.Duration(f.Seconds) * time.Second).String()
	})
}

type auditAfterCloseCmd struct{ listing }

func (c *auditAfterCloseCmd) Run(ctx context.Context, a *app) error {
	q := forensics.Question{Kind: forensics.AfterClose}
	return c.list(ctx, a, q, "was", func(f forensics.Finding) string { return string(f.Status) })
}

type auditRebookCmd struct {
	Within    time.Duration `help:"${audit_within}" default:"24h" placeholder:"DURATION"`
	Tolerance string        `help:"${audit_tolerance}" default:"1" placeholder:"PERCENT"`
	listing
}

func (c *auditRebookCmd) Run(ctx context.Context, a *app) error {
	const perPercent = 10_000 // parts per million
	percent, err := trade.ParseDecimal(c.Tolerance)
	parts, notWhole := strconv.ParseInt(percent.Mul(trade.Int(perPercent)).Fixed(0), 10, 64)
	if err != nil || notWhole != nil || !trade.Int(parts).Equal(
		percent.Mul(trade.Int(perPercent))) {
		return &usageError{fmt.Sprintf("--tolerance: %q is no percentage", c.Tolerance),
			"give a number with at most four decimals, such as 0.5"}
	}
	q := forensics.Question{Kind: forensics.Rebook, Within: c.Within, Tolerance: parts}
	return c.list(ctx, a, q, "replaces", func(f forensics.Finding) string {
		o, n := f.Replaced, f.Booked
		return fmt.Sprintf("%s: %s at %s → %s at %s", o.UTI, o.Quantity, o.Price, n.Quantity,
			n.Price)
	})
}

type auditStateCmd struct {
	UTI string `arg:"" help:"The trade."`
	inquiry
}

func (c *auditStateCmd) Run(ctx context.Context, a *app) error {
	return a.inquire(ctx, c.inquiry, func(in forensics.Index, at trade.AsOf) (r found, err error) {
		s, ok, err := forensics.StateOf(ctx, in, c.UTI, at)
		if err == nil && !ok {
			err = &failure{fmt.Sprintf("trade %s had not begun", c.UTI),
				"blotter history UTI shows the events of a trade"}
		}
		r.Found = s
		for _, f := range s.Events {
			r.events = append(r.events, f.ID)
		}
		r.show = func(w io.Writer) {
			var rows []string
			for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
				rows = append(rows, name+"\t"+s.Fields[name])
			}
			labels(w, rows...)
			printFacts(w, s.Events)
		}
		return r, err
	})
}

func printFacts(w io.Writer, facts []forensics.Fact) {
	var rows []string
	for _, f := range facts {
		rows = append(rows, factRow(f))
	}
	table(w, factHeader, rows...)
}

type auditCauseCmd struct {
	Event uuid.UUID `arg:"" help:"The id of the event; blotter history shows it."`
	inquiry
}

func (c *auditCauseCmd) Run(ctx context.Context, a *app) error {
	return a.inquire(ctx, c.inquiry, func(in forensics.Index, at trade.AsOf) (r found, err error) {
		chain, ok, err := forensics.CauseOf(ctx, in, c.Event, at)
		if err == nil && !ok {
			err = &failure{fmt.Sprintf("no event has the id %s", c.Event),
				"blotter history UTI --format json shows the ids of a trade's events"}
		}
		var rows []string
		for _, link := range chain {
			r.events = append(r.events, link.ID)
			rows = append(rows, fmt.Sprintf("%d\t%s\t%s", link.Depth, dash(link.Via),
				factRow(link.Fact)))
		}
		r.Found = chain
		r.show = func(w io.Writer) { table(w, "depth\tvia\t"+factHeader, rows...) }
		return r, err
	})
}

type auditLineageCmd struct {
	UTI string `arg:"" help:"A trade of the lineage."`
	inquiry
}

// Run fails if quantity is not conserved; the answer is printed before.
func (c *auditLineageCmd) Run(ctx context.Context, a *app) error {
	return a.inquire(ctx, c.inquiry, func(in forensics.Index, at trade.AsOf) (r found, err error) {
		l, err := forensics.LineageOf(ctx, in, c.UTI, at)
		if len(l.Breaks) > 0 {
			r.refuted = &failure{fmt.Sprintf("contract %s is not conserved: %s", l.Breaks[0].UTI,
				l.Breaks[0].Why), "blotter status names the contracts that do not match"}
		}
		for _, link := range l.Links {
			r.events = append(r.events, link.ID)
		}
		r.Found, r.show = l, func(w io.Writer) { printLineage(w, l) }
		return r, err
	})
}

func printLineage(w io.Writer, l forensics.Lineage) {
	var contracts, links []string
	for _, t := range l.Contracts {
		status := string(t.Status)
		if status == "" {
			status = "not ours"
		}
		contracts = append(contracts, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", t.UTI,
			status, t.Contracted, t.Open, t.Settled, t.Novated, t.Exercised, t.Terminated, t.Unit))
	}
	for _, link := range l.Links {
		links = append(links, fmt.Sprintf("%s\t%s\t%s", link.FromUTI, link.ToUTI,
			factRow(link.Fact)))
	}
	table(w, "uti\tstatus\tcontracted\topen\tsettled\tnovated\texercised\tterminated\tunit",
		contracts...)
	table(w, "from\tto\t"+factHeader, links...)
	for _, b := range l.Breaks {
		printLine(w, "not conserved: %s: %s", b.UTI, b.Why)
	}
}

type auditRestatementCmd struct {
	Book  string `required:"" help:"The book."`
	On    moment `required:"" help:"${audit_on}" placeholder:"DAY"`
	Since moment `required:"" help:"The earlier time of knowledge." placeholder:"TIME"`
	Top   int    `default:"20" help:"${explain_top}" placeholder:"N"`
	inquiry
}

// Run explains the difference between the P&L of one day as known at two times. --known-at is the
// second one.
func (c *auditRestatementCmd) Run(ctx context.Context, a *app) error {
	now := time.Now()
	first, err := c.Since.parse("--since", a.cli.Zone, now, trade.ParseMoment)
	if err != nil {
		return err
	}
	day, err := c.On.parse("--on", a.cli.Zone, now, trade.ParseMoment)
	if err != nil {
		return err
	}
	return a.inquire(ctx, c.inquiry, func(in forensics.Index, at trade.AsOf) (r found, err error) {
		if at.Known.Before(first) {
			return r, &usageError{"the second time of knowledge is before the first",
				"give the earlier time to --since"}
		}
		streams, err := in.Book(ctx, c.Book)
		ends := [2]trade.AsOf{{Known: first, Effective: day}, {Known: at.Known, Effective: day}}
		all := ofBook(explain.Between(streams, ends[0], ends[1]), c.Book)
		for _, d := range all {
			for _, p := range d.Parts {
				if p.Cause != nil {
					r.events = append(r.events, p.Cause.Event)
				}
			}
		}
		shown := report{all, [2]string{"first known", "then known"}, ends, c.Top}
		r.Found, r.show = shown.rows(), shown.print
		return r, firstOf(err, checkBook(c.Book, len(all)))
	})
}

// inquire asks the index of the log, and proves the events of the answer.
func (a *app) inquire(ctx context.Context, i inquiry,
	ask func(forensics.Index, trade.AsOf) (found, error)) error {
	if err := i.check(); err != nil {
		return err
	}
	access := session.Query
	var err error
	if i.Certify != "" {
		if _, access, err = a.recorder(session.Query); err != nil {
			return err
		}
	}
	q, err := a.questionAs(ctx, i.asOf, access)
	if err != nil {
		return err
	}
	model, err := q.ForensicsModel(ctx)
	if err != nil {
		return err
	}
	if err := q.System().CatchUp(ctx, model); err != nil {
		return err
	}
	used := capstone.Times{AsOf: q.at, Later: capstone.NotCounted}
	if used.Known.IsZero() {
		if used.Known, used.Cursor, err = model.Through(ctx); err != nil {
			return err
		}
	}
	var r found
	err = model.In(ctx, func(in forensics.Index) error {
		r, err = ask(in, used.AsOf)
		return err
	})
	if err != nil {
		return err
	}
	return a.reply(ctx, q.Session, i, q.caveat.with(used), r)
}

// check refuses flags that do not go together, before the log is opened.
func (i inquiry) check() error {
	if (i.Certify == "") != (i.Actor == "" && i.Reason == "") || i.Certify != "" &&
		(i.Actor == "" || i.Reason == "") {
		return &usageError{"an extract needs --certify, --actor and --reason",
			"they name the new folder, the person who asks, and the purpose"}
	}
	return nil
}
