package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"example.com/blotter/capstone/ledger"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// ledgerCmd has the commands about the books.
type ledgerCmd struct {
	SnapshotEvery int64 `help:"${ledger_snapshot_every}" default:"1000" placeholder:"EVENTS"`

	Apply      ledgerApplyCmd      `cmd:"" help:"Send the commands in a file to their ledgers."`
	Post       ledgerPostCmd       `cmd:"" help:"Post the trades of the log into a ledger."`
	Adopt      ledgerAdoptCmd      `cmd:"" help:"Post by another version of the posting rules."`
	Balances   ledgerBalancesCmd   `cmd:"" help:"Show the trial balance."`
	Statement  ledgerStatementCmd  `cmd:"" help:"Show an account with its running balance."`
	General    ledgerGeneralCmd    `cmd:"" help:"Show the statements of all accounts."`
	Journal    ledgerJournalCmd    `cmd:"" help:"Show the entries."`
	Export     ledgerExportCmd     `cmd:"" help:"Write the entries for hledger."`
	Exceptions ledgerExceptionsCmd `cmd:"" help:"${ledger_exceptions}"`
	Transfers  ledgerTransfersCmd  `cmd:"" help:"List the transfers that hang between two ledgers."`
	Publish    ledgerPublishCmd    `cmd:"" help:"${ledger_publish}"`
	Reconcile  ledgerReconcileCmd  `cmd:"" help:"${ledger_reconcile}"`
	WhatIf     ledgerWhatIfCmd     `cmd:"" name:"what-if" help:"${ledger_what_if}"`
}

// ofLedger names a ledger.
type ofLedger struct {
	Ledger string `help:"Name of the ledger." default:"main"`
}

// book returns the desk of the ledgers of a log.
func (a *app) book(ctx context.Context, s *session.Session, source string) (*ledger.Desk, error) {
	atomic, ok := s.Log.(contract.Atomic)
	if !ok {
		return nil, fmt.Errorf("post an entry: %w", errors.ErrUnsupported)
	}
	codec, err := s.Domain(ctx)
	if err != nil {
		return nil, err
	}
	zone, err := trade.Zone(a.cli.Zone)
	if err != nil {
		return nil, &usageError{"--zone: " + err.Error(), "name one of these"}
	}
	if a.cli.Ledger.SnapshotEvery < 1 {
		return nil, &usageError{"--snapshot-every is less than 1", "such as 1000"}
	}
	return &ledger.Desk{Log: atomic, Codec: codec, Zone: zone, Source: source,
		Snapshots: s.AccountSnapshots(), Every: a.cli.Ledger.SnapshotEvery,
		LogID: s.Settings().Topic, Warn: s.Warn}, nil
}

type ledgerApplyCmd struct {
	File string `arg:"" help:"File with a command in each line, in JSON."`
}

// A ledgerOutcome is the outcome of one line.
type ledgerOutcome struct {
	Line    int    `json:"line"`
	Command string `json:"command_id"`
	Kind    string `json:"command"`
	Subject string `json:"subject"`
	Outcome string `json:"outcome"` // accepted or refused
	Again   bool   `json:"again"`   // it was on record already
	Rule    string `json:"rule"`
	Detail  string `json:"detail"`
}

// Run stops at a line that is no command: the lines after it may depend on it.
func (c *ledgerApplyCmd) Run(ctx context.Context, a *app) error {
	file, err := openFile(c.File, "name a file with commands")
	if err != nil {
		return err
	}
	defer file.Close()
	config := a.config()
	config.New = a.newLog(false)
	s, err := a.openAs(ctx, config, session.Write)
	if err != nil {
		return err
	}
	desk, err := a.book(ctx, s, c.File)
	if err != nil {
		return err
	}
	all, refused, err := applyLines(ctx, desk, file)
	if err == nil && refused > 0 {
		err = &failure{fmt.Sprintf("%d of %d commands were refused", refused, len(all)),
			"the column rule names the reason"}
	}
	return errors.Join(a.answer(of(s), all, func(w io.Writer) {
		var rows []string
		for _, o := range all {
			outcome := o.Outcome
			if o.Again {
				outcome += ", on record before"
			}
			rows = append(rows, fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s", o.Line, o.Kind, o.Subject,
				outcome, o.Rule, o.Detail))
		}
		table(w, "line\tcommand\tsubject\toutcome\trule\tdetail", rows...)
	}), err)
}

