package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/extract"
	reporting "example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/filing"
	"example.com/blotter/capstone/report/mifir"
	"example.com/blotter/capstone/report/records"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/repository"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

// reportCmd has the commands about regulatory reports.
type reportCmd struct {
	Reference reportReferenceCmd `cmd:"" help:"State reference data, such as an LEI."`
	Make      reportMakeCmd      `cmd:"" help:"${report_make}"`
	List      reportListCmd      `cmd:"" help:"${report_list}"`
	Late      reportLateCmd      `cmd:"" help:"${report_late}"`
	Submit    reportSubmitCmd    `cmd:"" help:"${report_submit}"`
	Answer    reportAnswerCmd    `cmd:"" help:"${report_answer}"`
	Reconcile reportReconcileCmd `cmd:"" help:"${report_reconcile}"`
	Compare   reportCompareCmd   `cmd:"" help:"${report_compare}"`
	Check     reportCheckCmd     `cmd:"" help:"${report_check}"`
}

// ruleSets returns all versions of the rules of all regimes.
func ruleSets() []reporting.RuleSet {
	return slices.Concat([]reporting.RuleSet{cftc.V32, cftc.P43}, remit.RuleSets(),
		mifir.RuleSets(), records.RuleSets())
}

type reportReferenceCmd struct {
	Kind  string   `arg:"" help:"book, party, trader, product, calendar or role."`
	Key   string   `arg:"" help:"The subject, such as ACME or power/DE-LU/base."`
	Facts []string `arg:"" help:"Attributes as name=value. An empty value withdraws one."`
	From  moment   `help:"The time from which it holds; now by default." placeholder:"TIME"`
	said
}

func (c *reportReferenceCmd) Run(ctx context.Context, a *app) error {
	body := reporting.Stated{Kind: c.Kind, Key: c.Key}
	for _, f := range c.Facts {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			return &usageError{fmt.Sprintf("%q is not name=value", f), "give one such as lei=5067…"}
		}
		body.Attributes = append(body.Attributes, reporting.Attribute{Name: name, Value: value})
	}
	if err := body.Check(); err != nil {
		return &usageError{err.Error(), "capstone/report/README.md lists the attributes"}
	}
	entry := c.entry("report-reference", "")
	var err error
	if entry.EffectiveAt, err = c.From.parse("--from", a.cli.Zone, entry.EnteredAt,
		trade.ParseBeginning); err != nil {
		return err
	}
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return err
	}
	codec, err := s.Domain(ctx)
	if err != nil {
		return err
	}
	now, err := s.System().Now(ctx)
	if err == nil {
		err = filing.State(contract.At(ctx, now.Known), s.Log, codec, entry, body)
	}
	if err != nil {
		return err
	}
	return a.answer(of(s), body, func(w io.Writer) {
		printLine(w, "stated %s of %s %s", plural(int64(len(body.Attributes)), "attribute"),
			c.Kind, c.Key)
	})
}

// rulesAt selects a rule set at a time.
type rulesAt func(time.Time) (reporting.RuleSet, error)

// ruled is the flag for a rule set.
type ruled struct {
	Rules string `help:"${report_rules}" default:"CFTC"`
}

// set returns the rule set with the name, or that of the regime in force at a time. A draft is
// refused: no report is made under it, so none can be late, listed or reconciled.
func (r ruled) set(at time.Time) (reporting.RuleSet, error) {
	s, err := r.compared(at)
	if err == nil && s.Draft {
		err = &usageError{"the rules of " + s.Name + " are a draft, whose text could not be " +
			"read: no report is made under them", "blotter report compare shows their effect"}
	}
	return s, err
}

// compared returns the rule set as set does, also a draft.
func (r ruled) compared(at time.Time) (reporting.RuleSet, error) {
	all := ruleSets()
	s, ok := reporting.Select(all, r.Rules, trade.DayOf(at.UTC()))
	if ok {
		return s, nil
	}
	var names []string
	for _, s := range all {
		if s.Regime == r.Rules {
			return s, &usageError{fmt.Sprintf("no rules of %s are in force on %s", r.Rules,
				trade.DayOf(at.UTC())), "name a rule set, such as " + s.Name}
		}
		names = append(names, s.Name)
	}
	return s, &usageError{fmt.Sprintf("rule set %q: %s", r.Rules, filing.ErrNoRules),
		"name one of " + strings.Join(names, ", ") + ", or a regime, such as " + all[0].Regime}
}

