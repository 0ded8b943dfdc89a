package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	forensics "example.com/blotter/capstone/forensics/postgres"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/3-projections/confirmations"
	"example.com/blotter/solutions/3-projections/readmodel"
	"example.com/blotter/solutions/3-projections/search"
)

// A model is a read model that is kept in Postgres.
type model interface {
	contract.Applier
	Rebuild(ctx context.Context, log contract.Reader, size int) error
	Close()
}

// A modelRow is a read model of a log. open opens it in a database schema, for a role that reads
// and writes rows, and a role that owns the schema, which may be empty.
type modelRow[M model] struct {
	name   string
	schema func(logdir.Name) string
	open   func(ctx context.Context, app, owner, schema string, codec contract.Codec) (M, error)
}

var (
	positionsModel = modelRow[*readModel]{"positions", modelSchema, openReadModel}
	searchModel    = modelRow[*search.Model]{"search", logdir.Name.SearchSchema, search.OpenAs}

	confirmationsModel = modelRow[*confirmations.Model]{
		"confirmations", logdir.Name.ConfirmationsSchema, confirmations.OpenAs,
	}
	forensicsModel = modelRow[*forensics.Model]{
		"forensics", logdir.Name.ForensicsSchema, forensics.OpenAs,
	}
)

// models are the read models of a log.
var models = []modelRow[model]{rowOf(positionsModel), rowOf(searchModel),
	rowOf(confirmationsModel), rowOf(forensicsModel)}

// rowOf returns a row as one of the list.
func rowOf[M model](row modelRow[M]) modelRow[model] {
	return modelRow[model]{row.name, row.schema, func(ctx context.Context,
		app, owner, schema string, codec contract.Codec) (model, error) {
		return row.open(ctx, app, owner, schema, codec)
	}}
}

// A NamedModel is a read model of the log.
type NamedModel struct {
	Name string
	contract.Applier
}

// Models opens every read model. It refuses the models of another log.
func (s *Session) Models(ctx context.Context) (all []NamedModel, err error) {
	for _, row := range models {
		m, err := openModel(ctx, s, row)
		if err != nil {
			return nil, err
		}
		all = append(all, NamedModel{row.name, m})
	}
	return all, nil
}

// ReadModel opens the read model of positions. It refuses the model of another log.
func (s *Session) ReadModel(ctx context.Context) (*readModel, error) {
	return openModel(ctx, s, positionsModel)
}

// KeptModel opens the read model of positions as it is. It returns nil if there is none, or one of
// another version.
func (s *Session) KeptModel(ctx context.Context) (*readModel, error) {
	found, err := s.hasModel(ctx, rowOf(positionsModel))
	if err != nil || !found {
		return nil, err
	}
	m, err := openUnchecked(ctx, s, positionsModel, false)
	if errors.Is(err, readmodel.ErrNoModel) {
		return nil, nil
	}
	return m, err
}

// SearchModel opens the read model for searches. It refuses the model of another log.
func (s *Session) SearchModel(ctx context.Context) (*search.Model, error) {
	return openModel(ctx, s, searchModel)
}

// ConfirmationsModel opens the read model of confirmations. It refuses the model of another log.
func (s *Session) ConfirmationsModel(ctx context.Context) (*confirmations.Model, error) {
	return openModel(ctx, s, confirmationsModel)
}

// ForensicsModel opens the read model of forensics. It refuses the model of another log.
func (s *Session) ForensicsModel(ctx context.Context) (*forensics.Model, error) {
	return openModel(ctx, s, forensicsModel)
}

func openModel[M model](ctx context.Context, s *Session, row modelRow[M]) (M, error) {
	m, err := openUnchecked(ctx, s, row, true)
	if err != nil {
		return m, err
	}
	return m, s.checkModel(ctx, row.schema(s.Settings().Name))
}

// openUnchecked opens a read model of any log. As its owner it makes the model of another version
// again. Otherwise that is readmodel.ErrNoModel.
func openUnchecked[M model](
	ctx context.Context, s *Session, row modelRow[M], owns bool,
) (m M, err error) {
	at, err := s.stack.Postgres(ctx)
	if err != nil {
		return m, err
	}
	if !owns {
		at.MigrationDSN = ""
	}
	m, err = row.open(ctx, at.DSN, at.MigrationDSN, row.schema(s.Settings().Name), s.Codec)
	if err != nil {
		return m, err
	}
	s.onClose(func() error { m.Close(); return nil })
	return m, nil
}

