package serve

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// measureLimit is the most time of one measurement. A scrape of Prometheus has 10 seconds.
const measureLimit = 5 * time.Second

// A gauger measures what /metrics shows of the log and its readers. It measures when it is asked:
// without a scrape it costs nothing, and a reader that stands still does not hide it.
type gauger struct {
	mu        sync.Mutex
	consumers []*reader
	end       contract.Cursor // the last one that the log told

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
	}
	for _, m := range s.Models {
		add(m.Name, m.Cursor)
	}
	if swept := s.System.FollowUps.SweptTo; swept != nil {
		add(sweeper, func(context.Context) (contract.Cursor, error) { return swept.Load() })
	}
	if s.Seal != nil {
		add(sealing, func(context.Context) (contract.Cursor, error) { return g.sealed.End, nil })
	}
	return g
}

// Names of readers that are no read model.
const (
	sweeper = "follow-ups"
	sealing = "seal"
)

// measure sets the gauges. After a failure it counts the failure and goes on with the last answer.
func (s *Server) measure(ctx context.Context) {
	g := s.gauger
	g.mu.Lock()
	defer g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, measureLimit)
	defer cancel()
	end, err := s.System.Log.End(ctx)
	if s.measured("end of the log", err) {
		g.end = end
	}
	for p, at := range g.end {
		s.metrics.end.WithLabelValues(fmt.Sprint(p)).Set(float64(at))
	}
	for _, r := range g.consumers {
		oldest := s.measureReader(ctx, r, g.end)
		if r.name == sealing {
			s.measureSeal(g, oldest)
		}
	}
	s.measureSnapshot(ctx)
	s.measureFollowUps(ctx)
	s.measureOthers(ctx)
}

// measured counts a failed measurement, and reports whether there was none.
func (s *Server) measured(of string, err error) bool {
	if err != nil {
		s.metrics.failures.WithLabelValues(of).Inc()
	}
	return err == nil
}

// measureReader measures the distance of a reader from the end, and returns the age of the first
// event that it has not read. A read model whose database is away stands still: its distance goes
// on growing.
func (s *Server) measureReader(
	ctx context.Context, r *reader, end contract.Cursor,
) (oldest float64) {
	at, err := r.cursor(ctx)
	if s.measured("cursor of "+r.name, err) {
		r.at, r.known = at, true
	}
	if !r.known {
		return 0
	}
	for p := range int32(len(end)) {
		labels := []string{r.name, fmt.Sprint(p)}
		s.metrics.offsets.WithLabelValues(labels...).Set(float64(r.at.At(p)))
		s.metrics.lagEvents.WithLabelValues(labels...).Set(float64(max(0, end.At(p)-r.at.At(p))))
		age, err := s.unreadAge(ctx, r, p, end)
		if s.measured("first unread event of "+r.name, err) && !s.System.Simulated {
			s.metrics.lagSeconds.WithLabelValues(labels...).Set(age)
			oldest = max(oldest, age)
		}
	}
	return oldest
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

func (s *Server) measureSeal(g *gauger, oldest float64) {
	s.metrics.unsealed.Set(float64(g.sealed.End.Distance(g.end)))
	s.metrics.unsealedAge.Set(oldest)
	if !g.sealedAt.IsZero() {
		s.metrics.leaves.Set(float64(g.sealed.Size))
		s.metrics.sealAge.WithLabelValues().Set(since(g.sealedAt))
	}
}

// measureSnapshot finds the last snapshot in the stream that records them.
func (s *Server) measureSnapshot(ctx context.Context) {
	var last time.Time
	for e, err := range s.System.Log.Stream(ctx, trade.SnapshotStream) {
		if !s.measured("snapshots", err) {
			return
		}
		kind, _ := trade.KindOfType(e.Type)
		if _, ok := kind.Zero.(trade.SnapshotTaken); ok {
			last = e.RecordedAt
		}
	}
	if !last.IsZero() && !s.System.Simulated {
		s.metrics.snapshotAge.WithLabelValues().Set(since(last))
	}
}

// measureFollowUps counts the follow-ups that the next sweep has to issue. Without a saved cursor
// that would read the whole log.
func (s *Server) measureFollowUps(ctx context.Context) {
	if s.System.FollowUps.SweptTo == nil {
		return
	}
	missing, err := s.System.FollowUps.Missing(ctx)
	if s.measured("follow-ups", err) {
		s.metrics.missing.Set(float64(missing))
	}
}

// measureOthers counts the parked streams, if the read model can, and the late reports.
func (s *Server) measureOthers(ctx context.Context) {
	counter, ok := s.System.Projection.(interface {
		CountParked(context.Context) (int64, error)
	})
	if ok {
		if n, err := counter.CountParked(ctx); s.measured("parked streams", err) {
			s.metrics.parked.Set(float64(n))
		}
	}
	if s.LateReports != nil {
		if n, err := s.LateReports(ctx); s.measured("late reports", err) {
			s.metrics.late.WithLabelValues().Set(float64(n))
		}
	}
}
