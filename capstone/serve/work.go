package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/blotter/capstone/access"
	"example.com/blotter/labs/kit/contract"
)

// Intervals of the work in the background.
const (
	lookEvery  = 250 * time.Millisecond // at the end of the log
	sweepEvery = time.Minute            // for follow-ups that a crash left undone
	maxBehind  = 30 * time.Second       // of a read model, before the service is not ready
)

// work keeps the read models, the follow-ups and the seals up with the log until ctx ends. What
// fails is tried again at the next turn, and /readyz says why.
func (s *Server) work(ctx context.Context) {
	var all sync.WaitGroup
	for _, m := range s.Models {
		f := follower{model: m, since: time.Now()}
		all.Go(func() { repeat(ctx, lookEvery, func() { s.note(f.step(ctx, s)) }) })
	}
	all.Go(func() {
		repeat(ctx, sweepEvery, func() {
			s.note(PartOf("follow-ups", "", s.System.FollowUps.Sweep(ctx)))
		})
	})
	if s.Recheck != nil && s.RecheckEvery > 0 {
		all.Go(func() {
			repeat(ctx, s.RecheckEvery, func() {
				for _, p := range s.Recheck(ctx) {
					s.note(p)
				}
			})
		})
	}
	if s.Late != nil && s.RecheckEvery > 0 {
		all.Go(func() { repeat(ctx, s.RecheckEvery, func() { s.countLate(ctx) }) })
	}
	if s.Ledgers != nil && s.Ledgers.Poster != nil {
		all.Go(func() { repeat(ctx, lookEvery, func() { s.postTrades(ctx) }) })
	}
	if s.Publisher != nil {
		all.Go(func() { repeat(ctx, lookEvery, func() { s.publish(ctx) }) })
	}
	if s.Seal != nil {
		seal := sealer{last: time.Now(), part: PartOf("seal", "it has not sealed yet", nil)}
		all.Go(func() { repeat(ctx, lookEvery, func() { seal.step(ctx, s) }) })
	}
	if s.Reconcile != nil && s.ReconcileEvery > 0 {
		all.Go(func() { repeat(ctx, s.ReconcileEvery, func() { s.reconcile(ctx) }) })
	}
	all.Wait()
}

// reconcile runs the reconciliations. The part is not well while a break is open.
func (s *Server) reconcile(ctx context.Context) {
	open, err := s.Reconcile(ctx)
	if err == nil || open > 0 {
		s.metrics.breaks.WithLabelValues().Set(float64(open))
	}
	part := PartOf("reconcile", "no break is open", err)
	if open > 0 {
		part.Well = false
		part.Reason = cut(fmt.Sprintf("%d breaks are open; %s", open, part.Reason))
	}
	s.note(part)
}

// countLate counts the late reports. The part is not well while there are some.
func (s *Server) countLate(ctx context.Context) {
	counts, err := s.Late(ctx)
	all := 0
	if s.measured(lateReports, err) {
		for rules, n := range counts {
			s.metrics.late.WithLabelValues(rules).Set(float64(n))
			all += n
		}
	}
	part := PartOf("reports", "no report is late", err)
	if all > 0 {
		part.Well, part.Reason = false, fmt.Sprintf("%d reports are late: blotter report late", all)
	}
	s.note(part)
}

// repeat calls do now, and after each interval. Work that takes long pauses twice as long, so that
// it leaves room for commands: a read model folds a batch of late events in one go later.
func repeat(ctx context.Context, every time.Duration, do func()) {
	for ctx.Err() == nil {
		began := time.Now()
		do()
		pause := time.NewTimer(max(every, 2*time.Since(began)))
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
}

// A follower keeps one read model at the end of the log.
type follower struct {
	model Model
	since time.Time // it was at the end of the log
}

func (f *follower) step(ctx context.Context, s *Server) Part {
	name := "read model " + f.model.Name
	end, err := s.System.Log.End(ctx)
	if err == nil {
		err = s.System.Project(ctx, s.System.Log, f.model, end, batch)
	}
	at, reading := f.model.Cursor(ctx)
	if err = errors.Join(err, reading); err == nil {
		f.since = time.Now()
	}
	part := PartOf(name, fmt.Sprintf("%d offsets behind", at.Distance(end)), err)
	part.Away = err != nil && time.Since(f.since) > maxBehind
	return part
}

// batch is the number of events that a read model applies in one transaction. A smaller one than
// that of a query lets readers in between.
const batch = 5_000

// A sealer seals when enough events or enough time have passed since its last seal.
type sealer struct {
	last time.Time
	told bool            // of the checkpoint of an earlier process
	end  contract.Cursor // of the log when it sealed last; nil: it has not sealed yet
	part Part            // its state after its last seal
	away bool            // the log was, at the last look
	next time.Time       // it does not seal before, after a seal that failed
}

// sealAgain is the longest wait after a seal that failed.
const sealAgain = 10 * time.Second

func (f *sealer) step(ctx context.Context, s *Server) {
	end, err := s.System.Log.End(ctx)
	if err != nil {
		s.note(PartOf("seal", "", err))
		f.away = true
		return
	}
	f.recall(ctx, s)
	if f.away {
		s.note(f.part)
		f.away = false
	}
	grown := f.end.Distance(end)
	due := s.SealEveryEvents > 0 && grown >= s.SealEveryEvents ||
		s.SealEvery > 0 && time.Since(f.last) >= s.SealEvery
	if grown == 0 || !due || time.Now().Before(f.next) {
		return
	}
	checkpoint, err := s.seal(ctx, f.end, end)
	f.last = time.Now()
	if err != nil {
		f.next = f.last.Add(min(cmp.Or(s.SealEvery, sealAgain), sealAgain))
	} else {
		f.end = end
		s.gauger.sealedTo(checkpoint, f.last)
	}
	said := fmt.Sprintf("checkpoint with %d leaves", checkpoint.Size)
	if n := len(checkpoint.Offenders); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d events have a recorded_at that cannot be true", n))
	}
	f.part = PartOf("seal", said, err)
	s.note(f.part)
}

