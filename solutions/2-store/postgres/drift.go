package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Drift describes what protects the log and is not as the migrations left it: a missing or disabled
// trigger, a privilege that somebody granted, a login with more power than the application's role.
// It needs no privilege, since every role may read the catalog.
func (s *Store) Drift(ctx context.Context) ([]string, error) {
	var found []string
	for _, query := range driftQueries {
		rows, err := s.pool.Query(ctx, query, s.schema, roleOf(s.schema))
		if err != nil {
			return nil, fmt.Errorf("examine schema %s: %w", s.schema, err)
		}
		more, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("examine schema %s: %w", s.schema, err)
		}
		found = append(found, more...)
	}
	return found, nil
}

// Each query returns one sentence for each finding. $1 is the schema, $2 the application's role.
var driftQueries = []string{
	// The triggers that refuse changes fire in every mode (A), as pg_trigger.tgenabled has it.
	`select 'the trigger ' || t.name || ' of ' || $1::text || '.' || t.of ||
	        case when g.tgname is null then ' is missing' else ' is disabled' end
	 from (values ('events_enqueue', 'events', 'OA'), ('events_refuse', 'events', 'A'),
	              ('feed_refuse', 'feed', 'A'), ('timeline_refuse', 'timeline', 'A'))
	          as t (name, of, modes)
	 left join (pg_trigger g join pg_class c on c.oid = g.tgrelid
	            join pg_namespace n on n.oid = c.relnamespace and n.nspname = $1::text)
	        on g.tgname = t.name and c.relname = t.of
	 where $2::text <> '' and (g.tgname is null or strpos(t.modes, g.tgenabled::text) = 0)
	 order by 1`,
	`select coalesce(r.rolname, 'everyone') || ' has the privilege ' || a.privilege_type ||
	        ' on ' || $1::text || '.' || c.relname
	 from pg_class c join pg_namespace n on n.oid = c.relnamespace,
	      aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee
	 where n.nspname = $1::text and a.grantee <> c.relowner
	   and not (coalesce(r.rolname, '') = $2::text and (a.privilege_type = 'SELECT'
	            or c.relname = 'events' and a.privilege_type = 'INSERT'))
	 order by 1`,
	`select coalesce(r.rolname, 'everyone') || ' may call the function ' || $1::text || '.' ||
	        p.proname
	 from pg_proc p join pg_namespace n on n.oid = p.pronamespace,
	      aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
	      left join pg_roles r on r.oid = a.grantee
	 where n.nspname = $1::text and a.grantee <> p.proowner
	   and not (coalesce(r.rolname, '') = $2::text
	            and p.proname in ('sequence_pending', 'commit_frontier', 'hold_places',
	                              'note_places'))
	 order by 1`,
	`select coalesce(r.rolname, 'everyone') || ' has the privilege ' || a.privilege_type ||
	        ' on schema ' || $1::text
	 from pg_namespace n, aclexplode(n.nspacl) a left join pg_roles r on r.oid = a.grantee
	 where n.nspname = $1::text and a.grantee <> n.nspowner
	   and not (coalesce(r.rolname, '') = $2::text and a.privilege_type = 'USAGE')
	 order by 1`,
	`select 'the login ' || r.rolname || ' is the owner of ' || $1::text || ', or a superuser'
	 from pg_roles r, pg_namespace n
	 where r.rolname = session_user and n.nspname = $1::text and $2::text <> ''
	   and (r.rolsuper or pg_has_role(r.oid, n.nspowner, 'member'))`,
}
