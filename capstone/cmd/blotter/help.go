package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// examples has a command line for each command, as its help shows it.
var examples = map[string]string{
	"up":                 "up",
	"migrate":            "migrate",
	"down":               "down",
	"status":             "status --format json",
	"demo":               "--store postgres demo",
	"import":             "import morning.jsonl",
	"state":              "state PWR-70 --known-at 2025-01-16",
	"position":           "position --book power-prop --effective-at yesterday",
	"pnl":                "pnl --format csv",
	"exposure":           "exposure --book power-prop --effective-at 2025-01-16",
	"explain":            "explain --from 2025-01-15 --to 2025-01-16",
	"what-if":            "what-if --method fifo --book power-prop",
	"history":            "history PWR-70",
	"trades":             "trades --book power-prop --status LIVE",
	"search":             "search 'client order' --where book=power-prop --where status=LIVE",
	"confirmations":      "confirmations --status late --book power-prop --days 1",
	"books":              "books",
	"curves":             "curves power/CET/base",
	"backfill":           "backfill old.jsonl --figures theirs.csv",
	"audit state":        "audit state PWR-70 --known-at 2025-01-16",
	"audit field":        "audit field PWR-70 price",
	"audit principal":    "audit principal trader/1 --from 2025-01-15 --to 2025-01-16",
	"audit out-of-hours": "--zone GB audit out-of-hours --principal trader/1",
	"audit four-eyes":    "audit four-eyes --from 2025-01-01",
	"audit late":         "audit late --over 48h --format csv",
	"audit after-close":  "audit after-close",
	"audit rebook":       "audit rebook --within 4h --tolerance 0.5",
	"audit lineage":      "audit lineage PWR-70",
	"audit cause":        "audit cause 0197b1c2-7a10-8000-9000-5d6f8a3c2e41",
	"audit restatement": "audit restatement --book power-prop --on 2025-01-15 " +
		"--since 2025-01-16",
	"audit deleted": "audit deleted 1000 2000",

	"parked list":    "parked list",
	"parked show":    "parked show trade/PWR-70",
	"parked skip":    "parked skip trade/PWR-70 3 --actor ops/1 --approver ops/2 --reason stray",
	"parked retry":   "parked retry trade/PWR-70",
	"snapshot":       "snapshot month-end",
	"snapshots":      "snapshots",
	"replay":         "replay month-end",
	"rebuild":        "rebuild",
	"party record":   "party record trader/1 --actor hr/1 --reason joins",
	"party show":     "party show trader/1",
	"party unmask":   "party unmask trader/1 --actor dpo/1 --reason request-17",
	"party rotate":   "party rotate --to new-master-key",
	"seal":           "seal --keep checkpoint.note",
	"signer show":    "signer show",
	"signer rotate":  "signer rotate",
	"signer retire":  "signer retire",
	"cosign":         "cosign",
	"checkpoints":    "checkpoints",
	"verify":         "verify",
	"serve":          "serve --seal-every 5m",
	"principal":      "principal trader/1 --role reader --role trader",
	"serve-log":      "serve-log --address 127.0.0.1:8462",
	"prove":          "prove 0197b1c2-7a10-8000-9000-5d6f8a3c2e41 event.tlog-proof",
	"check-proof":    "check-proof event.tlog-proof --key .blotter/keys/verifier",
	"certify":        "certify month-end month-end.certified",
	"check-snapshot": "check-snapshot month-end.certified --key .blotter/keys/verifier",
	"canary start":   "canary start trade.settled --share 10 --actor ops/1 --reason release",
	"canary status":  "canary status --against ./blotter-old",
	"canary abort":   "canary abort trade.settled --actor ops/1 --reason differs",
	"canary promote": "canary promote trade.settled --against ./old --actor ops/1 --reason equal",
	"incident":       "incident --from 2025-01-15T09:00:00Z --alerts alerts.json --logs serve.log",
	"reconcile run":  "reconcile run heads model",
	"reconcile list": "reconcile list --job model",
	"extract":        "extract bundle --uti PWR-70 --actor audit/1 --reason 'yearly review'",
	"verify-extract": "verify-extract bundle --key .blotter/keys/verifier",
	"simulate":       "simulate --trades 1000 --seed 7",
	"chaos":          "--store postgres chaos --kills 10",
	"help":           "help import",
	"completion":     "completion bash",

	"report reference": "report reference party ACME lei=213800WSGIIZCXF1P572 --actor ops/1 " +
		"--reason onboarding",
	"report make":   "report make monday --actor ops/1 --reason daily",
	"report list":   "report list",
	"report late":   "report late",
	"report submit": "report submit monday --repository sdr --actor ops/1 --reason daily",
	"report answer": "report answer monday answer.csv --repository arm --actor ops/1 " +
		"--reason daily",
	"report reconcile": "report reconcile --repository sdr",
	"report compare":   "report compare remit-2014 remit-2026 --since 2025-12-01",
	"report check":     "report check monday --key .blotter/keys/verifier",

	"reconcile file":   "reconcile file ACME confirmations.csv --mirrored",
	"reconcile assign": "reconcile assign 5a1c0e9b7d3f2468 --to ops/1 --actor head/1",
	"reconcile accept": "reconcile accept 5a1c0e9b7d3f2468 --actor ops/1 --reason agreed",

	"hold place":        "hold place case-17 --book gas-prop --actor legal/1 --reason litigation",
	"hold list":         "hold list",
	"hold lift":         "hold lift case-17 --actor legal/1 --approver legal/2 --reason settled",
	"retention plan":    "retention plan",
	"retention apply":   "retention apply",
	"retention dispose": "retention dispose --actor ops/1 --approver ops/2 --reason yearly",
	"erase":             "erase trader/1 --actor dpo/1 --approver dpo/2 --reason request-18",

	"ledger apply": "ledger apply opening.jsonl",
	"ledger post":  "ledger post",
	"ledger adopt": "ledger adopt 2 --from 2025-07-01 --actor clerk/1 --approver chief/1 " +
		"--reason broker",
	"ledger balances":   "ledger balances --effective-at 2025-03-31",
	"ledger statement":  "ledger statement assets:cash:power-prop:EUR",
	"ledger general":    "ledger general --format csv",
	"ledger journal":    "ledger journal --known-at 2025-04-02",
	"ledger export":     "ledger export year.journal",
	"ledger exceptions": "ledger exceptions",
	"ledger transfers":  "ledger transfers",
	"ledger publish":    "ledger publish",
	"ledger reconcile":  "ledger reconcile",
	"ledger what-if":    "ledger what-if 2",

	"restore-from-archive": "--data new restore-from-archive .blotter --actor ops/1 " +
		"--approver ops/2 --reason outage",
}

