package readmodel

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
)

var _ contract.Sharer = (*Model)(nil)

// Claim claims partitions of a split model in which it is behind to, and which nobody has claimed:
// as many as have about size offsets together. It returns the cursor up to which the caller now
// projects, which is to in these partitions, and the model's cursor in the others. It returns nil
// if no partition is free, or if the model is not split.
//
// A claim only spares two processes the same work. The rows stay right without it, since Apply
// locks the partitions that it moves. release ends the claims. After a crash Postgres ends them
// with the connection.
func (m *Model) Claim(ctx context.Context, to contract.Cursor, size int64) (
	free contract.Cursor, release func(), err error) {
	release = func() {}
	// A claim holds a connection that is none of the pool: the pool may have only one, and the
	// caller projects with that. A process has one claim at a time.
	if !m.kind.Split || !m.claims.TryLock() {
		return nil, release, nil
	}
	at, err := m.Cursor(ctx)
	if err != nil || at.Reaches(to) {
		m.claims.Unlock()
		return nil, release, err
	}
	conn, err := pgx.ConnectConfig(ctx, m.config.ConnConfig.Copy())
	if err != nil {
		m.claims.Unlock()
		return nil, release, fmt.Errorf("claim partitions: %w", err)
	}
	release = func() {
		giveBack(context.WithoutCancel(ctx), conn)
		m.claims.Unlock()
	}
	free, err = m.claim(ctx, conn, at, to, size)
	if err != nil || free == nil {
		release()
		return nil, func() {}, err
	}
	return free, release, nil
}

func (m *Model) claim(ctx context.Context, conn *pgx.Conn, at, to contract.Cursor,
	size int64) (free contract.Cursor, err error) {
	const claim = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
	for p, end := range to {
		here := contract.Position{Partition: int32(p), Offset: end - 1}
		if at.Covers(here) || end == 0 || at.Distance(free) >= size {
			continue
		}
		var ours bool
		name := fmt.Sprintf("project %s %d", m.schema, p)
		if err := conn.QueryRow(ctx, claim, name).Scan(&ours); err != nil {
			return nil, fmt.Errorf("claim partition %d: %w", p, err)
		}
		if ours {
			free = at.Max(free).After(here)
		}
	}
	return free, nil
}

// giveBack ends the claims of a connection, and closes it. If Postgres does not answer, it ends
// them with the connection.
func giveBack(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	_ = conn.Close(ctx)
}