// recall tells the metrics of the last checkpoint of an earlier process, once.
func (f *sealer) recall(ctx context.Context, s *Server) {
	if f.told || s.Sealed == nil {
		return
	}
	c, at, err := s.Sealed(ctx)
	if s.measured(lastCheckpoint, err) {
		f.told = true
		s.gauger.sealedTo(c, at)
		f.end = c.End
	}
}

// A Part is the state of one part of the service.
type Part struct {
	Name   string `json:"name"`
	Well   bool   `json:"well"`
	Reason string `json:"reason,omitempty"`

	Away bool `json:"-"` // the service is not ready without it
}

// PartOf returns the state of a part after its last work.
func PartOf(name, said string, err error) Part {
	if err != nil {
		return Part{Name: name, Reason: cut(err.Error())}
	}
	return Part{Name: name, Well: true, Reason: said}
}

// note keeps the state of a part. A part that is stopped with the service says nothing.
func (s *Server) note(p Part) {
	if s.ending.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.parts[p.Name]; !p.Well && (!ok || was.Well) {
		s.Log.Warn(p.Name, "reason", p.Reason)
	}
	s.parts[p.Name] = p
}

// Parts returns the state of every part: of the stack, of the log, and of the work. A client that
// hangs up ends no check, whose result others get.
func (s *Server) Parts(ctx context.Context) []Part {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	all := s.stackParts(ctx)
	end, err := s.System.Log.End(ctx)
	log := PartOf("log", fmt.Sprintf("%d offsets", contract.Cursor{}.Distance(end)), err)
	log.Away = err != nil
	all = append(all, log)
	if s.ending.Err() != nil {
		all = append(all, Part{Name: "service", Reason: "it stops", Away: true})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(all, slices.SortedFunc(maps.Values(s.parts),
		func(a, b Part) int { return strings.Compare(a.Name, b.Name) })...)
}

// stackParts examines the stack at most once a second: anybody may ask.
func (s *Server) stackParts(ctx context.Context) []Part {
	if s.Check == nil {
		return nil
	}
	s.checking.Lock()
	defer s.checking.Unlock()
	if time.Since(s.checkedAt) > time.Second {
		s.checked, s.checkedAt = s.Check(ctx), time.Now()
	}
	return slices.Clone(s.checked)
}

// A Health is the state of every part. It is not ready while a part is away without which no
// command can be decided or no answer is up to date.
type Health struct {
	Ready bool   `json:"ready"`
	Parts []Part `json:"parts"`
}

// Ready returns the health of a service that has these parts. /readyz and blotter status give it.
func Ready(parts []Part) Health {
	away := slices.ContainsFunc(parts, func(p Part) bool { return p.Away })
	return Health{!away, append([]Part{}, parts...)}
}

// Health examines every part.
func (s *Server) Health(ctx context.Context) Health { return Ready(s.Parts(ctx)) }

// health is the answer of /livez and /readyz.
type health struct {
	Status int
	Body   Health
}

func (s *Server) routeHealth() {
	public := []map[string][]string{} // no credential is needed
	register(s.api, huma.Operation{OperationID: "livez", Method: http.MethodGet,
		Path: "/livez", Summary: "Whether the process answers", Security: public,
	}, func(context.Context, *struct{}) (*health, error) {
		return &health{http.StatusOK, Ready(nil)}, nil
	})
	register(s.api, huma.Operation{OperationID: "readyz", Method: http.MethodGet,
		Path: "/readyz", Summary: "Whether each part does its work, with its reason",
		Security: public,
	}, s.ready)
	s.route(&huma.Operation{OperationID: "metrics", Method: http.MethodGet, Path: "/metrics",
		Summary: "Counts for Prometheus", Metadata: needs(access.Watch),
		Responses: map[string]*huma.Response{"200": {Description: "Text of Prometheus.",
			Content: map[string]*huma.MediaType{"text/plain": {}}}}},
		s.metricsPage)
}

// ready answers 503 while the service is not ready.
func (s *Server) ready(ctx context.Context, _ *struct{}) (*health, error) {
	h := &health{http.StatusOK, s.Health(ctx)}
	if !h.Body.Ready {
		h.Status = http.StatusServiceUnavailable
	}
	return h, nil
}
