-- +goose Up

-- New columns: ends (the event ends its stream), offload (the SHA-256 of an offloaded Avro body),
-- and the attributes of the entry: time, command, line, submitter, another system's record time,
-- and the group of an append to several streams.
--
-- The content digests of version 1 do not cover ends, and recorded digests never change. So a log
-- with events cannot be migrated: every retry of such an event would be refused as a reused id.
-- +goose StatementBegin
do $$ begin
    if exists (select from events) then
        raise exception 'an earlier version created this log: create a new log';
    end if;
end $$;
-- +goose StatementEnd

alter table events
    add column ends    boolean not null,
    add column offload bytea check (length(offload) = 32),
    add column entered_at         timestamptz not null,
    add column command_id         text        not null,
    add column source_line        bigint      not null check (source_line >= 0),
    add column submitted_by       text        not null,
    add column source_recorded_at timestamptz,
    add column append_group       uuid;

-- As in the first migration. In addition it refuses events after one that ends their stream, even
-- in the same statement.
-- +goose StatementBegin
create or replace function enqueue() returns trigger language plpgsql security definer
    set search_path from current as $$
declare
    runs pending;
    holes bigint;
    late  bigint;
begin
    select array_agg(stream), array_agg(low), array_agg(high), min(earliest), max(latest),
           count(*) filter (where high - low + 1 <> n or low > 1 and before is null),
           count(*) filter (where before or ended < high)
    into runs.streams, runs.lows, runs.highs, runs.earliest, runs.latest, holes, late
    from (select stream, min(version) as low, max(version) as high, count(*) as n,
                 min(version) filter (where ends) as ended,
                 min(recorded_at) as earliest, max(recorded_at) as latest
          from added group by stream) as run
         left join lateral (
             select e.ends as before from events e
             where run.low > 1 and e.stream = run.stream and e.version = run.low - 1
         ) as previous on true;
    if holes > 0 then
        raise exception 'the versions of a stream would have a hole'
            using errcode = 'check_violation', constraint = 'events_dense', table = 'events';
    end if;
    if late > 0 then
        raise exception 'a stream that has ended would go on'
            using errcode = 'check_violation', constraint = 'events_ended', table = 'events';
    end if;
    if runs.streams is not null then
        insert into pending values (runs.*);
    end if;
    return null;
end $$;
-- +goose StatementEnd
