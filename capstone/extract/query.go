package extract

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Query selects the events of a bundle. The zero Query selects everything under the checkpoint.
//
// The refusals of a trade belong to the trade. The period is one of recorded_at, which the store
// set and the tree covers; effective_at is only the producer's claim.
type Query struct {
	UTIs []string // the trades
	// Events are the ids of the events, such as those of an answer of forensics.
	Events []uuid.UUID
	Book   string // all trades that were ever in this book, also before a correction
	From   time.Time
	Until  time.Time // recorded from From until Until, both included; zero is no limit
}

// Whole reports whether q selects everything.
func (q Query) Whole() bool {
	return len(q.UTIs) == 0 && q.Book == "" && len(q.Events) == 0 && !q.period()
}

func (q Query) period() bool { return !q.From.IsZero() || !q.Until.IsZero() }

// dense reports whether the answer has every version of each of its streams, up to some version.
func (q Query) dense() bool { return !q.period() && len(q.Events) == 0 }

func (q Query) check() error {
	switch {
	case len(q.UTIs) > 0 && q.Book != "":
		return errors.New("ask for trades or for a book, not for both")
	case len(q.Events) > 0 && (len(q.UTIs) > 0 || q.Book != "" || q.period()):
		return errors.New("ask for events alone, without trades, a book or a period")
	case slices.Contains(q.UTIs, ""):
		return errors.New("a UTI is empty")
	case !q.Until.IsZero() && q.Until.Before(q.From):
		return fmt.Errorf("the period ends at %s, before it begins", q.Until.Format(micros))
	}
	return nil
}

// normal returns the one form of q, so that equal queries give equal bytes.
func (q Query) normal() Query {
	q.UTIs = slices.Compact(slices.Sorted(slices.Values(q.UTIs)))
	q.Events = slices.CompactFunc(slices.SortedFunc(slices.Values(q.Events), compareIDs), sameID)
	q.From = q.From.UTC().Truncate(time.Microsecond)
	q.Until = q.Until.UTC().Truncate(time.Microsecond)
	return q
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
func sameID(a, b uuid.UUID) bool    { return a == b }

// A selection is a query with the streams of its trades.
type selection struct {
	Query
	streams map[string]bool // nil takes every stream
}

func (q Query) of(utis []string) selection {
	s := selection{q, map[string]bool{}}
	for _, uti := range utis {
		s.streams[trade.TradeStream(uti)] = true
		s.streams[trade.Command{UTI: uti}.RefusedStream()] = true
		s.streams[trade.ConfirmationStream(uti)] = true
	}
	return s
}

func (s selection) takes(r contract.Recorded) bool {
	return (s.streams == nil || s.streams[r.Stream]) && s.during(r.RecordedAt) &&
		(len(s.Events) == 0 || slices.Contains(s.Events, r.ID))
}

func (q Query) during(t time.Time) bool {
	return !t.Before(q.From) && (q.Until.IsZero() || !t.After(q.Until))
}

// utiOf returns the trade of a stream, and whether the stream is about a trade.
func utiOf(stream string) (string, bool) {
	return strings.CutPrefix(trade.Subject(stream), trade.TradeStream(""))
}

// Claims of a manifest: those that Verify proves, and those that no reader should infer. These
// texts are part of the format.
const (
	claimIncluded = "every event in the bundle is in the log of this origin, " +
		"under this checkpoint, with exactly these attributes and this raw data"
	claimAnswers  = "every event in the bundle answers the query"
	claimDense    = "the versions of every stream in the bundle run from 1 without a hole"
	claimComplete = "every event under the checkpoint is in the bundle"

	noTruth = "that what an event says was true, " +
		"or that nothing was kept out of the log before it was sealed"
	noClock = "whether the log is simulated, so that its recorded times follow the entered ones"
	noBook  = "that the trades of the bundle were ever in the book"
	noOther = "that no other event under the checkpoint answers the query"
	noHoles = "that a stream has no event outside the period"
	noLater = "that a stream in the bundle has no later version"
	noAlone = "that a stream in the bundle has no version outside the bundle"
)

// claims returns the claims of a query. They depend on nothing else.
func (q Query) claims() (proven, not []string) {
	switch {
	case q.Whole():
		return []string{claimIncluded, claimDense, claimComplete}, []string{noTruth, noClock}
	case len(q.Events) > 0:
		return []string{claimIncluded, claimAnswers}, []string{noTruth, noClock, noOther, noAlone}
	case q.period() && q.Book != "":
		return []string{claimIncluded}, []string{noTruth, noClock, noBook, noOther, noHoles}
	case q.period():
		return []string{claimIncluded, claimAnswers}, []string{noTruth, noClock, noOther, noHoles}
	}
	return []string{claimIncluded, claimAnswers, claimDense},
		[]string{noTruth, noClock, noOther, noLater}
}

// claimReadable is proven if this program has every schema of the bundle, and all data is readable.
const claimReadable = "the readable data is the raw data, read by the published schemas"

// claims returns the claims of the manifest, and those about the schemas and the data of a bundle,
// of which a number of events is unread.
func (m Manifest) claims(c catalog, unread int64) (proven, not []string) {
	proven, not = slices.Clone(m.Proven), slices.Clone(m.NotProven)
	readable := unread == 0
	if !readable {
		not = append(not, fmt.Sprintf("the meaning of raw where data is null: number of such "+
			"events: %d", unread))
	}
	for _, s := range c.sorted() {
		if s.unknown {
			readable = false
			not = append(not, fmt.Sprintf("the scale of decimals, and the meaning of other "+
				"numbers, in data of %s version %d: this program does not have that schema",
				s.Type, s.Version))
		}
	}
	if readable {
		proven = append(proven, claimReadable)
	}
	return proven, not
}

// String returns the query in words: "trades T-1, T-2", "book CRUDE", "everything", with the
// period.
func (a Asked) String() string {
	words := "everything"
	switch {
	case len(a.UTIs) > 0:
		words = "trades " + strings.Join(a.UTIs, ", ")
	case a.Book != "":
		words = "book " + a.Book
	case len(a.Events) == 1:
		words = "1 event by its id"
	case len(a.Events) > 1:
		words = fmt.Sprintf("%d events by their ids", len(a.Events))
	}
	if a.RecordedFrom != "" {
		words += ", recorded from " + a.RecordedFrom
	}
	if a.RecordedUntil != "" {
		words += ", recorded until " + a.RecordedUntil
	}
	return words
}
