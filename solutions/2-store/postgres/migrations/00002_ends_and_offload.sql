-- +goose Up

-- Whether a stream ends with the event; and, where the Avro body of data is in object storage, its SHA-256.
--
-- The content digests of before do not say whether a stream ends, and are never changed, so a log that has events is not
-- taken further: each retry of one of them would be told that its id was taken by other content.
-- +goose StatementBegin
do $$ begin
    if exists (select from events) then
        raise exception 'this log was begun by an earlier version, whose digests are others: begin a new one';
    end if;
end $$;
-- +goose StatementEnd

alter table events
    add column ends  boolean not null,
    add column offload bytea check (length(offload) = 32);

-- As in the first migration, and besides: behind an event that ends its stream nothing goes in, be it of the same statement.
-- +goose StatementBegin
create or replace function enqueue() returns trigger language plpgsql security definer set search_path from current as $$
declare
    runs pending;
    holes bigint;
    late  bigint;
begin
    select array_agg(stream), array_agg(low), array_agg(high), min(earliest), max(latest),
           count(*) filter (where high - low + 1 <> n or low > 1 and before is null),
           count(*) filter (where before or ended < high)
    into runs.streams, runs.lows, runs.highs, runs.earliest, runs.latest, holes, late
    from (select stream, min(version) as low, max(version) as high, count(*) as n, min(version) filter (where ends) as ended,
                 min(recorded_at) as earliest, max(recorded_at) as latest from added group by stream) as run
         left join lateral (select e.ends as before from events e where run.low > 1 and e.stream = run.stream and e.version = run.low - 1) as previous on true;
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
