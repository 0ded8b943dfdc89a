// Package postgres is the projection in tables of one Postgres schema.
//
//	events      the events of the model, as recorded
//	refusals    refused commands, and rules    ◀─ for reports in SQL; not a part of the state
//	trades      a row for each contract        ◀─ replaced for each contract with new events
//	legs        effects of contracts on pools  ◀─ replaced if they changed
//	pools       saved states of pools          ◀─ refolded from the one before a changed leg
//	positions   the result of each pool        ◀─ replaced for each pool that was refolded
//	curves      prices as marked
//	parked      streams with an illegal event  ◀─ the rows above have only the events before it
//	checkpoint  the cursor                     ◀─ moved in the same transaction
//
// A trade is read from trades and legs. No table has a market value: it depends on the time of
// valuation, which a question gives. For questions in SQL there is a function of that time, which
// valuation.sql describes:
//
//	SELECT * FROM blotter_model.valuation('2025-02-01')
//
// Package readmodel has the tables events and checkpoint, and
// the rebuild.
package postgres

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// Projection is contract.Rebuilder in Postgres. Several processes may use one model; those that
// apply events take turns. Between two batches a process keeps the streams and pools that it folded
// last, until another process applies events (readmodel.Fold).
type Projection struct {
	*readmodel.Model
	codec contract.Codec
}

var _ contract.Rebuilder = (*Projection)(nil)

// Open connects to the database at dsn, and creates the schema of the model.
func Open(ctx context.Context, dsn, schema string, codec contract.Codec) (*Projection, error) {
	return OpenAs(ctx, dsn, dsn, schema, codec)
}

// OpenAs is Open for an application that owns nothing: see readmodel.OpenAs.
func OpenAs(ctx context.Context, app, owner, schema string, codec contract.Codec) (
	p *Projection, err error) {
	p = &Projection{codec: codec}
	p.Model, err = readmodel.OpenAs(ctx, app, owner, schema, p.kind())
	return p, err
}

// open is OpenAs with parsed connection strings.
func open(ctx context.Context, app, owner *pgxpool.Config, schema string, codec contract.Codec) (
	p *Projection, err error) {
	p = &Projection{codec: codec}
	p.Model, err = readmodel.Open(ctx, app, owner, schema, p.kind())
	return p, err
}

//go:embed tables.sql
var tables string

//go:embed valuation.sql
var valuation string

//go:embed readers.sql
var readers string

func (p *Projection) kind() readmodel.Kind {
	return readmodel.Kind{
		Tables:  tables + valuation + readers,
		Readers: []string{"risk", "trader", "auditor"},
		Fold:    func() readmodel.Fold { return newFold(p.codec) },
	}
}
