// Command blotter is the command line of the capstone. It parses, calls and prints: package session
// opens the log, and package logdir guards its folder.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/product"
	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/capstone/session"
)

// cli is the command line. The fields of a command are its flags; its Run does the work.
type cli struct {
	Data        string `help:"${data}" default:"${folder}" env:"BLOTTER_DATA" placeholder:"DIR"`
	Stack       string `help:"${stack}" default:"embedded" enum:"${stacks}" env:"STACK"`
	Store       string `help:"${store}" default:"kafka" enum:"${stores}"`
	Partitions  int32  `help:"Partitions of a new log, on Kafka: 1 to 500." default:"12"`
	Zone        string `help:"${zone}" default:"CET"`
	Name        string `help:"${name}" default:"${log_name}"`
	OffloadOver int    `help:"${offload_over}" default:"65536" placeholder:"BYTES"`
	Format      string `help:"${format}" default:"table" enum:"table,json,csv"`
	JSON        bool   `help:"The same as --format json." name:"json" xor:"format"`

	settings `embed:""`

	Version kong.VersionFlag `help:"Show the version of the program and of Go."`

	Up       upCmd            `cmd:"" help:"${up}"`
	Down     downCmd          `cmd:"" help:"Stop the stack that up started."`
	Status   statusCmd        `cmd:"" help:"${status}"`
	Demo     demoCmd          `cmd:"" help:"Run the whole flow on the sample book."`
	Import   importCmd        `cmd:"" help:"${import}"`
	Backfill backfillCmd      `cmd:"" help:"${backfill}"`
	State    stateCmd         `cmd:"" help:"Show a trade."`
	Position positionCmd      `cmd:"" help:"Show the open positions and their value."`
	Pnl      pnlCmd           `cmd:"" help:"${pnl}"`
	Exposure exposureCmd      `cmd:"" help:"${exposure}"`
	Explain  explainCmd       `cmd:"" help:"${explain}"`
	WhatIf   whatIfCmd        `cmd:"" name:"what-if" help:"${what_if}"`
	History  historyCmd       `cmd:"" help:"${history}"`
	Trades   tradesCmd        `cmd:"" help:"List trades: by book, trader, status and more."`
	Search   searchCmd        `cmd:"" help:"${search}"`
	Confirms confirmationsCmd `cmd:"" name:"confirmations" help:"${confirmations}"`
	Books    booksCmd         `cmd:"" help:"List the books, with the number of their trades."`
	Curves   curvesCmd        `cmd:"" help:"List the latest price marks of the curves."`
	Audit    auditCmd         `cmd:"" help:"${audit}"`
	Parked   parkedCmd        `cmd:"" help:"List, show, retry or skip parked streams."`
	Snapshot snapshotCmd      `cmd:"" help:"Archive the state."`
	States   snapshotsCmd     `cmd:"" name:"snapshots" help:"List the archived states."`
	Replay   replayCmd        `cmd:"" help:"${replay}"`
	Rebuild  rebuildCmd       `cmd:"" help:"${rebuild}"`
	Migrate  migrateCmd       `cmd:"" help:"${migrate}"`
	Party    partyCmd         `cmd:"" help:"${party}"`
	Report   reportCmd        `cmd:"" help:"Make, submit and reconcile regulatory reports."`
	Hold     holdCmd          `cmd:"" help:"${hold}"`
	Retain   retentionCmd     `cmd:"" name:"retention" help:"${retain}"`
	Erase    eraseCmd         `cmd:"" help:"${erase}"`
	Ledger   ledgerCmd        `cmd:"" help:"${ledger}"`
	Seal     sealCmd          `cmd:"" help:"${seal}"`
	Turn     signerCmd        `cmd:"" name:"signer" help:"${signer}"`
	Cosign   cosignCmd        `cmd:"" help:"${cosign}"`
	Sealed   checkpointsCmd   `cmd:"" name:"checkpoints" help:"List the published checkpoints."`
	Verify   verifyCmd        `cmd:"" help:"${verify}"`
	Restore  restoreCmd       `cmd:"" name:"restore-from-archive" help:"${restore}"`
	Serve    serveCmd         `cmd:"" help:"${serve}"`
	Sign     principalCmd     `cmd:"" name:"principal" help:"${principal}"`
	ServeLog serveLogCmd      `cmd:"" name:"serve-log" help:"${serve_log}"`
	Prove    proveCmd         `cmd:"" help:"${prove}"`
	Proof    checkProofCmd    `cmd:"" name:"check-proof" help:"${check_proof}"`
	Certify  certifyCmd       `cmd:"" help:"${certify}"`
	Checked  checkSnapshotCmd `cmd:"" name:"check-snapshot" help:"${check_snapshot}"`
	Canary   canaryCmd        `cmd:"" help:"${canary}"`
	Incident incidentCmd      `cmd:"" help:"${incident}"`
	Breaks   reconcileCmd     `cmd:"" name:"reconcile" help:"${reconcile}"`
	Extract  extractCmd       `cmd:"" help:"${extract}"`
	Bundle   verifyExtractCmd `cmd:"" name:"verify-extract" help:"${verify_extract}"`
	Simulate simulateCmd      `cmd:"" help:"Write a book of any size, made by the simulator."`
	Chaos    chaosCmd         `cmd:"" help:"${chaos}"`
	Help     helpCmd          `cmd:"" help:"Show the help of a command."`
	Complete completionCmd    `cmd:"" name:"completion" help:"${completion}"`
	Keep     keepCmd          `cmd:"" name:"keep-stack" hidden:""`
	Writer   chaosWriterCmd   `cmd:"" name:"chaos-writer" hidden:""`
}

