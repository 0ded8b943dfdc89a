package trade_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// asked is the time of asking: on the 17th in Brussels, on the 16th in London.
var asked = at("2025-02-16T23:30:00.0000004Z")

func TestMoments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2025-02-16":                "2025-02-16T22:59:59.999999Z",
		"2025-03-30":                "2025-03-30T21:59:59.999999Z", // the day has 23 hours
		"2025-02-16T13:10:00+01:00": "2025-02-16T12:10:00Z",
		"2025-02-16T13:10:00-23:59": "2025-02-17T13:09:00Z",
		"2025-02-16T13:10:00.5Z":    "2025-02-16T13:10:00.5Z",
		"now":                       "2025-02-16T23:30:00Z",
		"today":                     "2025-02-17T22:59:59.999999Z",
		"yesterday":                 "2025-02-16T22:59:59.999999Z",
		"-0d":                       "2025-02-17T22:59:59.999999Z",
		"-1d":                       "2025-02-16T22:59:59.999999Z",
		"-17d":                      "2025-01-31T22:59:59.999999Z",
	} {
		got, err := trade.ParseMoment(text, trade.BookZone(), asked)
		require.NoError(t, err, text)
		require.Equal(t, at(want), got, text)
	}
}

func TestMomentsFollowTheZone(t *testing.T) {
	t.Parallel()
	london, err := trade.Zone("GB")
	require.NoError(t, err)
	got, err := trade.ParseMoment("today", london, asked)
	require.NoError(t, err)
	require.Equal(t, at("2025-02-16T23:59:59.999999Z"), got)
}

func TestBeginnings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2025-03-31":           "2025-03-30T22:00:00Z",
		"yesterday":            "2025-02-15T23:00:00Z",
		"today":                "2025-02-16T23:00:00Z",
		"now":                  "2025-02-16T23:30:00Z",
		"2025-02-16T13:10:00Z": "2025-02-16T13:10:00Z",
	} {
		got, err := trade.ParseBeginning(text, trade.BookZone(), asked)
		require.NoError(t, err, text)
		require.Equal(t, at(want), got, text)
	}
}

// time.Parse takes the first nine of these.
func TestTimesAreStrictRFC3339(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"2025-01-16T13:10:00+24:01", "2025-01-16T13:10:00+00:60", "2025-01-16T13:10:00-24:00",
		"2025-01-16T1:10:00Z", "2025-01-16T13:10:00,5Z", "2025-01-16T13:10:00,5+01:00",
		"0001-01-01T00:00:00Z", "0000-12-31T00:00:00Z", "9999-12-31T23:59:59-00:01",
		"2025-01-16T13:10:00", "2025-01-16 13:10:00Z", "2025-01-16t13:10:00z",
		"2025-01-16T24:00:00Z", "2025-01-16T13:10:60Z", "2025-02-29T00:00:00Z",
		"16.2.2025", "2025-2-16", "", " now", "NOW", "tomorrow", "1d", "-d", "-1", "--1d", "-1.5d",
		"-36501d", "-99999999999999999999d",
	} {
		_, err := trade.ParseTime(text)
		require.Error(t, err, text)
		for _, parse := range []func(string, *time.Location, time.Time) (time.Time, error){
			trade.ParseMoment, trade.ParseBeginning,
		} {
			_, err := parse(text, trade.BookZone(), asked)
			require.ErrorContains(t, err, "is neither a date nor a time", text)
		}
	}
}