// RebuildReadModels makes the read models again from the log, each beside the one in use, in
// transactions of at most batch events. Then each replaces the one in use, even the model of
// another log. A crash before that leaves the old model. A model that was never used is left out,
// except that of positions, which is returned. It comes last: if it is new, all are.
func (s *Session) RebuildReadModels(ctx context.Context, batch int) (*readModel, error) {
	for _, row := range slices.Backward(models) {
		found, err := s.hasModel(ctx, row)
		if err != nil {
			return nil, err
		}
		if !found && row.name != positionsModel.name {
			continue
		}
		m, err := openUnchecked(ctx, s, row, true)
		if err != nil {
			return nil, err
		}
		if err := m.Rebuild(ctx, s.Log, batch); err != nil {
			return nil, err
		}
		if err := s.checkModel(ctx, row.schema(s.Settings().Name)); err != nil {
			return nil, err
		}
	}
	return s.ReadModel(ctx)
}

// A ModelCursor is the progress of a read model.
type ModelCursor struct {
	Name   string
	Cursor contract.Cursor // nil for the model of positions, if it was never used
	Other  bool            // it is a model of another version, whose progress is not read
}

// ReadModelCursors returns the progress of each read model. It creates no read model, drops none of
// another version, and leaves out those that were never used, except that of positions.
func (s *Session) ReadModelCursors(ctx context.Context) (all []ModelCursor, err error) {
	for _, row := range models {
		found, err := s.hasModel(ctx, row)
		if err != nil {
			return nil, err
		}
		c := ModelCursor{Name: row.name}
		if found {
			c.Cursor, err = s.cursorOf(ctx, row)
			if c.Other = errors.Is(err, readmodel.ErrNoModel); err != nil && !c.Other {
				return nil, err
			}
		}
		if found || row.name == positionsModel.name {
			all = append(all, c)
		}
	}
	return all, nil
}

func (s *Session) cursorOf(ctx context.Context, row modelRow[model]) (contract.Cursor, error) {
	if err := s.checkModel(ctx, row.schema(s.Settings().Name)); err != nil {
		return nil, err
	}
	m, err := openUnchecked(ctx, s, row, false)
	if err != nil {
		return nil, err
	}
	return m.Cursor(ctx)
}

// hasModel reports whether a read model exists.
func (s *Session) hasModel(ctx context.Context, row modelRow[model]) (found bool, err error) {
	table := pgx.Identifier{row.schema(s.Settings().Name), "checkpoint"}.Sanitize()
	err = s.inDatabase(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&found)
	})
	return found, err
}

// checkModel refuses a read model of another log. A model outlives its log. Its cursor does not
// tell it from the model of another log with the same name and as many events. So a comment on its
// schema names its topic. A model without the comment becomes this log's; one that was just rebuilt
// has none. A log in Postgres and its model share a database, and are lost together.
func (s *Session) checkModel(ctx context.Context, schema string) error {
	topic := s.Settings().Topic
	if topic == "" {
		return nil
	}
	var from string
	err := s.inDatabase(ctx, func(conn *pgx.Conn) error {
		err := conn.QueryRow(ctx,
			"SELECT coalesce(obj_description(to_regnamespace($1), 'pg_namespace'), '')",
			schema).Scan(&from)
		if err != nil || from != "" {
			return err
		}
		from = topic
		return s.asOwner(ctx, fmt.Sprintf("COMMENT ON SCHEMA %s IS '%s'",
			pgx.Identifier{schema}.Sanitize(), strings.ReplaceAll(topic, "'", "''")))
	})
	if err != nil {
		return fmt.Errorf("compare the log with the origin of its read model: %w", err)
	}
	if from != topic {
		return &logdir.IntegrityError{What: fmt.Sprintf("the read model belongs to another log: "+
			"it was made from the topic with id %s, and this log is in %s", from, topic),
			Remedy: "rebuild it from this log: blotter rebuild"}
	}
	return nil
}

// asOwner executes a statement that the application may not. Where somebody else migrates the
// database, it does nothing.
func (s *Session) asOwner(ctx context.Context, statement string) error {
	at, err := s.stack.Postgres(ctx)
	if err != nil || at.MigrationDSN == "" {
		return err
	}
	conn, err := pgx.Connect(ctx, at.MigrationDSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func (s *Session) inDatabase(ctx context.Context, do func(*pgx.Conn) error) error {
	at, err := s.stack.Postgres(ctx)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, at.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return do(conn)
}