// inForce refuses a rule set that is not in force at a time. The versions of a regime share their
// reports on record: the version in force would never make the messages of such a report.
func inForce(all []reporting.RuleSet, set reporting.RuleSet, at time.Time) error {
	day := trade.DayOf(at.UTC())
	if now, ok := reporting.InForce(all, set.Regime, day); ok && now.Name == set.Name {
		return nil
	}
	return &usageError{fmt.Sprintf("the rules of %s are not in force on %s: no report under them "+
		"is put on record", set.Name, day), "name the regime: --rules " + set.Regime +
		"; --as-known-at makes a report of the past again"}
}

// world opens the log for a rule set, as known at a time, or at present.
func (a *app) world(
	ctx context.Context, r ruled, known moment, access session.Access,
) (q question, set reporting.RuleSet, w *filing.World, err error) {
	return a.worldOf(ctx, r.set, known, access)
}

// worldOf opens the log for the rule set that a function selects at a time.
func (a *app) worldOf(
	ctx context.Context, rules rulesAt, known moment, access session.Access,
) (q question, set reporting.RuleSet, w *filing.World, err error) {
	at, err := asOf{KnownAt: known}.parse(a.cli.Zone, time.Now())
	if err != nil {
		return q, set, nil, err
	}
	first := at.Known
	if first.IsZero() {
		first = time.Now()
	}
	if set, err = rules(first); err != nil {
		return q, set, nil, err // before a log is opened
	}
	if access == session.Query && known != "" {
		access = session.AsOfQuery
	}
	if q.Session, err = a.open(ctx, access); err != nil {
		return q, set, nil, err
	}
	q.caveat = of(q.Session)
	if err = q.System().CheckKnown(ctx, at.Known); err == nil && at.Known.IsZero() {
		at.Known, err = present(ctx, q, access)
	}
	if err == nil {
		set, err = rules(at.Known)
	}
	if err == nil {
		w, err = filing.Open(ctx, filing.Of(q.Log, q.Codec, at.Known), set.Regime)
	}
	return q, set, w, err
}

// present returns the time as of which a new report is made: nothing more is recorded up to it. The
// recorded times of a simulated log lie in the past of its clock, so it is the last of them. A
// query takes everything on record.
func present(ctx context.Context, q question, access session.Access) (time.Time, error) {
	if access == session.Write && !q.caveat.simulated {
		return q.System().Frontier(ctx)
	}
	now, err := q.System().Now(ctx)
	return now.Known, err
}

type reportMakeCmd struct {
	Out string `arg:"" help:"The folder to create."`
	ruled
	AsKnownAt moment   `help:"${report_known}" placeholder:"TIME"`
	Back      []string `help:"${report_back}" placeholder:"UTI" sep:"none"`
	Certify   bool     `help:"${report_certify}"`
	said
}

// Run makes the report, and then puts it on record, unless it is one of the past. A crash between
// the two leaves a folder of a report that is not on record: the next one has its rows.
func (c *reportMakeCmd) Run(ctx context.Context, a *app) error {
	access := session.Write
	if c.AsKnownAt != "" {
		access = session.Query
	}
	q, set, w, err := a.world(ctx, c.ruled, c.AsKnownAt, access)
	if err == nil && c.AsKnownAt == "" {
		err = inForce(ruleSets(), set, w.Source.Known)
	}
	if err != nil {
		return err
	}
	st, lacks, err := filing.Make(ctx, c.Out, w, w.Run(set, c.Back))
	if errors.Is(err, fs.ErrExist) {
		return &usageError{c.Out + " exists", "a report is never overwritten: name another folder"}
	}
	if err != nil {
		return err
	}
	if c.Certify {
		if err := c.certify(ctx, q.Session); err != nil {
			return err
		}
	}
	if c.AsKnownAt == "" {
		digest, err := st.Digest()
		if err != nil {
			return err
		}
		made := reporting.Made{Name: st.Name, Rules: st.Rules, Known: st.Known, Rows: st.Rows,
			Due: st.Due.UTC(), Digest: digest, Back: c.Back, Exceptions: lacks}
		entry := c.entry("report-make", "")
		if err := record(ctx, q.Session, set, w.Version, entry, made); err != nil {
			return err
		}
	}
	return a.answer(q.caveat, st, func(w io.Writer) { printStatement(w, "made", st) })
}

func record(ctx context.Context, s *session.Session, set reporting.RuleSet, at int64,
	entry domain.Entry, body domain.Body,
) error {
	codec, now, err := enteredNow(ctx, s)
	if err != nil {
		return err
	}
	return filing.Record(contract.At(ctx, now), s.Log, codec, set.Regime, at, entry, body)
}