// settings are the settings of product.env that a run can have its own of.
type settings struct {
	Retention   time.Duration `default:"${retention}" env:"BLOTTER_RETENTION" hidden:""`
	Lock        string        `default:"${lock}" enum:"${locks}" env:"BLOTTER_LOCK" hidden:""`
	MasterKey   string        `env:"BLOTTER_MASTER_KEY" hidden:""`
	Signer      string        `env:"BLOTTER_SIGNER" hidden:""`
	EventSource string        `default:"${event_source}" env:"BLOTTER_SOURCE" hidden:""`
}

// longHelp has the help texts that do not fit beside a field, and settings of the product.
var longHelp = map[string]string{
	"stores": strings.Join(session.StoreNames(), ","),
	"stacks": "embedded,containers,external",
	"roles":  strings.Join(access.Roles(), ","),

	// The settings of product.env.
	"folder":       product.Defaults.Data,
	"log_name":     product.Defaults.Name,
	"retention":    product.Defaults.Retention.String(),
	"lock":         product.Defaults.Lock,
	"locks":        "COMPLIANCE,GOVERNANCE",
	"event_source": product.Defaults.Source,

	"roundings": "half-even,half-up,up,down",

	"format":       "Format of the answer: table, json or csv.",
	"data":         "Folder of the log and its stack.",
	"stack":        "Kind of Kafka, Postgres, S3 and registry: embedded, containers or external.",
	"store":        "Store of a new log: " + strings.Join(session.StoreNames(), " or ") + ".",
	"zone":         "Zone of the book: a date means the end of that day there.",
	"name":         "Name of a new log. Logs with different names can share a stack.",
	"offload_over": "Keep payloads of more bytes in object storage, and their digests in the log.",

	"migrate": "Create or migrate the Postgres schemas of a log, as their owner.",

	"report_make": "Make the report of everything that no report has yet, and of all that was " +
		"rejected or incomplete.",
	"report_list":   "List the reports on record: made, sent, acknowledged or rejected.",
	"report_late":   "List the messages that are past their deadline.",
	"report_submit": "Hand a report to the simulated repository, and record its answer.",
	"report_answer": "Record the answer of a repository to a report of any regime, from a file.",
	"report_answer_file": "The answer as CSV: message,code,text, with each message of rows.csv " +
		"once. An accepted message has no code.",
	"report_reconcile": "Compare the record with the state of the repository, field by field.",
	"report_compare": "Run two rule sets, or one at two times, over the log, and explain each " +
		"difference.",
	"report_since":         "Compare all that was recorded after this time; all by default.",
	"report_compare_known": "The time as of which the log is known; now by default.",
	"report_and_known": "The time as of which the second run knows the log; that of the first " +
		"one by default.",
	"report_check": "Verify a certified report with only the public key: its events, and that " +
		"it follows from them.",
	"report_rules": "The rule set, such as cftc-v3.2, or a regime, such as CFTC: then the " +
		"version that is in force at the known time.",
	"report_known": "The time as of which the log is known. A report of the past is not put on " +
		"record.",
	"report_back":       "Also report this contract from its beginning; repeat for more.",
	"report_certify":    "Add the extract of everything that is sealed, and sign the report.",
	"report_repository": "The folder of the simulated repository.",

	"up":             "Start a stack and keep it running. Commands with the same --data use it.",
	"status":         "Show the stack, the log and its readers' lag; exit 1 names the trouble.",
	"import":         "Send the commands in files to the desk. Importing again changes nothing.",
	"backfill":       "Compare the history of another system, and take it into the log.",
	"pnl":            "Show profit and loss by book, by average cost and by FIFO.",
	"exposure":       "Show the delta of positions by curve and month, or the P&L of a price move.",
	"explain":        "Attribute a change of P&L to events, marks and time, to the cent.",
	"audit":          "Ask who changed, backdated or undid what; each answer has its proofs.",
	"confirmations":  "List the confirmations of trades: due, sent, matched, disputed or late.",
	"what_if":        "Show the P&L of the log under other rules or events; write nothing.",
	"history":        "Show the events of a trade, a curve or a command: who, what, when, why.",
	"search":         "Find trades by any attribute, and by words in the reasons of events.",
	"replay":         "Fold the log again and compare the result with an archived state.",
	"rebuild":        "Make the read models again from the log, and accept the log as it is.",
	"seal":           "Add new events to the Merkle tree and publish a signed checkpoint.",
	"signer":         "Change the key that signs checkpoints, with an overlap.",
	"party":          "Keep personal data: recorded encrypted, shown masked, read on record.",
	"erase":          "Destroy the key of a person, if retention and holds allow it.",
	"hold":           "Keep records of a trade, book, person, counterparty or time: legal holds.",
	"retain":         "Keep archived records for as long as the policy says, then dispose of them.",
	"ledger":         "Keep double-entry books: post trades and entries, report, reconcile.",
	"cosign":         "Ask the witnesses of the log to cosign its last checkpoint.",
	"verify":         "Compare the log with its checkpoints; exit 1 names the first difference.",
	"restore":        "Make a lost log again from its sealed archive, in an empty folder.",
	"serve":          "Own the log, and serve commands, queries and the feed by HTTP.",
	"principal":      "Let a person or a program sign in to a service; reads its password.",
	"serve_log":      "Serve the sealed log to any client of C2SP tlog-tiles, read-only.",
	"prove":          "Write a proof that the last checkpoint covers an event.",
	"check_proof":    "Check a proof offline, with the public key alone.",
	"certify":        "Write a snapshot as one signed file, for a person who has only the key.",
	"check_snapshot": "Check a certified snapshot offline, with the public key alone.",
	"extract":        "Make a certified bundle of events: data, proofs and signature.",
	"verify_extract": "Check a bundle with only the log's public key; exit 1 names file and line.",
	"completion":     "Print a script that completes command lines: for bash, zsh or fish.",
	"chaos":          "Kill processes that write a new log; exit 1 names the broken rule.",

	"ledger_exceptions":     "List the entries of the trades that the ledger refuses.",
	"ledger_publish":        "Send the new events of all ledgers to other systems, by Kafka.",
	"ledger_publish_again":  "Send all events again, with the same ids.",
	"ledger_reconcile":      "Compare the ledger with the trades; exit 1 names the difference.",
	"ledger_what_if":        "Show the balances that other posting rules change; write nothing.",
	"ledger_snapshot_every": "Events of an account after which its next snapshot is written.",

	"exposure_move": "Show the P&L of the price move between two days, such as " +
		"2025-01-15..yesterday, on the delta of today.",

	"audit_hours":       "List the events entered out of hours, on the clocks of --zone.",
	"audit_four_eyes":   "List the events that lack a second pair of eyes; refused attempts, too.",
	"audit_after_close": "List the events of trades that were closed before.",
	"audit_rebook":      "List the trades booked again after the like was cancelled.",
	"audit_lineage":     "Show the trades before and after a trade; exit 1 if quantity is lost.",
	"audit_restatement": "Attribute the change of a day's P&L by later knowledge to events.",
	"audit_deleted":     "Prove that nothing was deleted or changed between two checkpoints.",
	"audit_certify":     "Also make a certified extract of the events in this new folder.",
	"audit_from":        "Only events from a day (its beginning) or a time on.",
	"audit_to":          "Only events up to a day (its end) or a time.",
	"audit_top":         "The largest number of events; 0 is all.",
	"audit_field":       "A field, such as price, open or book; of a curve, a delivery.",
	"audit_over":        "The shortest delay from the effect of an event to its record.",
	"audit_entry":       "Measure the delay from the entry of an event, not from its effect.",
	"audit_within":      "The longest time from the cancellation to the booking, up to 168h.",
	"audit_tolerance":   "The largest difference of quantity and price, in percent, up to 10.",
	"audit_on":          "The day whose P&L is restated, at its end.",
	"audit_old":         "Size of the earlier checkpoint; blotter checkpoints lists them.",
	"audit_new":         "Size of the later one; by default the last.",
	"audit_kept":        "Take the earlier checkpoint from this file, which seal --keep wrote.",

	"confirm_statuses": ",due,sent,matched,disputed,late",
	"confirm_status":   "Only these: due, sent, matched, disputed, or late (not matched in time).",
	"confirm_days":     "Business days, Monday to Friday, after which a confirmation is late.",
	"confirm_holiday":  "A day that is no business day. Repeat for more.",
	"backfill_file": "Lines of another system, each with the time at which it recorded them; " +
		"- is standard input.",
	"backfill_ours":    "Write the figures of this program to a new file, as CSV.",
	"backfill_figures": "Compare with the figures of the other system, a CSV file.",

	"restore_from":  "Data folder of the lost log: its log.json, its public key, its archive.",
	"restore_since": "Only if the archive has a checkpoint kept elsewhere: see seal --keep.",

	"search_words": "Words of a reason, as in a web search: two words, \"a phrase\", or, -not.",
	"search_where": "Value of an attribute, such as book=power-prop. Repeat for more.",

	"snapshot_policy": "Only if it is due: every=EVENTS or age=DURATION after the last one. " +
		"keep=DURATION locks it. Run it from a timer.",
	"snapshot_measure": "Archive nothing. Show the storage and the rebuild time of a snapshot " +
		"after every so many events, such as 1000,10000.",
	"replay_chain": "Print a digest for each event. Where those of two versions of blotter " +
		"first differ, their states do.",
	"replay_from": "Begin from this archived state, and fold the events after it. One that is " +
		"damaged or not on record is refused, and the whole log is replayed.",
	"replay_resume": "Keep the progress in the data folder. After a crash, continue from it: the " +
		"events that were folded earlier are not read again.",
	"replay_step": "Show event N of the chain: the fields of the state before and after it.",
	"replay_against": "Replay with another blotter, too, and name the first event after which " +
		"the states differ.",

	"import_files":    "Files of commands as JSON Lines, plain or gzip; - is standard input.",
	"import_rejects":  "Write the refused and the bad lines to this new file, to be mended.",
	"import_dry_run":  "Decide every line as an import would, and record nothing.",
	"import_simulate": "Let recorded_at follow entered_at. Only for a new or a simulated log.",
	"basis": "Events of another system are known from its own record (source), or from the " +
		"adoption of its history (record).",
	"known_at": "Answer as known at a time (2025-01-16T13:10:00Z) or at the end of a day: " +
		"a date, today, yesterday or -2d. now and today mean all that is certain now.",
	"effective_at": "Answer as effective at a time, at the end of a day, or now.",

	"what_if_method":   "Method of the cost: average, as in every answer, or fifo.",
	"what_if_rounding": "Rounding of amounts, costs and worths: half-even, half-up, up or down.",
	"what_if_marks":    "Value the positions of one curve by another. Repeat for more.",
	"what_if_without":  "Leave out an event and its consequences. Repeat for more.",
	"what_if_scenario": "Import lines to decide after the log, and lines {\"without\":\"EVENT\"}.",

	"explain_from": "The first day: its P&L at its end, as known then.",
	"explain_to": "Explain the P&L of this day, as known then. " +
		"Without it, the first day is explained from then to now.",
	"explain_known_at": "Two times at which the days are known, instead of their ends.",
	"explain_top":      "Number of parts in the table of each book, largest first; 0 is all.",

	"party_rotate_to": "A file with the new master key: openssl rand -hex 64. " +
		"It wraps the keys from now on.",
	"principal_role": "Its role: trader, operations, risk, compliance, auditor, administrator, " +
		"reader, approver or importer. Repeat for more.",
	"serve_policies": "Policies in Cedar, in place of those of the program.",
	"serve_address":  "Address to listen at: on loopback, or with a TLS certificate.",
	"serve_tls_cert": "Certificate of the service, in PEM.",
	"serve_tls_key":  "Private key of the certificate, in PEM.",
	"serve_client_ca": "Authority whose client certificates sign in as cert/NAME; their " +
		"organizational units are roles.",
	"serve_issuer":      "OpenID issuer whose tokens, with a claim roles, sign in as oidc/SUBJECT.",
	"serve_audience":    "Audience that a token must be for.",
	"serve_check_every": "Replay and verify after this time; 0 does not.",
	"serve_log_format":  "Lines of the service's own log: text or json.",
	"serve_log_level":   "debug has a line for each command; or info, warn, error.",
	"serve_seal_every":  "Seal new events after this time; 0 does not.",
	"serve_seal_events": "Seal after this many new events; 0 does not.",
	"serve_log_address": "Address to listen at. Others than loopback show the log to others.",
	"reconcile":         "Compare the log with all that is derived from it, and with files.",
	"incident":          "Write the timeline of an incident: events, alerts and log lines.",
	"canary":            "Write a new version of a schema to a share of the streams first.",
	"canary_against":    "A program of the version before, which must fold the log as this one.",
	"incident_from":     "Beginning of the incident: a day (its beginning) or a time.",
	"incident_to":       "End of the incident: a day (its end) or a time.",
	"incident_alerts":   "Alerts as JSON: /api/v1/alerts of Prometheus. Repeat for more.",
	"incident_logs":     "Log lines as JSON: serve --log-format json. Repeat for more.",
	"reconcile_jobs":    "Jobs: " + strings.Join(jobNames(), ", ") + ". All by default.",
	"reconcile_enum":    strings.Join(jobNames(), ","),
	"reconcile_file": "CSV with the column uti and some of " +
		strings.Join(reconcile.Columns(), ", ") + "; these are compared.",
	"serve_report_rules": "Count the late reports of these regimes, at --check-every.",

	"serve_post_ledger": "Post the trades into this ledger as they come; none by default.",

	"serve_publish": "Send the events of ledgers to other systems as they come.",

	"serve_reconcile_every": "Run all jobs of reconcile at this interval; 0 runs none.",

	"cosign_embedded": "Let the witness of the embedded stack be the first.",
	"policy":          "Also ask for the cosignatures of this policy (c2sp.org/tlog-policy).",
	"verify_policy":   "Ask for the cosignatures of this policy, not of that in the data folder.",
	"seal_keep":       "Also write the signed checkpoint to a file, for verify --since.",
	"verify_since":    "Verify only the events after a checkpoint kept elsewhere: see seal --keep.",

	"extract_uti": "Only this trade, with its refused commands and its confirmation. " +
		"Repeat for more trades.",
	"extract_from":       "Only events recorded at or after: a day (its beginning) or a time.",
	"extract_to":         "Only events recorded at or before: a day (its end) or a time.",
	"extract_page":       "Add index.html, which checks the extract in a browser.",
	"extract_checkpoint": "As of the checkpoint with this many leaves; by default the last one.",
	"verify_key": "Only believe checkpoints of this public key, given as text or as a file; " +
		"by default that of DATA/keys/verifier.",
	"verifier_key": "The log's public key, or its file: DATA/keys/verifier beside the log.",

	"chaos_seed": "Seed of the operations and the faults. The same seed gives the same ones, " +
		"at about the same intervals; 0 draws one and prints it.",
	"chaos_kills": "Number of times that a writer is killed (SIGKILL). " +
		"For every 25 kills, and at least once, one writer is stalled (SIGSTOP, SIGCONT), " +
		"one is replaced while it is stalled and, where the stack allows it, " +
		"the broker or the database is killed.",
	"chaos_hold":    "Shortest stall of a writer. Its session ends after 10 s.",
	"chaos_brokers": "Brokers of the containers stack. Of several, one at a time is killed.",
	"chaos_serve":   "The writers are services, and clients send them commands over HTTP.",
	"chaos_history": "Write the history to this file, as JSON Lines, even if it breaks no rule.",
	"chaos_limit":   "Time limit for ordering the operations of one stream.",
}

