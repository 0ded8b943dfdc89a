package containers

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const account = "blotter" // of the superuser, and its database

func database(secret string) plan {
	return plan{
		image: postgresImage, port: "5432", data: "/var/lib/postgresql/data", ping: pingDatabase, secret: secret,
		// All suites of a run share the server.
		cmd: []string{"-c", "max_connections=300", "-c", "timezone=UTC", "-c", "log_timezone=UTC"},
		env: func(string) map[string]string {
			return map[string]string{
				"POSTGRES_USER": account, "POSTGRES_PASSWORD": secret, "POSTGRES_DB": account,
				"PGDATA": "/var/lib/postgresql/data/pgdata", // below the mount, where file systems put files of their own
			}
		},
	}
}

func (p *part) dsn() string {
	return "postgres://" + account + ":" + p.secret + "@" + p.address() + "/" + account + "?sslmode=disable"
}

func pingDatabase(ctx context.Context, p *part) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.dsn())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