func (c *reportMakeCmd) certify(ctx context.Context, s *session.Session) error {
	auditor, err := s.Certifier(ctx)
	if err != nil {
		return err
	}
	ask := extract.Ask{Actor: c.Actor, Reason: c.Reason, At: time.Now()}
	_, err = filing.Certify(ctx, c.Out, ask,
		extract.Options{Log: s.Log, Sealed: auditor, Signer: auditor.Keys.Signer,
			Verifier: auditor.Keys.Verifier},
		filing.Again{Rules: ruleSets(), Codec: codec.Offline()})
	if errors.Is(err, filing.ErrNotFollows) {
		return &failure{err.Error(), "seal the log, and make the report as known at that time"}
	}
	return withHint(err)
}

func printStatement(w io.Writer, word string, st filing.Statement) {
	printLine(w, "%s report %s of %s: %s, %s", word, st.Name, st.Rules, plural(st.Rows, "row"),
		plural(st.Exceptions, "exception"))
	for _, name := range slices.Sorted(maps.Keys(st.Digests)) {
		if strings.HasPrefix(name, "report") {
			printLine(w, "  %s sha256:%s", name, st.Digests[name])
		}
	}
}

type reportListCmd struct {
	ruled
	AsKnownAt moment `help:"${report_known}" placeholder:"TIME"`
}

// A filedAnswer is a report on record.
type filedAnswer struct {
	Name       string               `json:"name"`
	Rules      string               `json:"rules"`
	Status     string               `json:"status"`
	Rows       int64                `json:"rows"`
	Due        time.Time            `json:"due_at"`
	Late       bool                 `json:"late"`
	Digest     string               `json:"digest"`
	Exceptions []reporting.Lack     `json:"exceptions"`
	Rejected   []reporting.Rejected `json:"rejected"`
}

func (c *reportListCmd) Run(ctx context.Context, a *app) error {
	q, set, w, err := a.world(ctx, c.ruled, c.AsKnownAt, session.Query)
	if err != nil {
		return err
	}
	all := []filedAnswer{} // never nil: none is an empty list
	for _, f := range w.Filings.Reports {
		answer := filedAnswer{Name: f.Name, Rules: f.Rules, Status: f.Status(), Rows: f.Rows,
			Due:  f.Due,
			Late: !set.Kept && f.Late(w.Source.Known), Digest: f.Digest, Exceptions: f.Exceptions}
		if f.Answered != nil {
			answer.Rejected = f.Answered.Rejected
		}
		all = append(all, answer)
	}
	return a.answer(q.caveat, all, func(w io.Writer) {
		printLine(w, "rules %s", set.Name)
		var rows []string
		for _, f := range all {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%s\t%s", f.Name, f.Status, f.Rows,
				len(f.Exceptions), len(f.Rejected), f.Due.Format(time.RFC3339), f.Rules))
		}
		table(w, "report\tstatus\trows\texceptions\trejected\tdue\trules", rows...)
	})
}

type reportLateCmd struct {
	ruled
	AsKnownAt moment `help:"${report_known}" placeholder:"TIME"`
}

// Run exits with 1 if a message is past its deadline.
func (c *reportLateCmd) Run(ctx context.Context, a *app) error {
	q, set, w, err := a.world(ctx, c.ruled, c.AsKnownAt, session.Query)
	if err != nil {
		return err
	}
	late, err := w.Late(ctx, set)
	if err != nil {
		return err
	}
	err = a.answer(q.caveat, late, func(w io.Writer) {
		printLine(w, "rules %s", set.Name)
		printExceptions(w, late)
	})
	if err == nil && len(late) > 0 {
		err = &failure{plural(int64(len(late)), "report") + " late",
			"state the missing data: blotter report reference; then blotter report make"}
	}
	return err
}

// lateReports counts the late messages and reports of some regimes or rule sets, as report late
// does. The counts are by the given names, which stay the same under a later version.
func lateReports(
	s *session.Session, names []string,
) (func(context.Context) (map[string]int, error), error) {
	for _, name := range names {
		if _, err := (ruled{name}).set(time.Now()); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) (map[string]int, error) {
		now, err := s.System().Now(ctx)
		if err != nil {
			return nil, err
		}
		counts := map[string]int{}
		for _, name := range names {
			set, err := ruled{name}.set(now.Known)
			if err != nil {
				return nil, err
			}
			w, err := filing.Open(ctx, filing.Of(s.Log, s.Codec, now.Known), set.Regime)
			if err != nil {
				return nil, err
			}
			late, err := w.Late(ctx, set)
			if err != nil {
				return nil, err
			}
			counts[name] = len(late)
		}
		return counts, nil
	}, nil
}

