-- +goose Up

-- The migration runs with the log's own schema first in search_path and pg_temp last. The
-- functions below keep that path (set search_path from current), so a temporary table of a caller
-- never replaces one of these tables.

-- The recorded events. Rows are inserted and never change: the application role may only INSERT
-- and SELECT, and the triggers at the end of this file refuse changes by the owner, too. The two
-- unique constraints decide every race between writers.
create table events (
    stream       text        collate "C" not null,
    version      bigint      not null check (version > 0),
    id           uuid        not null,
    type         text        not null,
    schema       integer     not null,
    fingerprint  bytea       not null,
    effective_at timestamptz not null,
    recorded_at  timestamptz not null,
    corrects     uuid,
    actor        text        not null,
    approver     text        not null,
    reason       text        not null,
    correlation  uuid,
    causation    uuid,
    traceparent  text        not null,
    source       text        not null,
    data         bytea       not null,
    digest       bytea       not null,
    constraint events_stream_version primary key (stream, version),
    constraint events_id unique (id)
);

-- The recorded events that have no position in the feed yet: one row for each inserting statement,
-- so that all events of a statement share one row. The stream at index i has the versions lows[i]
-- to highs[i]. Every reader wants all rows, so there is no index. The table empties as fast as it
-- fills, and is vacuumed early.
create table pending (
    streams  text[]      collate "C" not null,
    lows     bigint[]    not null,
    highs    bigint[]    not null,
    earliest timestamptz not null, -- recorded_at of these events
    latest   timestamptz not null
) with (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

-- The order in which readers see the recorded events. Its unique constraint guarantees that no
-- event comes twice.
create table feed (
    position bigint primary key,
    stream   text   collate "C" not null,
    version  bigint not null,
    constraint feed_stream_version unique (stream, version)
);

-- One row. The holder of its lock is the sequencer.
create table counter (
    one    boolean     primary key default true check (one),
    next   bigint      not null, -- the position that the next event gets
    latest timestamptz           -- the latest recorded_at in the feed
) with (fillfactor = 50);
insert into counter (next) values (0);

-- The function enqueue adds every inserted event to pending, in the same transaction.
--
-- It also keeps versions dense. It accepts an event at version v > 1 only if v - 1 is visible:
-- committed, or of the same transaction. So any snapshot that sees v sees v - 1. Therefore the
-- sequencer may sort the visible events by version, and never places a later version of a stream
-- before an earlier one.
-- +goose StatementBegin
create function enqueue() returns trigger language plpgsql security definer
    set search_path from current as $$
declare
    runs pending;
    holes bigint;
begin
    select array_agg(stream), array_agg(low), array_agg(high), min(earliest), max(latest),
           count(*) filter (where
               high - low + 1 <> n
               or low > 1 and not exists (
                   select from events e where e.stream = run.stream and e.version = run.low - 1))
    into runs.streams, runs.lows, runs.highs, runs.earliest, runs.latest, holes
    from (select stream, min(version) as low, max(version) as high, count(*) as n,
                 min(recorded_at) as earliest, max(recorded_at) as latest
          from added group by stream) as run;
    if holes > 0 then
        raise exception 'the versions of a stream would have a hole'
            using errcode = 'check_violation', constraint = 'events_dense', table = 'events';
    end if;
    if runs.streams is not null then
        insert into pending values (runs.*);
    end if;
    return null;
end $$;
-- +goose StatementEnd

create trigger events_enqueue after insert on events referencing new table as added
    for each statement execute function enqueue();

-- The function sequence_pending is the sequencer: it gives every visible pending event its
-- position, and returns their number.
--
-- It runs with the owner's privileges, so the application role needs none on pending, feed and
-- counter. That role can only call this function, which takes no arguments. Each statement in it
-- has a snapshot of its own (read committed). So the DELETE takes its snapshot AFTER the function
-- got the lock, and sees the work of every earlier holder. It compares no transaction ids: an
-- event that commits late is not visible yet, and gets a later position.
--
-- A crash before the commit leaves pending, feed and counter unchanged.
-- +goose StatementBegin
create function sequence_pending() returns bigint language plpgsql security definer
    set search_path from current set lock_timeout = 0 as $$
declare
    first  bigint;
    placed bigint;
    newest timestamptz;
begin
    if not exists (select from pending) then
        return 0; -- no lock needed: a sequencer that has committed has placed all visible events
    end if;
    select next into first from counter for update;
    with gone as (
        delete from pending returning *
    ), events as (
        select stream, version
        from gone, unnest(streams, lows, highs) as run (stream, low, high),
             generate_series(low, high) as version
    ), positions as (
        insert into feed (position, stream, version)
        select first - 1 + row_number() over (order by stream collate "C", version), stream, version
        from events
        returning 1
    )
    select (select count(*) from positions), (select max(gone.latest) from gone)
    into placed, newest;
    if placed > 0 then
        update counter set next = first + placed, latest = greatest(latest, newest);
        perform pg_notify(current_schema(), '');
    end if;
    return placed;
end $$;
-- +goose StatementEnd

-- The second line of defence: these triggers refuse the owner, too, and sessions in replica mode.
-- +goose StatementBegin
create function refuse() returns trigger language plpgsql as $$
begin
    raise exception '% on % is refused: recorded events never change', tg_op, tg_table_name
        using errcode = 'insufficient_privilege', table = tg_table_name;
end $$;
-- +goose StatementEnd

create trigger events_refuse before update or delete or truncate on events
    for each statement execute function refuse();
create trigger feed_refuse before update or delete or truncate on feed
    for each statement execute function refuse();
alter table events enable always trigger events_refuse;
alter table feed enable always trigger feed_refuse;
