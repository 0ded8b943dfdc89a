// Package postgres is the projection in tables of a Postgres schema that is its own.
//
// Where the names in its statements lead is decided by the search_path of its connections: so the statements are constants, and a
// rebuilt model takes the live one's place by taking its schema's name.
//
//	events      what was taken, as it was recorded
//	refusals    what was refused, and why    ◀─ for reports in SQL: it takes no part in the state
//	trades      a row for each contract      ◀─ refolded whole when one of its events comes
//	legs        what contracts do to pools   ◀─ replaced for a trade whose legs changed
//	pools       states kept to refold from   ◀─ refolded from the nearest one before the first changed leg
//	positions   what each pool comes to      ◀─ replaced for each pool that was refolded
//	curves      prices as marked
//	checkpoint                               ◀─ moved in the same transaction
//
// A trade is read from trades and legs; positions are read from the table of that name, and valued by curves when they are.
package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/blotter/labs/kit/contract"
)

// Projection is contract.Rebuilder in Postgres. It keeps nothing in memory: any number of processes may use one model, and
// those that apply take turns.
type Projection struct {
	config *pgxpool.Config
	schema string
	codec  contract.Codec
	pool   *pgxpool.Pool
}

var _ contract.Rebuilder = (*Projection)(nil)

// Open connects to the database at dsn and makes the model's schema there, or brings it up to date. The name of the
// schema should leave room for the suffixes of a rebuild: Postgres cuts names at 63 bytes.
func Open(ctx context.Context, dsn, schema string, codec contract.Codec) (*Projection, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open the projection: %w", err)
	}
	return open(ctx, config, schema, codec)
}

func open(ctx context.Context, config *pgxpool.Config, schema string, codec contract.Codec) (*Projection, error) {
	config = config.Copy()
	config.ConnConfig.RuntimeParams["search_path"] = quoted(schema)
	if err := migrate(ctx, config.ConnConfig, schema); err != nil {
		return nil, fmt.Errorf("migrate the projection's schema %s: %w", schema, err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the projection: %w", err)
	}
	return &Projection{config: config, schema: schema, codec: codec, pool: pool}, nil
}

// Close ends the connections. What was applied is in the database already.
func (p *Projection) Close() { p.pool.Close() }
