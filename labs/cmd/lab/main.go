// Command lab is the command of the course: it runs the tests and shows the progress of the labs.
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

	"example.com/blotter/labs/cmd/lab/grade"
)

// cli is the command line. The fields of a command are its flags; its Run does the work.
type cli struct {
	Test testCmd `cmd:"" help:"Run the tests, count them, and show the progress of the labs."`
	Hint hintCmd `cmd:"" help:"Explain a check: its rule, the usual misconception, a hint."`

	Neighbours neighboursCmd `cmd:"" help:"Let the logs of a class cosign one another."`

	Grade gradeCmd `cmd:"" help:"Grade the labs of a student, or of a class."`
	Demo  demoCmd  `cmd:"" help:"Run the capstone on one's own parts, and compare its digest."`

	Certificate certificateCmd `cmd:"" help:"Certify points and capstone, signed by the grader."`
}

// Exit codes.
const (
	done   = 0
	failed = 1 // a test failed, or the work could not be done
	misuse = 2 // wrong usage
)

func main() {
	if grade.Confined() {
		os.Exit(grade.Confine())
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit := -1
	parser, err := kong.New(&cli{}, kong.Name("lab"), kong.Writers(stdout, stderr),
		kong.Description("The command of the course: tests, hints, progress."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&streams{stdout, stderr}),
		kong.Exit(func(code int) { exit = code }))
	if err != nil {
		panic(err) // the struct above is wrong
	}
	chosen, err := parser.Parse(args)
	switch {
	case exit >= 0:
		return exit // --help has printed
	case err != nil:
		return complain(stderr, &hintedError{misuse, err.Error(), "see: lab --help"})
	}
	return complain(stderr, chosen.Run())
}

// streams is the output of a command.
type streams struct{ stdout, stderr io.Writer }

// A hintedError is an error with its exit code and a hint.
type hintedError struct {
	code       int
	text, hint string
}

func (e *hintedError) Error() string { return e.text }

// complain prints err with its hint and returns the exit code.
func complain(stderr io.Writer, err error) int {
	if err == nil {
		return done
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	if hinted := new(hintedError); errors.As(err, &hinted) {
		fmt.Fprintf(stderr, "hint: %s\n", hinted.hint)
		return hinted.code
	}
	return failed
}
