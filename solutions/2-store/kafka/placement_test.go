package kafka_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/kafka"
)

var bySubject = kafka.Placement{Name: "subject", Key: trade.Subject}

// A command is recorded under one id: as accepted in one stream, or as refused in another. Two
// processes that get it at once must not record both.
func TestTwoOwnersRecordACommandOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		place kafka.Placement
		twice bool
	}{{bySubject, false}, {kafka.Placement{}, true}} { // the second shows that the test can fail
		t.Run(fmt.Sprintf("placed by %q", c.place.Name), func(t *testing.T) {
			t.Parallel()
			opts := options(broker(t), "log")
			opts.Partitions, opts.Place = 8, c.place
			a := open(t, opts)
			opts.Address = "127.0.0.1:7001"
			b := open(t, opts)
			both := 0
			for i := range 60 {
				cmd := trade.Command{UTI: fmt.Sprintf("UTI-%d", i)}
				accepted, refused := event(cmd.Stream(), 1), event(cmd.RefusedStream(), 1)
				refused.ID = accepted.ID
				require.NoError(t, appendToOwner(t, accepted, a, b))
				reused := new(contract.ReusedError)
				if err := appendToOwner(t, refused, b, a); err == nil {
					both++
				} else {
					require.ErrorAs(t, err, &reused)
				}
			}
			require.Equal(t, c.twice, both > 0, "%d of 60 commands are recorded twice", both)
			require.Len(t, all(t, a), 60+both)
		})
	}
}

// appendToOwner appends through the store that owns the stream, as a client does that follows
// *contract.NotOwnerError.
func appendToOwner(t *testing.T, e contract.Event, stores ...*kafka.Store) error {
	t.Helper()
	for {
		for _, s := range stores {
			_, err := s.Append(t.Context(), e.Stream, 0, e)
			notOwner := new(contract.NotOwnerError)
			if !errors.As(err, &notOwner) && !errors.Is(err, contract.ErrFenced) {
				return err
			}
		}
	}
}

// A log with another Placement than the one it was created with is refused.
func TestLogKeepsItsPlacement(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions, opts.Place = 8, bySubject
	s := open(t, opts)
	receipts, err := s.Append(t.Context(), "refused/UTI-1", 0, event("refused/UTI-1", 1))
	require.NoError(t, err)
	require.NoError(t, s.Close())

	another := kafka.Placement{Name: "another", Key: func(string) string { return "" }}
	for _, other := range []kafka.Placement{{}, another} {
		for _, readOnly := range []bool{false, true} {
			opts := opts
			opts.Place, opts.ReadOnly = other, readOnly
			_, err = kafka.Open(t.Context(), opts)
			require.ErrorIs(t, err, kafka.ErrUnfit)
			require.ErrorContains(t, err, fmt.Sprintf(`created with 8 partitions and the `+
				`placement "subject", and there are 8 partitions and the placement %q`, other.Name))
		}
	}
	s = open(t, opts)
	again, err := s.Append(t.Context(), "refused/UTI-1", 0, event("refused/UTI-1", 1))
	require.NoError(t, err)
	require.Equal(t, receipts, again)
	found, err := s.Find(t.Context(), event("refused/UTI-1", 1).ID)
	require.NoError(t, err)
	_, err = s.Append(t.Context(), "trade/UTI-1", 0, event("trade/UTI-1", 1))
	require.NoError(t, err)
	beside, err := s.Find(t.Context(), event("trade/UTI-1", 1).ID)
	require.NoError(t, err)
	require.Equal(t, found.Position.Partition, beside.Position.Partition)
}

// Two processes record commands at the same time, in different streams of a subject. Each id is in
// the log once.
func TestIDsAreUniqueInASubject(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions, opts.Place = 8, bySubject
	a := open(t, opts)
	opts.Address = "127.0.0.1:7001"
	b := open(t, opts)
	done := make(chan error, 2)
	const commands = 40
	for k, s := range [][2]*kafka.Store{{a, b}, {b, a}} {
		go func() {
			for i := range commands {
				cmd := trade.Command{UTI: fmt.Sprintf("UTI-%d", i)}
				e := event([]string{cmd.Stream(), cmd.RefusedStream()}[k], 1)
				e.ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(cmd.UTI))
				reused := new(contract.ReusedError)
				if err := appendToOwner(t, e, s[0], s[1]); err != nil && !errors.As(err, &reused) {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	ids := map[uuid.UUID]bool{}
	for _, e := range all(t, a) {
		require.False(t, ids[e.ID], "%s is recorded twice", e.ID)
		ids[e.ID] = true
	}
	require.Len(t, ids, commands)
}
