package filing_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/filing"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// eventsOfEach is the number of events of each contract of a manyContracts.
const eventsOfEach = 10

// manyContracts is a log of contracts with a NEW and amendments, after some reference data. It
// makes the events as they are read, and so takes no memory.
type manyContracts struct {
	before   []contract.Recorded
	payloads [eventsOfEach]contract.Payload
	n        int
}

func newManyContracts(t *testing.T, n int) manyContracts {
	d := market(newDesk(t))
	d.flush("2025-03-03T08:00:00Z")
	log := manyContracts{n: n}
	for r, err := range filing.Of(d.log, d.trades, d.now).Read(t.Context()) {
		require.NoError(t, err)
		log.before = append(log.before, r)
	}
	for i := range log.payloads {
		body := trade.Body(forward("ACME"))
		if i > 0 {
			price := trade.Dec("80.5").Add(trade.Int(int64(i)))
			body = trade.Amend{Kind: trade.Amendment, Price: &price}
		}
		p, err := d.trades.Encode(t.Context(), body)
		require.NoError(t, err)
		log.payloads[i] = p
	}
	return log
}

func (l manyContracts) read(context.Context) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for _, r := range l.before {
			if !yield(r, nil) {
				return
			}
		}
		start := reporttest.At("2025-03-03T09:00:00Z")
		for i := range l.n * eventsOfEach {
			if !yield(l.event(i, start.Add(time.Duration(i)*time.Millisecond)), nil) {
				return
			}
		}
	}
}

// event returns the i-th event. The contracts take turns.
func (l manyContracts) event(i int, at time.Time) contract.Recorded {
	step, p := i/l.n, l.payloads[i/l.n]
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[8:], uint64(i+1))
	return contract.Recorded{Version: int64(step + 1), RecordedAt: at, Event: contract.Event{
		ID: id, Stream: trade.TradeStream(fmt.Sprintf("%sM%d", lei, i%l.n)), Type: p.Type,
		Schema: p.Schema, Fingerprint: p.Fingerprint, Data: p.Data, EffectiveAt: at, EnteredAt: at,
		CommandID: fmt.Sprint(i), Actor: "anna", Reason: "as agreed", Source: "test"}}
}

// A sampled writer notes the heap that is in use at some rows, after a collection: then the
// histories of a whole batch are held.
type sampled struct {
	report.Writer
	rows, every int
	peak        uint64
}

func (w *sampled) Row(r report.Row) error {
	if w.rows++; w.rows%w.every == 0 {
		w.peak = max(w.peak, inUse())
	}
	return w.Writer.Row(r)
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// report makes the report of all events, and returns the heap that it took at most, in kB, and its
// processor time.
func (l manyContracts) report(t *testing.T, batch int) (heap uint64, used time.Duration) {
	t.Helper()
	before, started := inUse(), processor(t)
	set, out := cftc.V32, &sampled{every: batch / 4}
	set.Valuation = ""
	set.Write = func(w io.Writer, h report.Header) report.Writer {
		out.Writer = cftc.V32.Write(w, h)
		return out
	}
	w, err := filing.Open(t.Context(), filing.Source{Read: l.read, Codec: newDesk(t).trades,
		Known: reporttest.At("2025-03-03T17:00:00Z")}, set.Name)
	require.NoError(t, err)
	w.Batch = batch
	st, _, err := filing.Make(t.Context(), filepath.Join(t.TempDir(), "r"), w, w.Run(set, nil))
	require.NoError(t, err)
	require.EqualValues(t, l.n*eventsOfEach, st.Rows)
	require.Zero(t, st.Exceptions)
	return (out.peak - min(before, out.peak)) >> 10, processor(t) - started
}

// processor returns the processor time of the process. Other processes do not count in it.
func processor(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The budget is 100,000 reportable events in 20 s of one processor, and memory that does not grow
// with the log: of 10,000 events, Make holds half a batch, and of ten times as many one batch.
// Under -short, all numbers are a tenth. The test is not parallel: others would count in its heap.
func TestManyEvents(t *testing.T) {
	contracts, batch := 1_000, filing.BatchEvents
	if testing.Short() {
		contracts, batch = 100, filing.BatchEvents/10
	}
	small, _ := newManyContracts(t, contracts).report(t, batch)
	large, used := newManyContracts(t, 10*contracts).report(t, batch)
	t.Logf("%d events: %d kB; %d events: %d kB, %s of processor time", contracts*eventsOfEach,
		small, 10*contracts*eventsOfEach, large, used.Round(time.Millisecond))
	const other = 2 << 10 // kB that a collection may leave of earlier tests, or take from small
	require.Less(t, large, 3*small+other, "ten times the events take twice the memory")
	if !racing { // the detector takes several times the budget
		require.Less(t, used, 20*time.Second)
	}
}
