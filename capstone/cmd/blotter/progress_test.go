package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
	inmemory "example.com/blotter/solutions/2-store/memory"
)

// A progress line has a rate, and the time left where the size of the input is known.
func TestProgressShowsRateAndTimeLeft(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := count{noun: "lines", n: 300, at: 25, total: 100, began: began}
	require.Equal(t, "[#####---------------] 300 lines, 100 a second, 9s left",
		c.line(began.Add(3*time.Second)))
	c.total = 0
	require.Equal(t, "300 lines, 100 a second", c.line(began.Add(3*time.Second)))
	c = count{noun: "reading the log", start: 50, at: 75, total: 100, began: began}
	require.Equal(t, "[###############-----] reading the log", c.line(began.Add(time.Second/2)))
	require.Equal(t, "[###############-----] reading the log, 4s left",
		c.line(began.Add(4*time.Second)))
}

// Every command that takes over two seconds shows progress on a terminal. Other text takes its
// place on the screen, and a pipe gets none of it.
func TestProgressFollowsOtherText(t *testing.T) {
	t.Parallel()
	var screen, pipe bytes.Buffer
	p := &progress{out: &screen, command: "verify", began: time.Now()}
	at := func(seconds int) time.Time { return p.began.Add(time.Duration(seconds) * time.Second) }
	other := &visible{out: &screen, progress: p}
	readable := strings.NewReplacer("\r", "<", "\x1b[K", ">")
	shows := func(want string) {
		require.Equal(t, want, readable.Replace(screen.String()))
		screen.Reset()
	}
	p.draw(at(1))
	shows("")
	p.draw(at(3))
	shows("<verify: 3s>")
	_, err := other.Write([]byte("a warning\nhalf"))
	require.NoError(t, err)
	shows("<>a warning\nhalf")
	p.draw(at(4))
	shows("")
	_, err = other.Write([]byte(" a line\n"))
	require.NoError(t, err)
	shows(" a line\n")
	p.draw(at(5))
	shows("<verify: 5s>")
	p.end()
	shows("<>")
	p.draw(at(6))
	shows("")
	require.Nil(t, newProgress(&pipe).out)
}

// Reading the log counts, whichever part of a command reads it.
func TestProgressCountsWhatIsRead(t *testing.T) {
	t.Parallel()
	log := inmemory.NewSimulated()
	for n := range uint32(4) {
		_, err := log.Append(t.Context(), "a", contract.Any, contract.Event{
			ID: trade.EventID("c", n), Stream: "a", Type: "t", Schema: 1,
			Data: []byte{0, 0, 0, 0, 7, 1}, EffectiveAt: time.Unix(1, 0),
			EnteredAt: time.Unix(1, 0), Actor: "a", Reason: "r", Source: "s", CommandID: "c",
		})
		require.NoError(t, err)
	}
	p := new(progress)
	outer, done := p.counting("lines", 0, 0)
	var seen []int64
	for _, err := range (watchedLog{log, p}).Read(t.Context(), contract.Cursor{1},
		contract.Cursor{3}) {
		require.NoError(t, err)
		require.Equal(t, "reading the log", p.count.noun)
		require.EqualValues(t, 4, p.count.total)
		seen = append(seen, p.count.at)
	}
	require.Equal(t, []int64{2, 3}, seen)
	outer(1, 0)
	require.Equal(t, 1, p.count.n)
	done()
	require.Nil(t, p.count)
}

// On a terminal, too, a log appends to several streams at once, and is restored with such appends.
func TestWatchedLogsAppendToSeveralStreams(t *testing.T) {
	t.Parallel()
	ctx := contract.At(t.Context(), time.Unix(5, 0))
	schema, ok := schemas.Find("command.refused", 1)
	require.True(t, ok)
	var appends []contract.StreamAppend
	for n, stream := range []string{"account/main/cash", "journal/main/1"} {
		appends = append(appends, contract.StreamAppend{Stream: stream, Events: []contract.Event{{
			ID: trade.EventID("c", uint32(n)), Stream: stream, Type: schema.Type, Schema: 1,
			Fingerprint: schema.Fingerprint, Data: []byte{0, 0, 0, 0, 7, 1},
			EffectiveAt: time.Unix(1, 0), EnteredAt: time.Unix(1, 0), Actor: "a", Reason: "r",
			Source: "s", CommandID: "c",
		}}})
	}
	watched := watchedLog{inmemory.NewSimulated(), new(progress)}
	require.True(t, watched.Together("account/main/cash", "journal/main/1"))
	require.False(t, watched.Together("account/main/cash", "journal/other/1"))
	_, err := watched.AppendAll(ctx, appends)
	require.NoError(t, err)
	conflict := new(contract.ConflictError)
	appends[0].Events[0].ID = trade.EventID("c", 9)
	_, err = watched.AppendAll(ctx, appends[:1],
		contract.Guard{Stream: "journal/main/1", Version: 4})
	require.ErrorAs(t, err, &conflict)

	var lost oneBatch
	for r, err := range watched.Read(ctx, nil, contract.Cursor{2}) {
		require.NoError(t, err)
		lost = append(lost, r)
	}
	again := inmemory.NewSimulated()
	_, err = capstone.New(watchedLog{again, new(progress)}, codec.Offline(), "test").Restore(
		t.Context(), capstone.Restore{Archive: lost, Actor: "a", Approver: "b", Reason: "r"},
		func(int) {})
	require.NoError(t, err)
	for _, r := range lost {
		found, err := again.Find(ctx, r.ID)
		require.NoError(t, err)
		require.Equal(t, r.AppendGroup, found.AppendGroup)
	}

	_, err = watchedLog{struct{ contract.Store }{again}, nil}.AppendAll(ctx, appends)
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

// oneBatch is an archive with one batch.
type oneBatch []contract.Recorded

func (b oneBatch) Records(_ context.Context, each func(contract.SealedRecords) error) error {
	return each(contract.SealedRecords{Number: 1, Events: b})
}
