package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/ledger"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

type ledgerBalancesCmd struct{ ledgerAsOf }

// Run shows the balances, with the sums of each currency.
func (c *ledgerBalancesCmd) Run(ctx context.Context, a *app) error {
	q, books, err := a.books(ctx, c.ledgerAsOf)
	if err != nil {
		return err
	}
	trial := books.Trial(q.at)
	if err := trial.Balanced(); err != nil {
		return &failure{err.Error(), "an entry is on record that no ledger accepts: blotter verify"}
	}
	rows := make([]balanceRow, 0, len(trial.Balances)+len(trial.Totals))
	for _, b := range append(trial.Balances, trial.Totals...) {
		rows = append(rows, balanceRow{b.Account, b.Name, b.Type, b.Currency,
			b.Currency.Show(b.Debits), b.Currency.Show(b.Credits), b.Currency.Show(b.Balance)})
	}
	return a.answer(q.caveat, rows, func(w io.Writer) {
		var text []string
		for _, b := range rows {
			account := b.Account
			if account == "" {
				account = "total"
			}
			text = append(text, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", account, b.Type, b.Currency,
				b.Debits, b.Credits, b.Balance))
		}
		table(w, "account\ttype\tcurrency\tdebits\tcredits\tbalance", text...)
	})
}

// A balanceRow is a ledger.Balance with all digits of the minor unit. A total has no account.
type balanceRow struct {
	Account  string             `json:"account"`
	Name     string             `json:"name"`
	Type     ledger.AccountType `json:"type"`
	Currency trade.Currency     `json:"currency"`
	Debits   string             `json:"debits"`
	Credits  string             `json:"credits"`
	Balance  string             `json:"balance"`
}

type ledgerStatementCmd struct {
	Account string `arg:"" help:"The account."`
	ledgerAsOf
}

// Run shows the movements of one account.
func (c *ledgerStatementCmd) Run(ctx context.Context, a *app) error {
	q, books, err := a.books(ctx, c.ledgerAsOf)
	if err != nil {
		return err
	}
	if _, ok := books.Accounts[c.Account]; !ok {
		return &failure{fmt.Sprintf("ledger %s has no account %s", c.Ledger, c.Account),
			"blotter ledger balances lists the accounts"}
	}
	return a.statements(q, books.Statement(c.Account, q.at))
}

type ledgerGeneralCmd struct{ ledgerAsOf }

// Run shows the movements of every account.
func (c *ledgerGeneralCmd) Run(ctx context.Context, a *app) error {
	q, books, err := a.books(ctx, c.ledgerAsOf)
	if err != nil {
		return err
	}
	return a.statements(q, books.General(q.at))
}

// A statementRow is a ledger.Row with all digits of the minor unit.
type statementRow struct {
	Account     string         `json:"account"`
	EffectiveAt time.Time      `json:"effective_at"`
	Entry       string         `json:"entry"`
	Description string         `json:"description"`
	Amount      string         `json:"amount"`
	Currency    trade.Currency `json:"currency"`
	Balance     string         `json:"balance"`
}

func (a *app) statements(q question, found []ledger.Row) error {
	rows := make([]statementRow, 0, len(found))
	for _, r := range found {
		rows = append(rows, statementRow{r.Account, r.EffectiveAt, r.Entry, r.Description,
			r.Currency.Show(r.Amount), r.Currency, r.Currency.Show(r.Balance)})
	}
	return a.answer(q.caveat, rows, func(w io.Writer) {
		var text []string
		for _, r := range rows {
			text = append(text, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", r.Account,
				r.EffectiveAt.Format(time.RFC3339Nano), r.Entry, r.Description, r.Amount,
				r.Currency, r.Balance))
		}
		table(w, "account\teffective\tentry\tdescription\tamount\tcurrency\tbalance", text...)
	})
}

type ledgerJournalCmd struct{ ledgerAsOf }

// A journalRow is one line of an entry.
type journalRow struct {
	Entry       string         `json:"entry"`
	EffectiveAt time.Time      `json:"effective_at"`
	OriginalAt  string         `json:"original_at"`
	RecordedAt  time.Time      `json:"recorded_at"`
	Description string         `json:"description"`
	Reverses    string         `json:"reverses"`
	Replaces    string         `json:"replaces"`
	Rules       string         `json:"rules"`
	Account     string         `json:"account"`
	Side        ledger.Side    `json:"side"`
	Amount      string         `json:"amount"`
	Currency    trade.Currency `json:"currency"`
}