func printExceptions(w io.Writer, all []reporting.Exception) {
	var rows []string
	for _, e := range all {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s", e.Message, cmp.Or(e.Field, "-"),
			e.Missing, e.Owner, e.Due.Format(time.RFC3339)))
	}
	table(w, "message\tfield\tmissing\towner\tdue", rows...)
}

type reportSubmitCmd struct {
	Out        string `arg:"" help:"The folder of the report."`
	Repository string `required:"" help:"${report_repository}" placeholder:"DIR"`
	said
}

// Run hands the report over. It records that BEFORE it does so: a crash leaves a report that is
// sent and not answered, and the same command asks for the answer again. It exits with 1 if the
// repository rejects a message.
func (c *reportSubmitCmd) Run(ctx context.Context, a *app) error {
	var regime string
	st, err := filing.Read(c.Out)
	if err == nil {
		regime, err = simulated(ruled{st.Rules}, st.Known)
	}
	if err != nil {
		return err
	}
	return a.answered(ctx, c.Out, filepath.Base(c.Repository), c.said,
		func() (reporting.Answered, error) { return c.submit(st, regime) })
}

type reportAnswerCmd struct {
	Out        string `arg:"" help:"The folder of the report."`
	File       string `arg:"" help:"${report_answer_file}"`
	Repository string `required:"" help:"The name of the repository." placeholder:"NAME"`
	said
}

// Run records that the report was sent, unless that is on record, and the answer. It exits with 1
// if the repository rejects a message.
func (c *reportAnswerCmd) Run(ctx context.Context, a *app) error {
	file, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	answered, err := filing.ReadAnswer(c.Out, file)
	if err != nil {
		return &usageError{c.File + ": " + err.Error(),
			"give one line for each message of " + filing.RowsFile + ": message,code,text"}
	}
	return a.answered(ctx, c.Out, c.Repository, c.said,
		func() (reporting.Answered, error) { return answered, nil })
}

// answered records that a report is sent, asks for the answer, and records it. The answer that is
// on record changes nothing. Another answer is refused, and so is another repository.
func (a *app) answered(ctx context.Context, dir, to string, by said,
	ask func() (reporting.Answered, error),
) error {
	st, err := filing.Read(dir)
	if err != nil {
		return err
	}
	q, set, w, err := a.world(ctx, ruled{st.Rules}, "", session.Write)
	if err != nil {
		return err
	}
	if set.Kept {
		return &usageError{"a report of " + set.Name + " is kept, and sent to nobody",
			"it needs no answer"}
	}
	filed, err := onRecord(w, st)
	if err != nil {
		return err
	}
	at := w.Version
	if filed.Sent == nil {
		sent := reporting.Sent{Name: st.Name, To: to}
		if err := record(ctx, q.Session, set, at, by.entry("report-send", ""), sent); err != nil {
			return err
		}
		at++
	} else if err := sentTo(filed, to); err != nil {
		return err
	}
	answered, err := ask()
	switch {
	case err != nil:
	case filed.Answered == nil:
		err = record(ctx, q.Session, set, at, by.entry("report-answer", ""), answered)
	default:
		err = answeredBy(filed, answered.Digest)
	}
	if err != nil {
		return err
	}
	return a.printAnswered(q.caveat, answered)
}

// sentTo refuses another repository than that on record.
func sentTo(f reporting.Filed, to string) error {
	if f.Sent.To == to {
		return nil
	}
	return &usageError{fmt.Sprintf("report %s was sent to %s, not to %s", f.Name, f.Sent.To, to),
		"name the repository " + f.Sent.To}
}

// answeredBy refuses another answer than that on record.
func answeredBy(f reporting.Filed, digest string) error {
	if f.Answered.Digest == digest {
		return nil
	}
	return &failure{"report " + f.Name + " has another answer on record, sha256:" +
		f.Answered.Digest, "a report has one answer: keep both files, " +
		"and ask the repository which one holds"}
}

