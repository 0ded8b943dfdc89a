package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A read model outlives its log, and by its cursor alone it cannot be told from that of another log of the same name which has come as far. So
// its schema says in a comment which topic it was made from. In the store on Postgres a log and its model share a database, and its
// fate.

// madeFrom is that comment; empty where there is none: one that was just rebuilt takes the place of the other without it.
func (a *app) madeFrom(ctx context.Context, conn *pgx.Conn) (topic string, err error) {
	err = conn.QueryRow(ctx, "SELECT coalesce(obj_description(to_regnamespace($1), 'pg_namespace'), '')", a.settings.Name.modelSchema()).Scan(&topic)
	if err != nil {
		err = fmt.Errorf("which log the read model is of: %w", err)
	}
	return topic, err
}

// sign has the model say that it is made from this log.
func (a *app) sign(ctx context.Context, conn *pgx.Conn) error {
	schema := pgx.Identifier{a.settings.Name.modelSchema()}.Sanitize()
	_, err := conn.Exec(ctx, fmt.Sprintf("COMMENT ON SCHEMA %s IS '%s'", schema, strings.ReplaceAll(a.settings.Topic, "'", "''")))
	if err != nil {
		err = fmt.Errorf("say which log the read model is of: %w", err)
	}
	return err
}

// ours refuses a read model of another log. One that does not say is taken for ours from now on.
func (a *app) ours(ctx context.Context) error {
	if a.settings.Topic == "" {
		return nil
	}
	dsn, err := a.stack.Postgres(ctx)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("which log the read model is of: %w", err)
	}
	defer conn.Close(ctx)
	topic, err := a.madeFrom(ctx, conn)
	switch {
	case err != nil || topic == a.settings.Topic:
		return err
	case topic == "":
		return a.sign(ctx, conn)
	}
	return &failure{fmt.Sprintf("the read model is of another log: it was made from the topic of id %s, and this log is in %s", topic, a.settings.Topic),
		"blotter rebuild makes it from this one"}
}