// Run shows the entries, a row for each of their lines.
func (c *ledgerJournalCmd) Run(ctx context.Context, a *app) error {
	q, books, err := a.books(ctx, c.ledgerAsOf)
	if err != nil {
		return err
	}
	rows := []journalRow{} // never nil: nothing is an empty list
	for _, p := range books.Entries(q.at) {
		for _, l := range p.Lines {
			rows = append(rows, journalRow{p.Entry, p.EffectiveAt, p.OriginalAt, p.RecordedAt,
				p.Description, p.Reverses, p.Replaces, p.Rules, l.Account, l.Side,
				l.Currency.Show(l.Amount), l.Currency})
		}
	}
	return a.answer(q.caveat, rows, func(w io.Writer) {
		var text []string
		for _, r := range rows {
			text = append(text, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", r.Entry,
				r.EffectiveAt.Format(time.RFC3339Nano), r.Description, r.Account, r.Side, r.Amount,
				r.Currency))
		}
		table(w, "entry\teffective\tdescription\taccount\tside\tamount\tcurrency", text...)
	})
}

type ledgerExportCmd struct {
	File string `arg:"" help:"File to write."`
	ledgerAsOf
}

// Run writes the file, and replaces an earlier one.
func (c *ledgerExportCmd) Run(ctx context.Context, a *app) error {
	q, books, err := a.books(ctx, c.ledgerAsOf)
	if err != nil {
		return err
	}
	file, err := os.Create(c.File)
	if err != nil {
		return &usageError{err.Error(), "name a file that can be written"}
	}
	w := bufio.NewWriter(file)
	err = firstOf(books.WriteHledger(w, q.at), firstOf(w.Flush(), file.Close()))
	if err != nil {
		return err
	}
	entries := len(books.Entries(q.at))
	answer := struct {
		Entries int `json:"entries"`
	}{entries}
	return a.answer(q.caveat, answer, func(w io.Writer) {
		fmt.Fprintf(w, "wrote %d entries to %s\n", entries, c.File)
	})
}

type ledgerExceptionsCmd struct{ ledgerAsOf }

// An exceptionRow is a ledger.Exception.
type exceptionRow struct {
	Entry  string     `json:"entry"`
	Event  uuid.UUID  `json:"event"`
	Rule   trade.Rule `json:"rule"`
	Detail string     `json:"detail"`
}

// Run lists the entries of the trades that the ledger refused. One is the answer no.
func (c *ledgerExceptionsCmd) Run(ctx context.Context, a *app) error {
	q, books, err := a.books(ctx, c.ledgerAsOf)
	if err != nil {
		return err
	}
	rows := exceptionRows(books.Exceptions(q.at))
	return errors.Join(a.answer(q.caveat, rows, func(w io.Writer) { printRefusedEntries(w, rows) }),
		exceptionsFailure(rows))
}

func exceptionRows(all []ledger.Exception) []exceptionRow {
	rows := []exceptionRow{} // never nil: nothing is an empty list
	for _, e := range all {
		rows = append(rows, exceptionRow{e.Entry, e.Cause, e.Refusal.Rule, e.Refusal.Detail})
	}
	return rows
}

func printRefusedEntries(w io.Writer, rows []exceptionRow) {
	var text []string
	for _, r := range rows {
		text = append(text, fmt.Sprintf("%s\t%s\t%s\t%s", r.Entry, r.Event, r.Rule, r.Detail))
	}
	if len(text) > 0 {
		table(w, "entry\tevent\trule\tdetail", text...)
	}
}

// exceptionsFailure is the answer no while an entry waits.
func exceptionsFailure(rows []exceptionRow) error {
	if len(rows) == 0 {
		return nil
	}
	return &failure{fmt.Sprintf("the ledger refuses %d entries of the trades", len(rows)),
		"remove the causes, such as a closed account, and then blotter ledger post"}
}

type ledgerTransfersCmd struct{}

// A hangingRow is a ledger.Hanging.
type hangingRow struct {
	Half  string    `json:"half"`
	Other string    `json:"other"`
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
}

// Run lists the halves of transfers, in all ledgers, whose other half is missing. One is the answer
// no.
func (c *ledgerTransfersCmd) Run(ctx context.Context, a *app) error {
	q, err := a.question(ctx, asOf{})
	if err != nil {
		return err
	}
	end, err := q.Log.End(ctx)
	if err != nil {
		return err
	}
	transfers, rows := ledger.NewTransfers(), []hangingRow{} // never nil: nothing is an empty list
	for f, err := range ledger.Facts(q.Log.Read(ctx, nil, end), "") {
		if err != nil {
			return err
		}
		transfers.Take(f)
	}
	for _, h := range transfers.Hanging() {
		rows = append(rows, hangingRow(h))
	}
	err = a.answer(q.caveat, rows, func(w io.Writer) {
		var text []string
		for _, r := range rows {
			text = append(text, fmt.Sprintf("%s\t%s\t%s\t%s", r.Half, r.Other,
				r.Since.Format(time.RFC3339Nano), r.Why))
		}
		table(w, "half\tother half\tsince\twhy", text...)
	})
	if err == nil && len(rows) > 0 {
		err = &failure{fmt.Sprintf("%d transfers hang", len(rows)),
			"the column why says how to end each"}
	}
	return err
}

type ledgerReconcileCmd struct {
	ofLedger
	Rules string `help:"Version of the posting rules (default: that of the ledger)."`
}

