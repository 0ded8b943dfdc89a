// Command blotter runs the capstone: it parses, wires the parts, and exits.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line. The fields of a command are its flags; its Run does the work.
type cli struct {
	Data        string `help:"Folder of the log and its stack." default:".blotter" env:"BLOTTER_DATA" placeholder:"DIR"`
	Stack       string `help:"Where Kafka, Postgres, S3 and the registry run: embedded, containers or external." default:"embedded" enum:"embedded,containers,external" env:"STACK"`
	Store       string `help:"Store of a new log: kafka or postgres." default:"kafka" enum:"kafka,postgres"`
	Partitions  int32  `help:"Partitions of a new log, on Kafka: 1 to 500." default:"12"`
	Zone        string `help:"Zone of the book: a date means the end of that day there." default:"CET"`
	Name        string `help:"Name of a new log, by which others can share its stack." default:"blotter"`
	OffloadOver int    `help:"Payloads of more bytes go to object storage, and the log keeps their digests." default:"65536" placeholder:"BYTES"`
	JSON        bool   `help:"Answer in JSON." name:"json"`

	Up       upCmd          `cmd:"" help:"Start a stack that stays; other commands with the same --data use it."`
	Down     downCmd        `cmd:"" help:"Stop it."`
	Status   statusCmd      `cmd:"" help:"Show how the stack and the log are, and what lags; exit 1 if something is not well."`
	Demo     demoCmd        `cmd:"" help:"Run the whole flow on the sample book."`
	Import   importCmd      `cmd:"" help:"Send the commands in a file to the desk; sending them again changes nothing."`
	State    stateCmd       `cmd:"" help:"Show a trade."`
	Position positionCmd    `cmd:"" help:"Show what is open, and what it is worth."`
	Pnl      pnlCmd         `cmd:"" help:"Show profit and loss by book, by average cost and by FIFO."`
	History  historyCmd     `cmd:"" help:"Show what was recorded about a trade: who, what, when and why."`
	Snapshot snapshotCmd    `cmd:"" help:"Archive the state."`
	Replay   replayCmd      `cmd:"" help:"Fold the log again and compare with an archived state."`
	Rebuild  rebuildCmd     `cmd:"" help:"Make the read model again from the log alone, beside the one that is in use."`
	Seal     sealCmd        `cmd:"" help:"Take new events into the Merkle tree and publish a signed checkpoint."`
	Verify   verifyCmd      `cmd:"" help:"Hold the log against its checkpoints; exit 1 names the first bad position."`
	Extract  extractCmd     `cmd:"" help:"Make a certified bundle of events: data, proofs and signature, the same bytes every time."`
	Bundle   bundleCmd      `cmd:"" name:"verify-extract" help:"Check such a bundle with the log's public key alone; exit 1 names file and line."`
	Simulate simulateCmd    `cmd:"" help:"Write a book of any size, made by the desk simulator."`
	Chaos    chaosCmd       `cmd:"" help:"Kill and stall processes that write a new log, and judge what they did; exit 1 names what does not hold."`
	Keep     keepCmd        `cmd:"" name:"keep-stack" hidden:""`
	Writer   chaosWriterCmd `cmd:"" name:"chaos-writer" hidden:""`
}

// Exit codes.
const (
	done   = 0
	failed = 1 // the check failed, or the work could not be done
	misuse = 2 // wrong usage
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parser, err := kong.New(&c, kong.Name("blotter"), kong.Writers(stdout, stderr), kong.UsageOnError(),
		kong.Description("An event log that is the audit trail: commands in, positions, proofs and replays out."),
		kong.Exit(func(int) { panic(helped{}) }))
	if err != nil {
		panic(err) // the struct above is wrong
	}
	chosen, code := parse(parser, args, stderr)
	if chosen == nil {
		return code
	}
	a := newApp(&c, stdout, stderr)
	a.given = given(chosen)
	ctx, a.fail = context.WithCancelCause(ctx)
	chosen.BindTo(ctx, (*context.Context)(nil))
	return complain(stderr, a.finish(ctx, chosen.Run(a)))
}

// given are the flags that somebody has typed.
func given(chosen *kong.Context) map[string]bool {
	names := map[string]bool{}
	for _, p := range chosen.Path {
		if p.Flag != nil {
			names[p.Flag.Name] = true
		}
	}
	return names
}

// helped ends parsing after --help has printed.
type helped struct{}

func parse(parser *kong.Kong, args []string, stderr io.Writer) (chosen *kong.Context, code int) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(helped); !ok {
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

// A usageError is wrong usage, with a hint.
type usageError struct{ what, hint string }

func (e *usageError) Error() string { return e.what }
func (e *usageError) Hint() string  { return e.hint }

// A failure is a check that did not hold: what was asked for was done, and the answer is no.
type failure struct{ what, hint string }

func (e *failure) Error() string { return e.what }
func (e *failure) Hint() string  { return e.hint }

// complain prints err in the one voice of this program, and gives the exit code that fits it.
func complain(stderr io.Writer, err error) int {
	if err == nil {
		return done
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", hint)
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return misuse
	}
	return failed
}
