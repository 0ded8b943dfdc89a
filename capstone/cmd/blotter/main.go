// Command blotter is the command line of the capstone. It parses, calls and prints: package session
// opens the log, and package logdir guards its folder.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"example.com/blotter/capstone/session"
)

// cli is the command line. The fields of a command are its flags; its Run does the work.
type cli struct {
	Data        string `help:"Folder of the log and its stack." default:".blotter" env:"BLOTTER_DATA" placeholder:"DIR"`
	Stack       string `help:"Where Kafka, Postgres, S3 and the registry run: embedded, containers or external." default:"embedded" enum:"embedded,containers,external" env:"STACK"`
	Store       string `help:"Store of a new log: ${enum}." default:"kafka" enum:"${stores}"`
	Partitions  int32  `help:"Partitions of a new log, on Kafka: 1 to 500." default:"12"`
	Zone        string `help:"Zone of the book: a date means the end of that day there." default:"CET"`
	Name        string `help:"Name of a new log. Logs with different names can share a stack." default:"blotter"`
	OffloadOver int    `help:"Keep payloads of more bytes in object storage, and their digests in the log." default:"65536" placeholder:"BYTES"`
	JSON        bool   `help:"Answer in JSON." name:"json"`

	Up       upCmd            `cmd:"" help:"Start a stack and keep it running; other commands with the same --data use it."`
	Down     downCmd          `cmd:"" help:"Stop the stack that up started."`
	Status   statusCmd        `cmd:"" help:"Show the state of the stack and the log, and which readers lag; exit 1 if something is wrong."`
	Demo     demoCmd          `cmd:"" help:"Run the whole flow on the sample book."`
	Import   importCmd        `cmd:"" help:"Send the commands in a file to the desk; sending them again changes nothing."`
	State    stateCmd         `cmd:"" help:"Show a trade."`
	Position positionCmd      `cmd:"" help:"Show the open positions and their value."`
	Pnl      pnlCmd           `cmd:"" help:"Show profit and loss by book, by average cost and by FIFO."`
	History  historyCmd       `cmd:"" help:"Show everything that was recorded about a trade: who, what, when and why."`
	Snapshot snapshotCmd      `cmd:"" help:"Archive the state."`
	Replay   replayCmd        `cmd:"" help:"Fold the log again and compare the result with an archived state."`
	Rebuild  rebuildCmd       `cmd:"" help:"Make the read model again from the log, beside the one in use, and accept the log as it is."`
	Seal     sealCmd          `cmd:"" help:"Add new events to the Merkle tree and publish a signed checkpoint."`
	Verify   verifyCmd        `cmd:"" help:"Compare the log with its checkpoints; exit 1 names the first position that differs."`
	Extract  extractCmd       `cmd:"" help:"Make a certified bundle of events: data, proofs and signature. The same question gives the same bytes."`
	Bundle   verifyExtractCmd `cmd:"" name:"verify-extract" help:"Check a bundle with nothing but the log's public key; exit 1 names file and line."`
	Simulate simulateCmd      `cmd:"" help:"Write a book of any size, made by the desk simulator."`
	Chaos    chaosCmd         `cmd:"" help:"Kill and stall processes that write a new log, and judge the result; exit 1 names the broken rule."`
	Keep     keepCmd          `cmd:"" name:"keep-stack" hidden:""`
	Writer   chaosWriterCmd   `cmd:"" name:"chaos-writer" hidden:""`
}

// Exit codes.
const (
	done   = 0
	failed = 1 // the answer is no, or the work could not be done
	misuse = 2 // wrong usage
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parser, err := kong.New(&c, kong.Name("blotter"), kong.Writers(stdout, stderr), kong.UsageOnError(),
		kong.Description("An event log that is the audit trail: commands in, positions, proofs and replays out."),
		kong.Vars{"stores": strings.Join(session.StoreNames(), ",")},
		kong.Exit(func(int) { panic(helpPrinted{}) }))
	if err != nil {
		panic(err) // the struct above is wrong
	}
	chosen, code := parse(parser, args, stderr)
	if chosen == nil {
		return code
	}
	a := newApp(&c, stdout, stderr)
	a.choices = choices(chosen, &c)
	ctx, a.cancel = context.WithCancelCause(ctx)
	chosen.BindTo(ctx, (*context.Context)(nil))
	return complain(stderr, a.finish(ctx, chosen.Run(a)))
}

// choices returns the settings of a log that somebody chose by a flag. A default is no choice.
func choices(chosen *kong.Context, c *cli) map[string]string {
	values := map[string]string{"store": c.Store, "partitions": fmt.Sprint(c.Partitions), "name": c.Name}
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

// helpPrinted ends the parsing after --help.
type helpPrinted struct{}

func parse(parser *kong.Kong, args []string, stderr io.Writer) (chosen *kong.Context, code int) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(helpPrinted); !ok {
				panic(p)
			}
			chosen, code = nil, done
		}
	}()
	chosen, err := parser.Parse(args)
	if err != nil {
		return nil, complain(stderr, &usageError{err.Error(), "see: blotter --help"})
	}
	return chosen, done
}
