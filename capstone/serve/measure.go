package serve

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A scrape of Prometheus has 10 seconds. A measurement that takes too long is a failed one, and the
// next ones still have their time.
const (
	measureLimit = 5 * time.Second // of all measurements
	oneLimit     = time.Second
)

// sweepLimit is the most unswept events whose follow-ups are counted. Beyond it the lag of the
// sweep tells more than the count, which would read all of them.
const sweepLimit = 10_000

// The names of measurements. Those of a reader have its name at the end.
const (
	endOfLog       = "end of the log"
	snapshotsTaken = "snapshots"
	missingOnes    = "follow-ups"
	parkedStreams  = "parked streams"
	lastCheckpoint = "last checkpoint"
	lateReports    = "late reports"
	cursorOf       = "cursor of "
	firstUnreadOf  = "first unread event of "
)

var measurements = []string{endOfLog, snapshotsTaken, missingOnes, parkedStreams, lastCheckpoint,
	lateReports}

// A gauger measures what /metrics shows of the log and its readers. It measures when it is asked:
// without a scrape it costs nothing, and a reader that stands still does not hide it.
type gauger struct {
	mu        sync.Mutex
	consumers []*reader
	end       contract.Cursor // the last one that the log told

	snapshotsTo contract.Cursor // the end of the log when the snapshots were read last
	snapshot    time.Time       // the last one; zero: there is none

	sealed   contract.Checkpoint // the last one that this process knows
	sealedAt time.Time           // zero: no checkpoint is known
}

// A reader is a reader of the log whose progress is kept: a read model, the sweep of follow-ups,
// the seal.
type reader struct {
	name   string
	cursor func(context.Context) (contract.Cursor, error)
	at     contract.Cursor // the last one that it told
	known  bool
	first  map[int32]unread // by partition
}

// An unread event is the first one that a reader has not read.
type unread struct {
	from int64 // the reader's offset
	at   time.Time
}

// sealedTo notes a checkpoint and the time of its publication.
func (g *gauger) sealedTo(c contract.Checkpoint, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sealed, g.sealedAt = c, at
}

// newGauger returns the gauger of a server's read models, its sweep and its seal.
func newGauger(s *Server) *gauger {
	g := new(gauger)
	add := func(name string, cursor func(context.Context) (contract.Cursor, error)) {
		g.consumers = append(g.consumers, &reader{name: name, cursor: cursor,
			first: map[int32]unread{}})
		s.metrics.failures.WithLabelValues(cursorOf + name)
		s.metrics.failures.WithLabelValues(firstUnreadOf + name)
	}
	for _, m := range s.Models {
		add(m.Name, m.Cursor)
	}
	if swept := s.System.FollowUps.SweptTo; swept != nil {
		add(sweeper, func(context.Context) (contract.Cursor, error) { return swept.Load() })
	}
	if p := s.Publisher; p != nil {
		add(publishing, func(context.Context) (contract.Cursor, error) { return p.Cursor.Load() })
	}
	if s.Seal != nil {
		add(sealing, func(context.Context) (contract.Cursor, error) { return g.sealed.End, nil })
	}
	return g
}

// Names of readers that are no read model.
const (
	sweeper    = "follow-ups"
	publishing = "publication"
	sealing    = "seal"
)

// measure sets the gauges. After a failure it counts the failure and goes on with the last answer.
func (s *Server) measure(ctx context.Context) {
	g := s.gauger
	g.mu.Lock()
	defer g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, measureLimit)
	defer cancel()
	one, done := context.WithTimeout(ctx, oneLimit)
	end, err := s.System.Log.End(one)
	done()
	if s.measured(endOfLog, err) {
		g.end = end
	}
	for p, at := range g.end {
		s.metrics.end.WithLabelValues(fmt.Sprint(p)).Set(float64(at))
	}
	for _, r := range g.consumers {
		limited(ctx, func(ctx context.Context) {
			oldest, ok := s.measureReader(ctx, r, g.end)
			if r.name == sealing {
				s.measureSeal(g, oldest, ok)
			}
		})
	}
	limited(ctx, s.measureSnapshot)
	limited(ctx, s.measureFollowUps)
	limited(ctx, s.measureParked)
}

// limited does one measurement within its limit.
func limited(ctx context.Context, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, oneLimit)
	defer cancel()
	do(ctx)
}

// measured counts a failed measurement, and reports whether there was none.
func (s *Server) measured(of string, err error) bool {
	if err != nil {
		s.metrics.failures.WithLabelValues(of).Inc()
	}
	return err == nil
}

