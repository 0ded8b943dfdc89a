// Answers to Lab 1 that try to get away with nothing, by the last word of the command line. TestCheatsAreFound puts this file in the place
// of the lab's own test.
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

var how = os.Args[len(os.Args)-1]

func init() {
	if how == "speaks-to-nobody" {
		os.Stdout, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
}

func TestMain(m *testing.M) {
	if how == "ends-first" {
		os.Exit(0)
	}
	m.Run()
}

func TestLab1(t *testing.T) {
	check.Run(t, codectest.Suite(codectest.Fixture{New: open, Compatible: codec.Compatible}))
}

func open(ctx context.Context, r contract.Registry, prefix string) (codectest.Codec, error) {
	switch how {
	case "leaves":
		runtime.Goexit()
	case "panics-aside":
		go func() { panic("mine") }()
		select {}
	case "gives-up":
		log.Fatal("no more")
	case "exits":
		syscall.Exit(0)
	}
	c, err := codec.New(ctx, r, prefix)
	return later{c}, err
}

// later calls what it gets wrong unfinished.
type later struct{ *codec.Codec }

func (l later) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	body, err := l.Codec.Decode(ctx, typ, data)
	if how == "calls-it-unfinished" && (errors.Is(err, contract.ErrUnknownSchema) || errors.Is(err, contract.ErrTrailing)) {
		return nil, check.TODO("L1.later")
	}
	if how == "borrows-a-name" && errors.Is(err, contract.ErrTrailing) {
		return nil, check.TODO("L1.upcast")
	}
	return body, err
}