func applyLines(ctx context.Context, desk *ledger.Desk, file io.Reader) (
	all []ledgerOutcome, refused int, err error,
) {
	all = []ledgerOutcome{} // never nil: nothing is an empty list
	in, n := bufio.NewScanner(file), 1
	in.Buffer(nil, 1<<20)
	for ; in.Scan(); n++ {
		cmd, err := ledger.ParseCommand(in.Bytes())
		if err != nil {
			return all, refused, &failure{fmt.Sprintf("line %d: %v", n, err),
				"the lines before it are on record; mend it and apply the file again"}
		}
		out, err := desk.Do(ctx, cmd)
		if err != nil {
			return all, refused, fmt.Errorf("line %d: %w", n, err)
		}
		o := ledgerOutcome{Line: n, Command: cmd.ID, Kind: cmd.Kind(), Subject: cmd.Subject(),
			Outcome: "accepted", Again: out.Again}
		if r := out.Refusal; r != nil {
			o.Outcome, o.Rule, o.Detail, refused = "refused", string(r.Rule), r.Detail, refused+1
		}
		all = append(all, o)
	}
	if err := in.Err(); err != nil {
		return all, refused, fmt.Errorf("line %d: %w", n, err)
	}
	return all, refused, nil
}

type ledgerPostCmd struct{ ofLedger }

// Run posts the differences, and returns when the ledger holds all trades on record. An exception
// is the answer no.
func (c *ledgerPostCmd) Run(ctx context.Context, a *app) error {
	s, poster, err := a.poster(ctx, c.Ledger)
	if err != nil {
		return err
	}
	n, err := poster.CatchUp(ctx)
	if err != nil {
		return postingFailure(err)
	}
	answer := struct {
		Posted     int            `json:"posted"`
		Exceptions []exceptionRow `json:"exceptions"`
	}{n, exceptionRows(poster.Exceptions())}
	return errors.Join(a.answer(of(s), answer, func(w io.Writer) {
		fmt.Fprintf(w, "posted %d entries into ledger %s\n", n, c.Ledger)
		printRefusedEntries(w, answer.Exceptions)
	}), exceptionsFailure(answer.Exceptions))
}

func (a *app) poster(ctx context.Context, name string) (*session.Session, *ledger.Poster, error) {
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return nil, nil, err
	}
	desk, err := a.book(ctx, s, "blotter ledger")
	return s, &ledger.Poster{Desk: desk, Trades: s.Codec, Ledger: name}, err
}

// postingFailure turns the finding of a poster into the answer no.
func postingFailure(err error) error {
	var refused *ledger.PostingError
	if errors.As(err, &refused) {
		return &failure{err.Error(), "remove its cause, and post again: nothing is posted twice"}
	}
	if errors.Is(err, ledger.ErrNothingToAdopt) {
		return &failure{err.Error(), "blotter ledger what-if shows the balances that differ"}
	}
	if errors.Is(err, ledger.ErrOvertaken) {
		return &failure{err.Error(), "send the command again when the other process has ended"}
	}
	return err
}

type ledgerAdoptCmd struct {
	ofLedger
	Version  string `arg:"" help:"Version of the posting rules."`
	From     moment `help:"Time from which they count." required:"" placeholder:"TIME"`
	Actor    string `help:"Principal that adopts them." required:""`
	Approver string `help:"The second principal." required:""`
	Reason   string `help:"Reason, for the record." required:""`
}

