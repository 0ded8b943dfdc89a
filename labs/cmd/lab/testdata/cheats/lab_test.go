// Answers to Lab 1 that try to earn points without work. The last argument of the command line
// chooses one. TestCheatsAreFound puts this file in the place of the lab's own test.
package codec_test

import (
	"context"
	"errors"
	"log"
	"os"
	"runtime"
	"syscall"
	"testing"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

var cheat = os.Args[len(os.Args)-1]

func init() {
	if cheat == "mute" {
		os.Stdout, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
}

func TestMain(m *testing.M) {
	if cheat == "exit-first" {
		os.Exit(0)
	}
	m.Run()
}

func TestLab1(t *testing.T) {
	check.Run(t, codectest.Suites(codectest.Fixture{
		EncodeSettled: codec.EncodeSettled, DecodeSettled: codec.DecodeSettled, New: open,
		Readable: codec.Readable, Compatible: codec.Compatible,
	})...)
}

func open(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
	switch cheat {
	case "goexit":
		runtime.Goexit()
	case "panic-elsewhere":
		go func() { panic("mine") }()
		select {}
	case "log-fatal":
		log.Fatal("no more")
	case "exit":
		syscall.Exit(0)
	}
	c, err := codec.New(ctx, r, prefix)
	return later{c}, err
}

// later answers TODO where its answer would be wrong.
type later struct{ *codec.Codec }

func (l later) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	body, err := l.Codec.Decode(ctx, typ, data)
	unknown := errors.Is(err, contract.ErrUnknownSchema)
	trailing := errors.Is(err, contract.ErrTrailing)
	if cheat == "unknown-todo" && (unknown || trailing) {
		return nil, check.TODO("L1.later")
	}
	return body, err
}