func main() {
	keepPrivate()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// endings returns the signals that end a command cleanly: it stops at a line and leaves its marks.
// A program that was started to ignore the loss of its terminal goes on ignoring it.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	// A write to a closed pipe is an error, and the command ends cleanly. Without this, SIGPIPE
	// would kill the process. Ignoring the signal would do it for our child processes, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	progress := newProgress(stderr)
	stdout = &visible{out: stdout, progress: progress}
	stderr = &visible{out: stderr, progress: progress}
	var c cli
	parser := newParser(&c, stdout, stderr)
	if len(args) > 0 && args[0] == completeWord {
		return complain(stderr, false, printCompletions(stdout, parser.Model.Node, args[1:]))
	}
	inJSON := asksJSON(args)
	chosen, err := parse(parser, args)
	if chosen == nil {
		return complain(stderr, inJSON, err)
	}
	if err := checkEmpty(args, &c); err != nil {
		return complain(stderr, inJSON, err)
	}
	if c.JSON {
		c.Format = "json"
	}
	a := newApp(&c, stdout, stderr)
	a.choices, a.progress = choices(chosen, &c), progress
	if err := a.actAsOwner(chosen.Selected().Name); err != nil {
		return complain(stderr, inJSON, err)
	}
	progress.show(chosen.Selected().Name)
	ctx, a.cancel = context.WithCancelCause(ctx)
	chosen.BindTo(ctx, (*context.Context)(nil))
	if asked, err := a.askService(ctx, chosen, args); asked || err != nil {
		return complain(stderr, inJSON, a.finish(ctx, err))
	}
	return complain(stderr, inJSON, a.finish(ctx, chosen.Run(a)))
}