// measureReader measures the distance of a reader from the end, and returns the age of the first
// event that it has not read; ok is false if one was not measured. A read model whose database is
// away stands still: its distance goes on growing.
func (s *Server) measureReader(
	ctx context.Context, r *reader, end contract.Cursor,
) (oldest float64, ok bool) {
	at, err := r.cursor(ctx)
	if s.measured(cursorOf+r.name, err) {
		r.at, r.known = at, true
	}
	if !r.known {
		return 0, false
	}
	ok = end != nil
	for p := range int32(len(end)) {
		labels := []string{r.name, fmt.Sprint(p)}
		s.metrics.offsets.WithLabelValues(labels...).Set(float64(r.at.At(p)))
		s.metrics.lagEvents.WithLabelValues(labels...).Set(float64(max(0, end.At(p)-r.at.At(p))))
		age, err := s.unreadAge(ctx, r, p, end)
		if !s.measured(firstUnreadOf+r.name, err) {
			ok = false
		} else if !s.System.Simulated {
			s.metrics.lagSeconds.WithLabelValues(labels...).Set(age)
			oldest = max(oldest, age)
		}
	}
	return oldest, ok
}

// unreadAge returns the age in seconds of the first event of a partition that a reader has not
// read, or 0 if no event is left. A simulated log's times are invented: it has no age.
func (s *Server) unreadAge(
	ctx context.Context, r *reader, p int32, end contract.Cursor,
) (float64, error) {
	if end.At(p) <= r.at.At(p) || s.System.Simulated {
		return 0, nil
	}
	first, err := s.firstUnread(ctx, r, p, end)
	if err != nil || first.IsZero() {
		return 0, err
	}
	return max(0, since(first)), nil
}

// firstUnread returns the recorded_at of the first event of a partition that a reader has not read,
// or zero if only offsets without events are left. It reads one event, once for each place at which
// the reader stands.
func (s *Server) firstUnread(
	ctx context.Context, r *reader, p int32, end contract.Cursor,
) (time.Time, error) {
	from := r.at.At(p)
	if known, ok := r.first[p]; ok && known.from == from {
		return known.at, nil
	}
	begin := append(contract.Cursor{}, end...)
	begin[p] = from
	for e, err := range s.System.Log.Read(ctx, begin, end) {
		if err != nil {
			return time.Time{}, err
		}
		r.first[p] = unread{from, e.RecordedAt}
		return e.RecordedAt, nil
	}
	return time.Time{}, nil
}

func (s *Server) measureSeal(g *gauger, oldest float64, ok bool) {
	if g.end != nil {
		s.metrics.unsealed.WithLabelValues().Set(float64(g.sealed.End.Distance(g.end)))
	}
	if ok {
		s.metrics.unsealedAge.WithLabelValues().Set(oldest)
	}
	if !g.sealedAt.IsZero() {
		s.metrics.leaves.WithLabelValues().Set(float64(g.sealed.Size))
		s.metrics.sealAge.WithLabelValues().Set(since(g.sealedAt))
	}
}

// measureSnapshot finds the last snapshot. It reads the stream that records them once, and then
// only what the log has grown by, if that is not too much.
func (s *Server) measureSnapshot(ctx context.Context) {
	g := s.gauger
	all := s.System.Log.Stream(ctx, trade.SnapshotStream)
	if g.snapshotsTo != nil && g.snapshotsTo.Distance(g.end) <= sweepLimit {
		all = s.System.Log.Read(ctx, g.snapshotsTo, g.end)
	}
	for e, err := range all {
		if !s.measured(snapshotsTaken, err) {
			return
		}
		kind, _ := trade.KindOfType(e.Type)
		if _, ok := kind.Zero.(trade.SnapshotTaken); ok {
			g.snapshot = e.RecordedAt
		}
	}
	g.snapshotsTo = g.end
	if !g.snapshot.IsZero() && !s.System.Simulated {
		s.metrics.snapshotAge.WithLabelValues().Set(since(g.snapshot))
	}
}

// measureFollowUps counts the follow-ups that the next sweep has to issue. Without a saved cursor,
// or far behind, that would read too much of the log: there is no series then.
func (s *Server) measureFollowUps(ctx context.Context) {
	if s.System.FollowUps.SweptTo == nil {
		return
	}
	swept, err := s.System.FollowUps.SweptTo.Load()
	if err == nil && (len(swept) == 0 || swept.Distance(s.gauger.end) > sweepLimit) {
		s.metrics.missing.Reset()
		return
	}
	missing := 0
	if err == nil {
		missing, err = s.System.FollowUps.Missing(ctx)
	}
	if s.measured(missingOnes, err) {
		s.metrics.missing.WithLabelValues().Set(float64(missing))
	}
}

// measureParked counts the parked streams, if the read model can.
func (s *Server) measureParked(ctx context.Context) {
	counter, ok := s.System.Projection.(interface {
		CountParked(context.Context) (int64, error)
	})
	if ok {
		if n, err := counter.CountParked(ctx); s.measured(parkedStreams, err) {
			s.metrics.parked.WithLabelValues().Set(float64(n))
		}
	}
}