// printHelp prints the help of one command with its own flags and an example, or the list of all
// commands with the global flags.
func printHelp(options kong.HelpOptions, c *kong.Context) error {
	command := c.Selected()
	if command == nil {
		options.Compact, options.FlagsLast = true, true
		err := kong.DefaultHelpPrinter(options, c)
		fmt.Fprintln(c.Stdout, "\nExit codes: 0 done; 1 the answer is no; 2 wrong usage; "+
			"3 could not look.")
		return err
	}
	for _, flag := range c.Model.Flags {
		flag.Hidden = true
	}
	err := kong.DefaultHelpPrinter(options, c)
	if example, ok := examples[pathOf(command)]; ok {
		fmt.Fprintf(c.Stdout, "\nExample:\n  blotter %s\n", example)
	}
	fmt.Fprintln(c.Stdout, "\nGlobal flags, such as --data, --store and --format: blotter --help")
	return err
}

// pathOf returns the words of a command, such as parked list.
func pathOf(command *kong.Node) string {
	_, path, _ := strings.Cut(command.FullPath(), " ")
	return path
}

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command; by default all of them are listed."`
}

// Run prints what --help prints.
func (c *helpCmd) Run(_ context.Context, a *app) error {
	var other cli
	_, err := parse(newParser(&other, a.stdout, a.stderr), append(c.Command, "--help"))
	return err
}
