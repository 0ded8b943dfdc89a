package domain_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
)

type denied struct {
	Principal string  `avro:"principal"`
	Action    string  `avro:"action"`
	Resource  string  `avro:"resource"`
	Policy    *string `avro:"policy"`
}

func (denied) EventType() string { return "access.denied" }

var entry = domain.Entry{
	CommandID: "c-1", Actor: "carol", Reason: "a request", Source: "test",
	EnteredAt: time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC),
}

func example(t *testing.T) (contract.Recorded, denied) {
	t.Helper()
	policy := "no-self-approval"
	body := denied{"carol", "command.send", "trade/T-1", &policy}
	e, err := domain.Offline().Event(t.Context(), "access/carol", 0, entry, body)
	require.NoError(t, err)
	return contract.Recorded{Event: e, Version: 1, RecordedAt: entry.EnteredAt}, body
}

// A body comes back as it was, a store takes its event, and the folds of trades pass over it.
func TestEventComesBack(t *testing.T) {
	t.Parallel()
	r, body := example(t)
	require.Equal(t, trade.EventID("c-1", 0), r.ID)
	got, err := domain.Decode[denied](r)
	require.NoError(t, err)
	require.Equal(t, body, got)

	store := memory.NewSimulated()
	_, err = store.Append(t.Context(), r.Stream, 0, r.Event)
	require.NoError(t, err)

	e, err := contract.Decoded(t.Context(), codec.Offline(), r)
	require.NoError(t, err)
	require.Equal(t, trade.Foreign{Type: "access.denied"}, e.Body)
	legal, parked := trade.Legal(r.Stream, []trade.Event{e})
	require.Nil(t, parked)
	require.Len(t, legal, 1)
	_, parked = trade.Legal("trade/T-1", []trade.Event{e})
	require.NotNil(t, parked, "an event of another domain is illegal in the stream of a trade")
	_, parked = trade.Legal("curve/DE", []trade.Event{e})
	require.NotNil(t, parked)
}

// Data that is not the one text of a value is an error that names the event, never a value.
func TestDamagedDataIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*contract.Recorded){
		"a byte less":         func(r *contract.Recorded) { r.Data = r.Data[:len(r.Data)-1] },
		"a byte more":         func(r *contract.Recorded) { r.Data = append(r.Data, 0) },
		"no data":             func(r *contract.Recorded) { r.Data = r.Data[:5] },
		"no prefix":           func(r *contract.Recorded) { r.Data = nil },
		"another type":        func(r *contract.Recorded) { r.Type = "trade.new" },
		"another version":     func(r *contract.Recorded) { r.Schema = 9 },
		"another fingerprint": func(r *contract.Recorded) { r.Fingerprint[0]++ },
		"a wrong branch":      func(r *contract.Recorded) { r.Data[len(r.Data)-17] = 9 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := example(t)
			change(&r)
			_, err := domain.Decode[denied](r)
			require.ErrorContains(t, err, "stream access/carol, version 1")
			require.True(t, contract.IsUndecodable(err), "%v", err)
		})
	}
}

type unheard struct{ denied }

func (unheard) EventType() string { return "trade.new" }

func TestUnknownTypeIsRefused(t *testing.T) {
	t.Parallel()
	_, err := domain.Offline().Event(t.Context(), "s", 0, entry, unheard{})
	require.ErrorIs(t, err, contract.ErrUnencodable)
}

// A registry gets each version of a type once, and its id is in the data.
func TestTypeIsPublishedOnce(t *testing.T) {
	t.Parallel()
	var subjects registry
	c := domain.New(&subjects, "log")
	for range 2 {
		p, err := c.Encode(t.Context(), denied{})
		require.NoError(t, err)
		require.Equal(t, []byte{0, 0, 0, 0, 70}, p.Data[:5])
	}
	require.Equal(t, registry{"log-access.denied"}, subjects)
}

type registry []string

func (r *registry) Register(_ context.Context, subject, _ string) (int, error) {
	*r = append(*r, subject)
	return 70, nil
}

func (r *registry) RegisterJSON(context.Context, string, string) (int, error) { panic("unused") }
func (r *registry) Text(context.Context, int) (string, error)                 { panic("unused") }