// onRecord returns the report of a folder that is on record.
func onRecord(w *filing.World, st filing.Statement) (f reporting.Filed, err error) {
	digest, err := st.Digest()
	if err != nil {
		return f, err
	}
	i := slices.IndexFunc(w.Filings.Reports, func(f reporting.Filed) bool {
		return f.Name == st.Name && f.Rules == st.Rules && f.Digest == digest
	})
	if i < 0 {
		return f, &failure{"report " + st.Name + " of " + st.Rules + " is not on record",
			"blotter report list shows the reports; " +
				"one that was made as known at an earlier time is not on record"}
	}
	return w.Filings.Reports[i], nil
}

func (a *app) printAnswered(c caveat, answered reporting.Answered) error {
	if err := a.answer(c, answered, func(w io.Writer) {
		printLine(w, "accepted %s, rejected %d", plural(answered.Accepted, "message"),
			len(answered.Rejected))
		for _, r := range answered.Rejected {
			printLine(w, "  %s: %s: %s", r.Message, r.Code, r.Text)
		}
	}); err != nil || len(answered.Rejected) == 0 {
		return err
	}
	return &failure{"the repository rejected " + plural(int64(len(answered.Rejected)), "message"),
		"correct the data; the next report has the message again"}
}

// simulated returns the regime of a rule set, and refuses a set whose reports the simulated
// repository does not take.
func simulated(r ruled, at time.Time) (regime string, err error) {
	set, err := r.set(at)
	if err == nil && !repository.Takes(set.Regime) {
		err = &usageError{"the simulated repository does not take reports of " + set.Name,
			"they are kept, and sent to nobody"}
	}
	return set.Regime, err
}

// submit hands the files of the report over, and returns their answers together. A file that was
// answered before gets the same answer again.
func (c *reportSubmitCmd) submit(
	st filing.Statement, regime string,
) (out reporting.Answered, err error) {
	messages, err := messagesOf(c.Out)
	if err != nil {
		return out, err
	}
	r, err := repository.Open(c.Repository, regime)
	if err != nil {
		return out, err
	}
	out = reporting.Answered{Name: st.Name, Rejected: []reporting.Rejected{}}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		file, err := os.ReadFile(filepath.Join(c.Out, name))
		if err != nil {
			return out, err
		}
		text, answers, err := r.Submit(st.Name+"-"+name, file)
		if err != nil {
			return out, err
		}
		sum.Write(text) // a hash returns no error
		for _, answer := range answers {
			if answer.Code == "" {
				out.Accepted++
			} else if answer.Row <= len(messages[name]) {
				out.Rejected = append(out.Rejected, reporting.Rejected{
					Message: messages[name][answer.Row-1], Code: answer.Code, Text: answer.Text})
			}
		}
	}
	out.Digest = fmt.Sprintf("%x", sum.Sum(nil))
	return out, nil
}

// messagesOf returns the messages of each file for the repository, in the order of its records.
func messagesOf(dir string) (map[string][]string, error) {
	f, err := os.Open(filepath.Join(dir, filing.RowsFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, fmt.Errorf("%s is no CSV file with a header: %w", f.Name(), err)
	}
	all := map[string][]string{}
	for _, l := range lines[1:] {
		file := l[len(l)-1]
		all[file] = append(all[file], l[1])
	}
	return all, nil
}

type reportReconcileCmd struct {
	Repository string `required:"" help:"${report_repository}" placeholder:"DIR"`
	ruled
	AsKnownAt moment `help:"${report_known}" placeholder:"TIME"`
}

// Run exits with 1 if the repository has a contract otherwise than the record.
func (c *reportReconcileCmd) Run(ctx context.Context, a *app) error {
	regime, err := simulated(c.ruled, time.Now())
	if err != nil {
		return err
	}
	held, err := stateOf(filepath.Join(c.Repository, regime, "state.csv"))
	if err != nil {
		return err
	}
	q, set, w, err := a.world(ctx, c.ruled, c.AsKnownAt, session.Query)
	if err != nil {
		return err
	}
	found, err := filing.Reconcile(w.Subjects(ctx), w.Run(set, nil), held)
	if err != nil {
		return err
	}
	all := append([]filing.Difference{}, found...) // never nil: none is an empty list
	if err := a.answer(q.caveat, all, func(w io.Writer) {
		var rows []string
		for _, d := range all {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s",
				cmp.Or(d.UTI, "-"), d.Kind, cmp.Or(d.Field, "-"), cmp.Or(d.Ours, "-"),
				cmp.Or(d.Held, "-"), d.Why, cmp.Or(strings.Join(d.Events, " "), "-"),
				cmp.Or(strings.Join(d.Reference, " "), "-"), cmp.Or(d.Key, "-")))
		}
		table(w, "uti\tkind\tfield\trecord\trepository\twhy\tevents\treference\tkey", rows...)
	}); err != nil || len(all) == 0 {
		return err
	}
	return &failure{plural(int64(len(all)), "difference") +
		" between the record and the repository",
		"blotter report make has what is due; --back UTI reports a contract from its beginning"}
}

