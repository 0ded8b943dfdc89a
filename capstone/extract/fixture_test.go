package extract_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
	audit "example.com/blotter/solutions/5-audit"
)

const origin = "example.com/blotter/test"

// keys returns the same keys in every run, so that signatures can be compared with golden files.
func keys(t require.TestingT, of string) (note.Signer, note.Verifier) {
	seed := sha256.Sum256([]byte(of))
	secret, public, err := audit.GenerateKey(bytes.NewReader(seed[:]), of)
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	return signer, verifier
}

// A sealedLog is a log with its auditor.
type sealedLog struct {
	*testing.T
	store   *memory.Store
	auditor *audit.Auditor
	options extract.Options
	n       int  // the number of events
	early   bool // only the first version of each schema is in use
}

var noon = time.Date(2025, 1, 16, 12, 0, 0, 0, time.UTC)

func newLog(t *testing.T) *sealedLog {
	var d *sealedLog
	clock := func(context.Context) time.Time { return noon.Add(time.Duration(d.n) * time.Hour) }
	d = over(t, memory.New(clock))
	return d
}

func over(t *testing.T, store *memory.Store) *sealedLog {
	d := &sealedLog{T: t, store: store}
	signer, verifier := keys(t, origin)
	var err error
	d.auditor, err = audit.Open(audit.Options{
		Log: d.store, Archive: new(audit.Memory), Origin: origin,
		Signer: signer, Verifier: verifier, Batch: 3,
		Clock: func() time.Time { return noon.AddDate(0, 0, 7) },
	})
	require.NoError(t, err)
	d.options = extract.Options{
		Log: d.store, Sealed: d.auditor, Signer: signer, Verifier: verifier,
	}
	return d
}

// record records an event, an hour after the last one. change may change the event before.
func (d *sealedLog) record(
	stream string, body trade.Body, change ...func(*contract.Event),
) contract.Event {
	d.n++
	p := d.encode(body)
	e := contract.Event{
		ID: trade.EventID(stream, uint32(d.n)), Stream: stream,
		Type: p.Type, Schema: p.Schema, Fingerprint: p.Fingerprint, Data: p.Data,
		EffectiveAt: noon,
		EnteredAt:   noon, CommandID: "c-1",
		Actor: "trader/1", Reason: "client order", Source: "test",
		Correlation: uuid.NewSHA1(uuid.Nil, []byte(stream)),
		Causation:   uuid.NewSHA1(uuid.Nil, p.Data),
	}
	for _, f := range change {
		f(&e)
	}
	ctx := contract.At(d.Context(), noon.Add(time.Duration(d.n)*time.Hour)) // if it is simulated
	_, err := d.store.Append(ctx, stream, contract.Any, e)
	require.NoError(d, err)
	return e
}

// registered lists the versions that the registry has before all others, in the order of their ids.
// The golden bundle holds these ids, and a new schema file must not change them.
var registered = []struct {
	typ     string
	version int
}{
	{"command.refused", 1}, {"price.marked", 1}, {"store.head", 1}, {"trade.amended", 1},
	{"trade.cancelled", 1}, {"trade.exercised", 1}, {"trade.new", 1}, {"trade.novated", 1},
	{"trade.settled", 1}, {"price.marked", 2}, {"trade.settled", 2},
}

// encode uses a registry in which first versions have the first ids.
func (d *sealedLog) encode(body trade.Body) contract.Payload {
	registry, ids := codec.InMemory(), map[string]int{}
	for _, r := range registered {
		s, ok := schemas.Find(r.typ, r.version)
		require.True(d, ok, "%s version %d", r.typ, r.version)
		id, err := registry.Register(d.Context(), r.typ, s.Text)
		require.NoError(d, err)
		if r.version == 1 {
			ids[r.typ] = id
		}
	}
	c, err := codec.New(d.Context(), registry, "test")
	require.NoError(d, err)
	p, err := c.Encode(d.Context(), body)
	require.NoError(d, err)
	if _, settled := body.(trade.Settle); settled && d.early {
		// The second version of a settlement is the first version and four nulls.
		first, _ := schemas.Find(p.Type, 1)
		p.Schema, p.Fingerprint = first.Version, first.Fingerprint
		p.Data = append([]byte{0, 0, 0, 0, byte(ids[p.Type])}, p.Data[5:len(p.Data)-4]...)
	}
	return p
}

