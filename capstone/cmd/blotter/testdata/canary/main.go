// Command canary stands for a version of blotter in TestCanary, on a log in a file and without a
// stack: it answers the queries of replay --against, writes marks, and takes the steps of a canary.
// The test builds it as it is, and with another version of a schema.
//
//	canary FILE start 50
//	canary FILE write 1 20
//	canary FILE end aborted
//	canary FILE replay --chain
package main

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/canary"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	logs "example.com/blotter/solutions/2-store/memory"
)

const typ = "price.marked"

// A file has the texts of the registry, in the order of their ids, and the events of the log.
type file struct {
	Texts  []string
	Events []contract.Recorded
}

func main() {
	ctx, path := context.Background(), os.Args[1]
	registry, system := open(ctx, path)
	switch os.Args[2] {
	case "start":
		state := must(canary.Read(ctx, system.Log, typ))
		record(ctx, system, registry, state, must(state.Start(number(os.Args[3]), codec.Readable)))
	case "end":
		state := must(canary.Read(ctx, system.Log, typ))
		if os.Args[3] == canary.Aborted {
			record(ctx, system, registry, state, must(state.Abort()))
		} else {
			written := must(state.Written(ctx, system.Log))
			record(ctx, system, registry, state, must(state.Promote(written)))
		}
	case "write":
		for n := number(os.Args[3]); n <= number(os.Args[4]); n++ {
			mark(ctx, system, n)
		}
	case "replay":
		answer(ctx, system)
		return
	}
	save(ctx, path, registry, system)
}

// open reads the log into memory.
func open(ctx context.Context, path string) (contract.Registry, *capstone.System) {
	var f file
	in, err := os.Open(path)
	if err == nil {
		check(gob.NewDecoder(in).Decode(&f))
		in.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		panic(err)
	}
	registry := codec.InMemory()
	for _, text := range f.Texts {
		must(registry.Register(ctx, "", text))
	}
	log := logs.New(contract.SimulatedClock)
	for _, r := range f.Events {
		must(log.Append(contract.At(ctx, r.RecordedAt), r.Stream, r.Version-1, r.Event))
	}
	events := &canary.Codec{Inner: must(codec.New(ctx, registry, "log")), Registry: registry,
		Name: "log", Log: log, Now: time.Now, Readable: codec.Readable}
	system := capstone.New(log, events, "test")
	system.Simulated = true
	return registry, system
}

func save(
	ctx context.Context, path string, registry contract.Registry, system *capstone.System,
) {
	var f file
	for id := 1; ; id++ {
		text, err := registry.Text(ctx, id)
		if errors.Is(err, contract.ErrUnknownSchema) {
			break
		}
		check(err)
		f.Texts = append(f.Texts, text)
	}
	for r, err := range system.Log.Read(ctx, nil, must(system.Log.End(ctx))) {
		check(err)
		f.Events = append(f.Events, r)
	}
	out := must(os.Create(path))
	check(gob.NewEncoder(out).Encode(f))
	check(out.Close())
}

func record(
	ctx context.Context, system *capstone.System, registry contract.Registry, s canary.State,
	body domain.Body,
) {
	at := time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)
	check(s.Record(ctx, system.Log, domain.New(registry, "log"),
		domain.Entry{Actor: "ops/1", Reason: "test", Source: "test", EnteredAt: at}, body))
}

var curves = []string{"gas/TTF/base", "power/CET/base", "power/CET/peak", "gas/THE/base",
	"power/DE-LU/base", "power/FR/base", "power/DE-LU/peak", "power/FR/peak"}

// mark records the n-th mark, on one of the curves.
func mark(ctx context.Context, system *capstone.System, n int64) {
	months := []string{"2025-06", "2025-07", "2025-08", "2025-09"}
	period := must(trade.ParsePeriod(months[n%4]))
	out := must(system.Do(ctx, trade.Command{
		ID: fmt.Sprint("m-", n), Actor: "risk/1", Reason: "close",
		EnteredAt: time.Date(2025, 1, 2, 0, 0, int(n), 0, time.UTC),
		Body: trade.PriceMarked{Curve: curves[n%int64(len(curves))], Currency: "EUR",
			Points: []trade.Point{{Delivery: period, Price: trade.Dec(fmt.Sprint(70 + n%5))}}},
	}))
	if out.Refusal != nil {
		panic(out.Refusal)
	}
}

func answer(ctx context.Context, system *capstone.System) {
	end := must(system.Log.End(ctx))
	streams := must(system.Streams(ctx, end))
	var found any
	switch os.Args[3] {
	case "--chain":
		found = map[string]any{"format": trade.StateFormat, "cursor": contract.Cursor{1},
			"chain": must(trade.ChainOf(streams))}
	case "--step":
		step, _, err := trade.StepAt(streams, number(os.Args[4]))
		check(err)
		found = step
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"answer": found}))
}

func number(text string) int64 { return must(strconv.ParseInt(text, 10, 64)) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}
