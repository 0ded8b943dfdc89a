package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

type tradesCmd struct {
	Book         string `help:"Only trades of this book."`
	Counterparty string `help:"Only trades with this counterparty."`
	Trader       string `help:"Only trades of this trader."`
	Status       string `help:"Only trades with this status, such as LIVE."`
	Instrument   string `help:"Only trades on this instrument, such as power/CET/base@2025-02."`
	basedOn
}

func (c *tradesCmd) Run(ctx context.Context, a *app) error {
	state, caveat, err := a.state(ctx, c.basedOn)
	if err != nil {
		return err
	}
	found := []tradeAnswer{} // never nil: nothing is an empty list
	for _, t := range state.Trades {
		if c.selects(t) {
			found = append(found, tradeAnswer{t, t.Currency.Show(t.SettledAmount)})
		}
	}
	return a.answer(caveat, found, func(w io.Writer) {
		var rows []string
		for _, t := range found {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", t.UTI,
				t.Status, t.Book, t.Counterparty, t.Trader, t.Side, t.Instrument, t.Contracted,
				t.Open, t.Unit, t.Price, t.Currency))
		}
		table(w, "uti\tstatus\tbook\tcounterparty\ttrader\tside\tinstrument\tcontracted\topen\t"+
			"unit\tprice\tcurrency", rows...)
	})
}

func (c *tradesCmd) selects(t trade.Trade) bool {
	for _, f := range [][2]string{
		{c.Book, t.Book}, {c.Counterparty, t.Counterparty}, {c.Trader, t.Trader},
		{strings.ToUpper(c.Status), string(t.Status)}, {c.Instrument, t.Instrument},
	} {
		if f[0] != "" && f[0] != f[1] {
			return false
		}
	}
	return true
}

// state folds the business state as of two times.
func (a *app) state(ctx context.Context, times basedOn) (trade.State, caveat, error) {
	q, err := a.question(ctx, times.asOf)
	if err != nil {
		return trade.State{}, q.caveat, err
	}
	system := times.system(q)
	if system.Projection, err = q.ReadModel(ctx); err != nil {
		return trade.State{}, q.caveat, err
	}
	state, used, err := system.StateAsOf(ctx, q.at)
	q.caveat.times, q.caveat.parked = &used.Times, used.Parked
	return state, q.caveat, err
}

type curvesCmd struct {
	Name string `arg:"" optional:"" help:"Only this curve, such as power/CET/base."`
	basedOn
}

// A curvePoint is the latest mark of one delivery.
type curvePoint struct {
	Curve       string         `json:"curve"`
	Delivery    string         `json:"delivery"`
	Price       trade.Decimal  `json:"price"`
	Currency    trade.Currency `json:"currency"`
	EffectiveAt time.Time      `json:"effective_at"`
}

func (c *curvesCmd) Run(ctx context.Context, a *app) error {
	state, caveat, err := a.state(ctx, c.basedOn)
	if err != nil {
		return err
	}
	points := []curvePoint{} // never nil: nothing is an empty list
	for name, curve := range state.Curves {
		for delivery, m := range curve.Points {
			if c.Name == "" || c.Name == name {
				points = append(points, curvePoint{
					name, delivery.String(), m.Price, m.Currency, m.EffectiveAt,
				})
			}
		}
	}
	if c.Name != "" && len(points) == 0 {
		return &failure{fmt.Sprintf("there is no mark of a curve %q", c.Name),
			"list the curves: blotter curves"}
	}
	slices.SortFunc(points, func(a, b curvePoint) int {
		return strings.Compare(a.Curve+"\x00"+a.Delivery, b.Curve+"\x00"+b.Delivery)
	})
	return a.answer(caveat, points, func(w io.Writer) {
		var rows []string
		for _, p := range points {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s", p.Curve, p.Delivery, p.Price,
				p.Currency, p.EffectiveAt.Format(time.RFC3339Nano)))
		}
		table(w, "curve\tdelivery\tprice\tcurrency\teffective at", rows...)
	})
}

type booksCmd struct{ basedOn }

// A bookCount counts the content of a book.
type bookCount struct {
	Book      string `json:"book"`
	Trades    int    `json:"trades"`
	Live      int    `json:"live"`
	Positions int    `json:"positions"` // that are open
}