func (d *sealedLog) seal() contract.Checkpoint {
	c, err := d.auditor.Seal(d.Context())
	require.NoError(d, err)
	return c
}

// story records three trades in two books, a refusal, a curve below zero, and texts that a
// spreadsheet must not run. It seals twice, at 6 and at 13 leaves.
func story(t *testing.T) *sealedLog {
	d := newLog(t)
	d.record("trade/T-1", oil("CRUDE", "70"))
	d.record("trade/T-2", oil("OTHER", "10"), func(e *contract.Event) {
		e.Reason = `=HYPERLINK("http://127.0.0.1/?"&A1;"x")`
	})
	d.record("trade/T-1", trade.Settle{Quantity: barrels("30"), Price: trade.Dec("-37.63")})
	d.record("refused/T-1", trade.CommandRefused{
		CommandID: "=cmd()", Rule: "over-settled", Detail: "of 40; +1 more",
	})
	require.EqualValues(t, 6, d.seal().Size)
	d.record("curve/power/CET/base", trade.PriceMarked{
		Curve: "power/CET/base", Currency: "EUR", Points: []trade.Point{
			{Delivery: month("2025-03"), Price: trade.Dec("-4.25")},
			{Delivery: month("2025-04"), Price: trade.Dec("81")},
		},
	})
	begun := d.record("trade/T-3", oil("CRUDE", "5"))
	d.record("trade/T-3", oil("OTHER", "5"), func(e *contract.Event) {
		e.Corrects, e.Approver, e.Actor = begun.ID, "head/1", "-2+3"
	})
	d.record("trade/T-1", trade.Cancel{
		Kind: trade.Terminate, Quantity: barrels("40"), Fee: trade.Dec("-12.5"),
	})
	d.record("trade/T-2", trade.Settle{Quantity: barrels("10"), Price: trade.Dec("71")})
	require.EqualValues(t, 13, d.seal().Size)
	return d
}

func barrels(n string) trade.Quantity {
	return trade.Quantity{Value: trade.Dec(n), Unit: trade.BBL}
}

func month(m string) trade.Period {
	start, err := time.Parse("2006-01", m)
	if err != nil {
		panic(err)
	}
	day := func(t time.Time) trade.Day { return trade.Day(t.Unix() / 86400) }
	return trade.Period{Start: day(start), End: day(start.AddDate(0, 1, 0))}
}

func oil(book, quantity string) trade.New {
	return trade.New{
		Book: book, Counterparty: "ACME", Trader: "trader/1", Side: trade.Buy,
		Instrument: trade.Instrument{
			Commodity: trade.Oil, Zone: "BRENT", Delivery: month("2025-06"),
		},
		Quantity: barrels(quantity), Price: trade.Dec("70"), Currency: "USD",
	}
}

// ask returns an ask for a query.
func ask(q extract.Query) extract.Ask {
	return extract.Ask{Query: q, Actor: "auditor/1", Reason: "year end", At: noon}
}

// trades returns a query for trades.
func trades(utis ...string) extract.Query { return extract.Query{UTIs: utis} }

// make returns the bundle of a query, in memory.
func (d *sealedLog) make(q extract.Query, size int64) fstest.MapFS {
	dir, a := filepath.Join(d.TempDir(), "out"), ask(q)
	a.Checkpoint = size
	_, err := extract.Make(d.Context(), dir, a, d.options)
	require.NoError(d, err)
	return load(d.T, dir)
}

func load(t require.TestingT, dir string) fstest.MapFS {
	files := fstest.MapFS{}
	bundle := os.DirFS(dir)
	require.NoError(t, fs.WalkDir(bundle, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(bundle, path)
		files[path] = &fstest.MapFile{Data: data, Mode: 0o644}
		return err
	}))
	return files
}

// changed returns bundle with one file replaced, or removed if data is nil.
func changed(bundle fstest.MapFS, path string, data []byte) fstest.MapFS {
	out := fstest.MapFS{}
	for p, f := range bundle {
		out[p] = f
	}
	delete(out, path)
	if data != nil {
		out[path] = &fstest.MapFile{Data: data, Mode: 0o644}
	}
	return out
}

// faultOf returns the fault that Verify finds.
func faultOf(t require.TestingT, bundle fs.FS, key note.Verifier) *extract.Fault {
	_, err := extract.Verify(bundle, key)
	var f *extract.Fault
	require.ErrorAs(t, err, &f)
	return f
}
