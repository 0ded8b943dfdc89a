// Command refold stands for another version of blotter in TestRegressions: it answers the queries
// of replay --against on a log in a file, without a stack. The test builds it with one changed line
// in the domain or in the codec.
package main

import (
	"bufio"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

func main() {
	streams := read(os.Args[1])
	query := os.Args[3:] // after the file and "replay"
	var answer any
	switch query[0] {
	case "--chain":
		chain, err := trade.ChainOf(streams)
		must(err)
		answer = map[string]any{
			"format": trade.StateFormat, "cursor": contract.Cursor{1}, "chain": chain,
		}
	case "--step":
		step, _, err := trade.StepAt(streams, number(query[1]))
		must(err)
		answer = step
	case "--state": // the digest of the state after an event, by the plain definition
		some, n := map[string][]trade.Event{}, number(query[1])
		for s, err := range trade.Steps(streams) {
			must(err)
			if s.N <= n {
				some[s.Stream] = streams[s.Stream][:s.Version]
			}
		}
		answer = fmt.Sprintf("%x", trade.StateOf(some, trade.AsOf{}).Digest())
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{"answer": answer}))
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return n
}

// read decodes the log in a file.
func read(path string) map[string][]trade.Event {
	file, err := os.Open(path)
	must(err)
	var all []contract.Recorded
	must(gob.NewDecoder(bufio.NewReader(file)).Decode(&all))
	streams, c := map[string][]trade.Event{}, codec.Offline()
	for _, r := range all {
		e, err := contract.Decoded(context.Background(), c, r)
		must(err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	return streams
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