func (c *booksCmd) Run(ctx context.Context, a *app) error {
	state, caveat, err := a.state(ctx, c.basedOn)
	if err != nil {
		return err
	}
	books := booksOf(state)
	return a.answer(caveat, books, func(w io.Writer) {
		var rows []string
		for _, b := range books {
			rows = append(rows,
				fmt.Sprintf("%s\t%d\t%d\t%d", b.Book, b.Trades, b.Live, b.Positions))
		}
		table(w, "book\ttrades\tlive\topen positions", rows...)
	})
}

// booksOf counts the trades of each book where they are now, and its open positions.
func booksOf(state trade.State) []bookCount {
	books := []bookCount{} // never nil: nothing is an empty list
	book := func(name string) *bookCount {
		i, found := slices.BinarySearchFunc(books, name, func(b bookCount, name string) int {
			return strings.Compare(b.Book, name)
		})
		if !found {
			books = slices.Insert(books, i, bookCount{Book: name})
		}
		return &books[i]
	}
	for _, t := range state.Trades {
		b := book(t.Book)
		b.Trades++
		if t.Status == trade.Live {
			b.Live++
		}
	}
	for _, p := range state.Positions {
		if b := book(p.Book); !p.Quantity.IsZero() {
			b.Positions++
		}
	}
	return books
}

type snapshotsCmd struct{}

// A listedSnapshot says whether the log and the archive agree about a snapshot.
type listedSnapshot struct {
	snapshotAnswer
	Recorded bool   `json:"recorded"`
	Fault    string `json:"fault,omitempty"`
	// Destroyed is the event with the certificate of destruction; empty without one.
	Destroyed string `json:"destroyed_by,omitempty"`
}

func (c *snapshotsCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	system := s.System()
	if system.Snapshots, err = s.Snapshots(ctx, false); err != nil {
		return err
	}
	used, err := system.Now(ctx)
	if err != nil {
		return err
	}
	all, err := system.CheckSnapshots(ctx)
	if err != nil {
		return err
	}
	list, faults := []listedSnapshot{}, []error{} // never nil: nothing is an empty list
	for _, taken := range all {
		l := listedSnapshot{snapshotJSON(taken.Snapshot), taken.Recorded, "", ""}
		if taken.Destroyed != nil {
			l.Destroyed = taken.Destroyed.Certificate
		}
		if !taken.Recorded {
			l.Taken, l.Through = nil, nil
		}
		if taken.Fault != nil {
			l.Fault = taken.Fault.What
			faults = append(faults, taken.Fault)
		}
		list = append(list, l)
	}
	answered := a.answer(of(s).with(used), list, func(w io.Writer) { printSnapshots(w, list) })
	return firstOf(answered, errors.Join(faults...))
}

func printSnapshots(w io.Writer, list []listedSnapshot) {
	var rows []string
	for _, l := range list {
		taken, cursor, through, digest := "-", "-", "-", "-"
		state := cmp.Or(l.Fault, "on record")
		if l.Destroyed != "" {
			state = "destroyed by " + l.Destroyed
		}
		if l.Recorded {
			taken, cursor = l.Taken.Format(time.RFC3339), l.Cursor.String()
			through, digest = l.Through.Format(time.RFC3339Nano), l.Digest
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", cmp.Or(l.Name, "-"), taken,
			cursor, through, state, digest))
	}
	table(w, "name\ttaken at\tknown at cursor\trecorded through\tstate\tdigest", rows...)
}

type checkpointsCmd struct{}

// A publishedCheckpoint is a checkpoint in the archive.
type publishedCheckpoint struct {
	Origin      string    `json:"origin"`
	Size        int64     `json:"size"`
	Root        string    `json:"root"`
	PublishedAt time.Time `json:"published_at"` // by the archive's clock
}

func (c *checkpointsCmd) Run(ctx context.Context, a *app) error {
	s, auditor, err := a.auditor(ctx, "")
	if err != nil {
		return err
	}
	used, err := s.System().Now(ctx)
	if err != nil {
		return err
	}
	all := []publishedCheckpoint{} // never nil: nothing is an empty list
	for p, err := range s.Published(ctx, auditor) {
		if err != nil {
			return err
		}
		all = append(all,
			publishedCheckpoint{p.Origin, p.Size, fmt.Sprintf("%x", p.Root), p.At})
	}
	slices.Reverse(all)
	return a.answer(of(s).with(used), all, func(w io.Writer) {
		var rows []string
		for _, p := range all {
			rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s", p.Origin, p.Size,
				p.PublishedAt.Format(time.RFC3339), p.Root))
		}
		table(w, "origin\tsize\tpublished at\troot", rows...)
	})
}