// actAsOwner gives up root in a data folder of another user BEFORE anything is written.
func (a *app) actAsOwner(command string) error {
	without := []string{
		"help", "completion", "simulate", "verify-extract", "check-proof", "check-snapshot",
	}
	if slices.Contains(without, command) {
		return nil // they use no data folder
	}
	remark, err := actAsOwner(a.cli.Data)
	if remark != "" && !a.inJSON() {
		printLine(a.stderr, "%s", remark)
	}
	return err
}

// asksJSON reports whether answers and errors are for a program, also where the rest of a command
// line is wrong.
func asksJSON(args []string) bool {
	for i, arg := range args {
		if arg == "--json" || arg == "--format=json" ||
			arg == "json" && i > 0 && args[i-1] == "--format" {
			return true
		}
	}
	return false
}

// insertLongHelp replaces each tag of the form ${name} by the text in longHelp. The variables of
// kong could do the same, but kong expands each of them again for each flag: 0.3 s for a command.
func insertLongHelp(k *kong.Kong) error {
	insert := func(tag *string) {
		name := strings.TrimSuffix(strings.TrimPrefix(*tag, "${"), "}")
		if text, ok := longHelp[name]; ok && *tag == "${"+name+"}" {
			*tag = text
		}
	}
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		switch node := node.(type) {
		case *kong.Node:
			insert(&node.Help)
		case *kong.Value:
			insert(&node.Help)
			insert(&node.Default)
			insert(&node.Enum)
		}
		return next(nil)
	})
}

