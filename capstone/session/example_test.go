package session_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

// A program opens a log, sends one command to the desk, and follows the feed.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "blotter-example-")
	check(err)
	defer os.RemoveAll(dir)
	ctx := context.Background()

	s, err := session.Open(ctx, session.Config{
		Data: dir,
		New:  &logdir.Settings{Name: "example", Stack: "embedded", Store: "kafka", Partitions: 1},
	}, session.Write)
	check(err)
	defer s.Close()

	june, err := trade.ParsePeriod("2025-06")
	check(err)
	_, err = s.System().Do(ctx, trade.Command{
		ID: "mark-1", EnteredAt: time.Now(), Actor: "risk/1", Reason: "close of day",
		Body: trade.PriceMarked{Curve: "oil/BRENT", Currency: "USD", Points: []trade.Point{
			{Delivery: june, Price: trade.Dec("71.20")},
		}},
	})
	check(err)

	for event, err := range s.Log.Follow(ctx, nil) {
		check(err)
		fmt.Println(event.Stream, event.Version, event.Type, event.Reason)
		break // a service would continue with the next event
	}
	// Output: curve/oil/BRENT 1 price.marked close of day
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
