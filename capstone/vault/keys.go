package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Wrapped key is encrypted by the master key that it names.
type Wrapped struct {
	Master string // Master.ID
	Key    []byte
}

// ErrNoKey means that a party has no key: its data cannot be read.
var ErrNoKey = errors.New("there is no key")

// Keys is the store of the wrapped keys, one for each party. It is neither in the log nor in the
// archive.
type Keys interface {
	// Put keeps w unless the party has a key, and returns the key that the party has now. It keeps
	// no key beside those of another master key, which is a *MasterError: a rotation was faster.
	Put(ctx context.Context, party string, w Wrapped) (Wrapped, error)
	// Get returns the key of a party, or ErrNoKey.
	Get(ctx context.Context, party string) (Wrapped, error)
	// Delete removes the key of a party, if there is one.
	Delete(ctx context.Context, party string) error
	// Parties returns the parties that have keys, sorted.
	Parties(ctx context.Context) ([]string, error)
	// Rewrap replaces every key by f of it, or none.
	Rewrap(ctx context.Context, f func(party string, w Wrapped) (Wrapped, error)) error
}

// Memory is Keys for tests. Its zero value is empty and ready to use.
type Memory struct {
	mu   sync.Mutex
	keys map[string]Wrapped
}

var _ Keys = (*Memory)(nil)

// Put implements Keys.
func (m *Memory) Put(_ context.Context, party string, w Wrapped) (Wrapped, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = map[string]Wrapped{}
	}
	if has, found := m.keys[party]; found {
		return has, nil
	}
	for _, other := range m.keys {
		if other.Master != w.Master {
			return w, &MasterError{party, w.Master, other.Master}
		}
	}
	m.keys[party] = w
	return w, nil
}

// Get implements Keys.
func (m *Memory) Get(_ context.Context, party string) (Wrapped, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, found := m.keys[party]
	if !found {
		return w, fmt.Errorf("%w of %s", ErrNoKey, party)
	}
	return w, nil
}

// Delete implements Keys.
func (m *Memory) Delete(_ context.Context, party string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, party)
	return nil
}

// Parties implements Keys.
func (m *Memory) Parties(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.keys)), nil
}

// Rewrap implements Keys.
func (m *Memory) Rewrap(
	_ context.Context, f func(party string, w Wrapped) (Wrapped, error),
) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[string]Wrapped{}
	for party, w := range m.keys {
		after, err := f(party, w)
		if err != nil {
			return err
		}
		next[party] = after
	}
	m.keys = next
	return nil
}

// Postgres is Keys in a table of a database schema that has nothing else, so that a backup of the
// database can leave it out.
type Postgres struct{ pool *pgxpool.Pool }

var _ Keys = (*Postgres)(nil)

// Migrate creates the schema and its table, as their owner, and lets the role of app use them.
func Migrate(ctx context.Context, app, owner, schema string) error {
	login, err := pgx.ParseConfig(app)
	if err != nil {
		return fmt.Errorf("create the store of keys: %w", err)
	}
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return fmt.Errorf("create the store of keys: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	in, role := pgx.Identifier{schema}.Sanitize(), pgx.Identifier{login.User}.Sanitize()
	_, err = conn.Exec(ctx, `BEGIN;
SELECT pg_advisory_xact_lock(hashtext('blotter/vault'));
CREATE SCHEMA IF NOT EXISTS `+in+`;
CREATE TABLE IF NOT EXISTS `+in+`.keys (
    party   text COLLATE "C" PRIMARY KEY,
    master  text NOT NULL,
    wrapped bytea NOT NULL
);
GRANT USAGE ON SCHEMA `+in+` TO `+role+`;
GRANT SELECT, INSERT, UPDATE, DELETE ON `+in+`.keys TO `+role+`;
COMMIT`)
	if err != nil {
		return fmt.Errorf("create the store of keys in schema %s: %w", schema, err)
	}
	return nil
}

// OpenPostgres opens the store in a schema that Migrate created. Close it.
func OpenPostgres(ctx context.Context, app, schema string) (*Postgres, error) {
	config, err := pgxpool.ParseConfig(app)
	if err != nil {
		return nil, fmt.Errorf("open the store of keys: %w", err)
	}
	config.ConnConfig.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize()
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the store of keys: %w", err)
	}
	return &Postgres{pool}, nil
}

// Close closes the connections.
func (p *Postgres) Close() { p.pool.Close() }

// Put implements Keys.
func (p *Postgres) Put(ctx context.Context, party string, w Wrapped) (Wrapped, error) {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		// BEFORE the look at the other keys: a rotation (Rewrap) then waits, or is done.
		if _, err := tx.Exec(ctx, "LOCK TABLE keys IN ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		var other string
		err := tx.QueryRow(ctx, "SELECT master FROM keys WHERE master <> $1 LIMIT 1", w.Master).
			Scan(&other)
		if err == nil {
			return &MasterError{party, w.Master, other}
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO keys (party, master, wrapped) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING`, party, w.Master, w.Key)
		return err
	})
	if err != nil {
		return w, fmt.Errorf("keep the key of %s: %w", party, err)
	}
	return p.Get(ctx, party)
}

// Get implements Keys.
func (p *Postgres) Get(ctx context.Context, party string) (w Wrapped, err error) {
	err = p.pool.QueryRow(ctx, "SELECT master, wrapped FROM keys WHERE party = $1", party).
		Scan(&w.Master, &w.Key)
	if errors.Is(err, pgx.ErrNoRows) {
		return w, fmt.Errorf("%w of %s", ErrNoKey, party)
	}
	if err != nil {
		return w, fmt.Errorf("read the key of %s: %w", party, err)
	}
	return w, nil
}

// Delete implements Keys.
func (p *Postgres) Delete(ctx context.Context, party string) error {
	if _, err := p.pool.Exec(ctx, "DELETE FROM keys WHERE party = $1", party); err != nil {
		return fmt.Errorf("destroy the key of %s: %w", party, err)
	}
	return nil
}

// Parties implements Keys.
func (p *Postgres) Parties(ctx context.Context) ([]string, error) {
	rows, err := p.pool.Query(ctx, "SELECT party FROM keys ORDER BY party")
	if err != nil {
		return nil, fmt.Errorf("list the keys: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Rewrap implements Keys, in one transaction.
func (p *Postgres) Rewrap(
	ctx context.Context, f func(party string, w Wrapped) (Wrapped, error),
) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "LOCK TABLE keys IN EXCLUSIVE MODE"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT party, master, wrapped FROM keys")
		if err != nil {
			return err
		}
		type row struct {
			Party, Master string
			Wrapped       []byte
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		if err != nil {
			return err
		}
		for _, r := range all {
			w, err := f(r.Party, Wrapped{r.Master, r.Wrapped})
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "UPDATE keys SET master = $2, wrapped = $3 WHERE party = $1",
				r.Party, w.Master, w.Key)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