// A tieRow is a ledger.Tie with all digits of the minor unit.
type tieRow struct {
	Book       string         `json:"book"`
	Currency   trade.Currency `json:"currency"`
	Figure     string         `json:"figure"`
	Trades     string         `json:"trades"`
	Ledger     string         `json:"ledger"`
	Difference string         `json:"difference"`
	Accounts   []string       `json:"accounts"`
}

// Run compares each figure of the trades with the ledger. A difference is the answer no.
func (c *ledgerReconcileCmd) Run(ctx context.Context, a *app) error {
	q, books, err := a.books(ctx, ledgerAsOf{ofLedger: c.ofLedger})
	if err != nil {
		return err
	}
	rules, err := rulesOf(c.Rules, books)
	if err != nil {
		return err
	}
	streams, err := q.tradeStreams(ctx)
	if err != nil {
		return err
	}
	rows, wrong := []tieRow{}, 0
	for _, t := range ledger.Ties(streams, books.Balances(q.at), rules) {
		show := t.Currency.Show
		rows = append(rows, tieRow{t.Book, t.Currency, t.Figure, show(t.Trades), show(t.Ledger),
			show(t.Difference), t.Accounts})
		if !t.Difference.IsZero() {
			wrong++
		}
	}
	err = a.answer(q.caveat, rows, func(w io.Writer) {
		var text []string
		for _, r := range rows {
			text = append(text, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", r.Book, r.Currency, r.Figure,
				r.Trades, r.Ledger, r.Difference))
		}
		table(w, "book\tcurrency\tfigure\ttrades\tledger\tdifference", text...)
	})
	if err == nil && wrong > 0 {
		err = &failure{fmt.Sprintf("%d figures of the trades differ from ledger %s", wrong,
			c.Ledger), "blotter ledger post posts what is missing; an entry by hand in these " +
			"accounts remains"}
	}
	return err
}

// tradeStreams reads all trades on record.
func (q question) tradeStreams(ctx context.Context) (map[string][]trade.Event, error) {
	streams := map[string][]trade.Event{}
	err := q.eachTrade(ctx, func(stream string, e trade.Event) {
		streams[stream] = append(streams[stream], e)
	})
	return streams, err
}

// eachTrade calls f for each event of a trade, in the order of the feed. It reads as far as books
// has read, so that both see the same log.
func (q question) eachTrade(ctx context.Context, f func(stream string, e trade.Event)) error {
	end := q.end
	if end == nil {
		var err error
		if end, err = q.Log.End(ctx); err != nil {
			return err
		}
	}
	for r, err := range q.Log.Read(ctx, nil, end) {
		if err != nil {
			return err
		}
		if !trade.Folds(r.Stream) {
			continue
		}
		e, err := contract.Decoded(ctx, q.Codec, r)
		if err != nil {
			return err
		}
		f(r.Stream, e)
	}
	return nil
}

type ledgerWhatIfCmd struct {
	Version string `arg:"" help:"Version of the posting rules."`
	Rules   string `help:"Version to compare it with (default: that of the ledger)."`
	ofLedger
}

// A changeRow is an event that moves an account otherwise under other rules.
type changeRow struct {
	Account string `json:"account"`
	Stream  string `json:"stream"`  // empty for the balance
	Version int64  `json:"version"` // zero for the balance
	Current string `json:"current"`
	Other   string `json:"other"`
}

// Run folds the trades under both versions. It writes nothing.
func (c *ledgerWhatIfCmd) Run(ctx context.Context, a *app) error {
	q, err := a.question(ctx, asOf{})
	if err != nil {
		return err
	}
	books, err := q.fold(ctx, c.Ledger, time.UTC) // the zone decides about no version
	if err != nil {
		return err
	}
	current, err := rulesOf(c.Rules, books)
	other, otherErr := rulesOf(c.Version, books)
	if err = firstOf(err, otherErr); err != nil {
		return err
	}
	compared := ledger.NewWhatIf(current, other)
	if err := q.eachTrade(ctx, compared.Take); err != nil {
		return err
	}
	rows := []changeRow{} // never nil: nothing is an empty list
	for _, ch := range compared.Changes() {
		rows = append(rows, changeRow{ch.Account, "", 0, ch.Current.String(), ch.Other.String()})
		for _, e := range ch.Events {
			rows = append(rows, changeRow{ch.Account, e.Stream, e.Version, e.Current.String(),
				e.Other.String()})
		}
	}
	return a.answer(q.caveat, rows, func(w io.Writer) {
		var text []string
		for _, r := range rows {
			event := "balance"
			if r.Stream != "" {
				event = fmt.Sprintf("%s, version %d", r.Stream, r.Version)
			}
			text = append(text, fmt.Sprintf("%s\t%s\t%s\t%s", r.Account, event, r.Current, r.Other))
		}
		table(w, "account\tevent\tversion "+current.Version+"\tversion "+other.Version, text...)
	})
}