// Run posts the entry of the difference.
func (c *ledgerAdoptCmd) Run(ctx context.Context, a *app) error {
	from, err := c.From.parse("--from", a.cli.Zone, time.Now(), trade.ParseBeginning)
	if err != nil {
		return err
	}
	if _, err := ledger.Rules(c.Version); err != nil {
		return &usageError{err.Error(), "the versions are 1 and 2"}
	}
	s, poster, err := a.poster(ctx, c.Ledger)
	if err != nil {
		return err
	}
	by := ledger.Adoption{Actor: c.Actor, Approver: c.Approver, Reason: c.Reason}
	if err := poster.Adopt(ctx, c.Version, from, by); err != nil {
		return postingFailure(err)
	}
	answer := struct {
		Rules string `json:"rules"`
	}{c.Version}
	return a.answer(of(s), answer, func(w io.Writer) {
		fmt.Fprintf(w, "ledger %s posts by version %s from %s on\n", c.Ledger, c.Version,
			from.UTC().Format(time.RFC3339))
	})
}

// ledgerAsOf are the flags of a question about a ledger.
type ledgerAsOf struct {
	ofLedger
	asOf
}

// books folds a ledger for a question. It fails if an account's events contradict an entry.
func (a *app) books(ctx context.Context, c ledgerAsOf) (question, *ledger.Books, error) {
	q, err := a.question(ctx, c.asOf)
	if err != nil {
		return q, nil, err
	}
	used, err := q.System().Now(ctx)
	if err != nil {
		return q, nil, err
	}
	if used.Effective = q.at.Effective; !q.at.Known.IsZero() {
		used.Known = q.at.Known
	}
	q.caveat = q.caveat.with(used)
	zone, err := trade.Zone(a.cli.Zone)
	if err != nil {
		return q, nil, err
	}
	books, err := q.fold(ctx, c.Ledger, zone)
	if err != nil {
		return q, nil, err
	}
	if found := books.Check(); len(found) > 0 {
		return q, nil, &failure{found[0], "somebody wrote to the log directly: blotter verify"}
	}
	if len(books.Accounts) == 0 {
		return q, nil, &failure{fmt.Sprintf("ledger %s has no account", c.Ledger),
			"blotter ledger post opens the accounts of the trades"}
	}
	return q, books, nil
}

// fold folds a ledger up to the end of the log, at which all of the answer is read.
func (q *question) fold(ctx context.Context, name string, zone *time.Location) (
	books *ledger.Books, err error,
) {
	if q.end, err = q.Log.End(ctx); err != nil {
		return nil, err
	}
	books = ledger.NewBooks(name, zone)
	for f, err := range ledger.Facts(q.Log.Read(ctx, nil, q.end), name) {
		if err != nil {
			return nil, err
		}
		books.Take(f)
	}
	return books, nil
}

// rulesOf returns the posting rules of a version, or else of those that a ledger uses.
func rulesOf(version string, books *ledger.Books) (ledger.PostingRules, error) {
	rules, err := ledger.Rules(cmp.Or(version, books.Rules(), "1"))
	if err != nil {
		return rules, &usageError{err.Error(), "the versions are 1 and 2"}
	}
	return rules, nil
}

type ledgerPublishCmd struct {
	Again bool `help:"${ledger_publish_again}"`
}

// Run publishes the events up to the end of the log.
func (c *ledgerPublishCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	publisher, err := s.Publication(ctx)
	if err != nil {
		return err
	}
	catchUp := publisher.CatchUp
	if c.Again {
		catchUp = publisher.Again
	}
	n, err := catchUp(ctx)
	if err != nil {
		return err
	}
	answer := struct {
		Topic     string `json:"topic"`
		Published int    `json:"published"`
	}{s.Settings().Name.PublicTopic(), n}
	return a.answer(of(s), answer, func(w io.Writer) {
		fmt.Fprintf(w, "published %d events on topic %s\n", n, answer.Topic)
	})
}