// stateOf reads the state file of a repository.
func stateOf(path string) (filing.Holding, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{"there is no " + path,
			"blotter report submit writes it; or put the state of your repository there"}
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	held, err := filing.ReadState(file)
	if err != nil {
		err = &usageError{path + ": " + err.Error(), "capstone/report/README.md has its form"}
	}
	return held, err
}

type reportCompareCmd struct {
	Here       string `arg:"" help:"${report_rules}"`
	There      string `arg:"" help:"Another one, or the same one as known at --and-known-at."`
	Since      moment `help:"${report_since}" placeholder:"TIME"`
	AsKnownAt  moment `help:"${report_compare_known}" placeholder:"TIME"`
	AndKnownAt moment `help:"${report_and_known}" placeholder:"TIME"`
}

// Run exits with 1 if the two runs differ.
func (c *reportCompareCmd) Run(ctx context.Context, a *app) error {
	since, err := c.Since.parse("--since", a.cli.Zone, time.Now(), trade.ParseMoment)
	if err != nil {
		return err
	}
	access := session.Query
	if c.AndKnownAt != "" {
		access = session.AsOfQuery
	}
	q, here, w, err := a.worldOf(ctx, ruled{c.Here}.compared, c.AsKnownAt, access)
	if err != nil {
		return err
	}
	there, then, err := c.second(ctx, a, q, w)
	if err != nil {
		return err
	}
	last := w
	if then.Source.Known.After(w.Source.Known) {
		last = then
	}
	found, err := filing.Compare(ctx, last, w.Since(here, since), then.Since(there, since))
	if err != nil {
		return err
	}
	all := append([]reporting.Change{}, found...) // never nil: none is an empty list
	if err := a.answer(q.caveat, all, func(w io.Writer) { printChanges(w, all) }); err != nil ||
		len(all) == 0 {
		return err
	}
	return &failure{"the reports differ: " + plural(int64(len(all)), "difference"),
		"blotter history shows the events of a contract or of reference data, which explain them"}
}

// second returns the second rule set, and the log as known at its time.
func (c *reportCompareCmd) second(
	ctx context.Context, a *app, q question, first *filing.World,
) (set reporting.RuleSet, w *filing.World, err error) {
	known := first.Source.Known
	if c.AndKnownAt != "" {
		known, err = c.AndKnownAt.parse("--and-known-at", a.cli.Zone, time.Now(), trade.ParseMoment)
		if err == nil {
			err = q.System().CheckKnown(ctx, known)
		}
	}
	if err == nil {
		set, err = ruled{c.There}.compared(known)
	}
	if err == nil {
		w, err = filing.Open(ctx, filing.Of(q.Log, q.Codec, known), set.Regime)
	}
	return set, w, err
}

func printChanges(w io.Writer, all []reporting.Change) {
	var rows []string
	for _, d := range all {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", d.Message,
			cmp.Or(d.Field, "-"), cmp.Or(d.Here, "-"), cmp.Or(d.There, "-"), d.Event,
			cmp.Or(strings.Join(d.Reference, " "), "-"), d.Why))
	}
	table(w, "message\tfield\there\tthere\tevent\treference\twhy", rows...)
}

type reportCheckCmd struct {
	Out string `arg:"" help:"The folder of a certified report."`
	Key string `required:"" help:"${verifier_key}"`
}

// Run opens no log and no stack. It makes the report again from the evidence in its folder.
func (c *reportCheckCmd) Run(ctx context.Context, a *app) error {
	key, err := verifierKey(c.Key)
	if err != nil {
		return err
	}
	again := filing.Again{Rules: ruleSets(), Codec: codec.Offline()}
	st, err := filing.Check(ctx, c.Out, key, again)
	if fault := new(extract.Fault); errors.As(err, &fault) || errors.Is(err, filing.ErrNotFollows) {
		return &failure{"the report does not verify: " + err.Error(),
			"request it again, and keep this one: it is evidence now"}
	}
	if err != nil {
		return err
	}
	return a.answer(caveat{}, st, func(w io.Writer) {
		printStatement(w, "verified", st)
		printLine(w, "  made again from the sealed events: the same bytes")
	})
}