func newParser(c *cli, stdout, stderr io.Writer) *kong.Kong {
	parser, err := kong.New(c, kong.Name("blotter"), kong.Writers(stdout, stderr),
		kong.PostBuild(insertLongHelp), kong.Vars{"version": version()},
		kong.Exit(func(int) { panic(helpPrinted{}) }), kong.Help(printHelp),
		kong.Description("An event log that is the audit trail: "+
			"commands in, positions, proofs and replays out."))
	if err != nil {
		panic(err) // the struct above is wrong
	}
	return parser
}

// version returns the version that the Go tool stamped into the program, and that of Go.
func version() string {
	v := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
	}
	return fmt.Sprintf("blotter %s, %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// choices returns the settings of a log that somebody chose by a flag. A default is no choice.
func choices(chosen *kong.Context, c *cli) map[string]string {
	values := map[string]string{
		"store": c.Store, "partitions": fmt.Sprint(c.Partitions), "name": c.Name,
	}
	typed := map[string]string{}
	for _, p := range chosen.Path {
		if p.Flag == nil {
			continue
		}
		if value, isSetting := values[p.Flag.Name]; isSetting {
			typed[p.Flag.Name] = value
		}
	}
	return typed
}

// helpPrinted ends the parsing after --help and --version.
type helpPrinted struct{}

// parse returns the chosen command; nil without an error if help was printed.
func parse(parser *kong.Kong, args []string) (chosen *kong.Context, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(helpPrinted); !ok {
				panic(p)
			}
			chosen, err = nil, nil
		}
	}()
	chosen, err = parser.Parse(args)
	if err != nil {
		return nil, &usageError{err.Error(), "see: blotter --help"}
	}
	return chosen, nil
}

// checkEmpty refuses an empty argument, and an empty value of a flag. Most often a variable of the
// shell was not set, and the command would answer another question.
func checkEmpty(args []string, c *cli) error {
	const hint = "give it a value, or leave it out; a variable of the shell may not be set"
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	for i, arg := range args {
		flag, value, given := strings.Cut(arg, "=")
		switch isFlag := strings.HasPrefix(arg, "--"); {
		case isFlag && given && blank(value):
			return &usageError{flag + " is empty", hint}
		case blank(arg) && i > 0 && strings.HasPrefix(args[i-1], "--"):
			return &usageError{args[i-1] + " is empty", hint}
		case blank(arg):
			return &usageError{fmt.Sprintf("argument %d is empty", i+1), hint}
		}
	}
	if blank(c.Data) {
		return &usageError{"BLOTTER_DATA is empty", hint}
	}
	if c.Retention <= 0 {
		return &usageError{fmt.Sprintf("BLOTTER_RETENTION is %s", c.Retention),
			"give it a duration, such as 43800h"}
	}
	return nil
}
