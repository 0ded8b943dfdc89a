package outage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/kafka"
)

// Two systems share the partitions of a log, and both get the whole book at once. Each command has
// one outcome, accepted or refused, and the state is that of a single system.
func TestTwoSystemsRecordEachCommandOnce(t *testing.T) {
	t.Parallel()
	book := sample(t, 200)[160:] // some of its contracts have not begun, so some lines are refused
	want, events := undisturbed(t, book)

	s := stacktest.Shared(t)
	brokers := brokersOf(t, s)
	name := stacktest.Prefix(t) + "log"
	c, dir := codecOf(t, s, name), t.TempDir() // each system finds the other's index there
	var systems []*capstone.System
	for i := range 2 {
		store, err := kafka.Open(t.Context(), kafka.Options{
			Brokers: brokers, Prefix: name, Partitions: 3, Clock: contract.SimulatedClock, Heads: c,
			Dir: dir, Address: fmt.Sprintf("127.0.0.1:%d", 7000+i),
			Place: kafka.ByPlace,
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		systems = append(systems, capstone.New(store, c, "outage"))
	}
	done := make(chan error, 2)
	for i := range systems {
		go func() { done <- takeTurns(t.Context(), systems[i], systems[1-i], book) }()
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)

	got, n := digest(t, systems[0])
	require.Equal(t, want, got)
	require.Equal(t, events, n)
	seen, refused := map[uuid.UUID]string{}, 0
	for _, e := range all(t, systems[1].Log) {
		require.Empty(t, seen[e.ID], "%s is in %s too", e.ID, e.Stream)
		seen[e.ID] = e.Stream
		if e.Stream != trade.Subject(e.Stream) {
			refused++
		}
	}
	require.Positive(t, refused, "refusals in the book")
}

// takeTurns sends each command to one system, and to the other one if the first does not own the
// partition of the command.
func takeTurns(ctx context.Context, system, other *capstone.System, book []lines.Line) error {
	for _, line := range book {
		for {
			_, err := system.Do(ctx, line.Command)
			system, other = other, system
			notOwner, reused := new(contract.NotOwnerError), new(capstone.ReusedCommandError)
			if errors.As(err, &notOwner) {
				continue
			}
			if err != nil && !errors.As(err, &reused) {
				return fmt.Errorf("line %d: %w", line.Number, err)
			}
			break
		}
	}
	return nil
}
