-- +goose Up

-- As in the second migration. In addition it refuses events after a stray: an event in the table
-- that is neither pending nor in the feed. Otherwise the feed would have the later versions of a
-- stream without that one, and no reader could go on. The sequencer moves events from pending to
-- feed in one transaction, so a snapshot has an event of ours in one of the two. Events of this
-- transaction are pending.
-- +goose StatementBegin
create or replace function enqueue() returns trigger language plpgsql security definer
    set search_path from current as $$
declare
    runs pending;
    holes  bigint;
    late   bigint;
    astray bigint;
begin
    select array_agg(stream), array_agg(low), array_agg(high), min(earliest), max(latest),
           count(*) filter (where high - low + 1 <> n or low > 1 and before is null),
           count(*) filter (where before or ended < high),
           count(*) filter (where low > 1 and not (
               exists (select from feed f where f.stream = run.stream and f.version = run.low - 1)
               or (run.stream, run.low - 1) in (
                   select p.stream, p.high
                   from pending, unnest(streams, highs) as p (stream, high))))
    into runs.streams, runs.lows, runs.highs, runs.earliest, runs.latest, holes, late, astray
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
    if astray > 0 then
        raise exception 'the event before it has no place in the feed'
            using errcode = 'check_violation', constraint = 'events_placed', table = 'events';
    end if;
    if runs.streams is not null then
        insert into pending values (runs.*);
    end if;
    return null;
end $$;
-- +goose StatementEnd
