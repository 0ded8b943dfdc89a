-- +goose Up

-- Wait for the transactions of other processes, and keep out the next ones until the commit.
-- Otherwise one of them could add a row in between, for which the new columns have no value.
lock table events in share row exclusive mode;
lock table pending in access exclusive mode;

-- Pending events of the earlier version get their positions now.
select sequence_pending();

-- One row for each place that streams share (contract.PlaceOf), with the latest recorded_at of
-- their events. An append to such streams holds the lock of the row from before it reads their
-- versions until it commits. So it sees every earlier append to the place, and a guard holds until
-- the commit.
create table places (
    place  text collate "C" primary key,
    latest timestamptz -- null before the first event
) with (fillfactor = 50);

-- The application role may only call these two functions. The first locks places, in the order of
-- their names, and returns their latest times. The second moves these times on to that of the last
-- event of a stream in each place. No caller chooses a time: a time that lies ahead would hold for
-- all later appends.
-- +goose StatementBegin
create function hold_places(held text[]) returns table (held_place text, held_latest timestamptz)
    language plpgsql security definer set search_path from current as $$
begin
    insert into places (place)
    select new.place from unnest(held) as new (place)
    where not exists (select from places p where p.place = new.place)
    order by new.place on conflict do nothing;
    return query select p.place, p.latest from places p where p.place = any (held)
    order by p.place for update;
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
create function note_places(noted text[], streams text[]) returns void language sql
    security definer set search_path from current as $$
    update places set latest = greatest(places.latest, new.latest)
    from (select place, max(recorded_at) as latest
          from unnest(noted, streams) as n (place, stream) cross join lateral (
              select recorded_at from events where events.stream = n.stream
              order by version desc limit 1) as last
          group by place) as new
    where places.place = new.place
$$;
-- +goose StatementEnd

-- A run is the successive versions of one stream that have the same append group. A version without
-- an append group is a run of its own if other streams of the statement may share its place: an
-- append to one of them may come between it and the next version. (The name of a stream that has
-- its place from a group has two slashes or more.)
-- turn numbers the inserting statements. A statement that depends on another (the next version of
-- a stream, the next append to a place) begins after the other has committed, so it has a later
-- turn.
alter table pending
    add column turn   bigint generated always as identity,
    add column ats    timestamptz[] not null, -- recorded_at of the first event of each run
    add column groups uuid[]        not null; -- append_group of each run, or null

-- As in the fifth migration. In addition it splits the events into runs, and refuses runs of one
-- stream whose times do not rise: the feed takes its order from them.
-- +goose StatementBegin
create or replace function enqueue() returns trigger language plpgsql security definer
    set search_path from current as $$
declare
    runs record;
begin
    select count(*) filter (where high - low + 1 <> n or low > 1 and before is null) as holes,
           count(*) filter (where before or ended < high) as late,
           count(*) filter (where low > 1 and not (
               exists (select from feed f where f.stream = run.stream and f.version = run.low - 1)
               or (run.stream, run.low - 1) in (
                   select p.stream, p.high
                   from pending, unnest(streams, highs) as p (stream, high)))) as astray,
           sum(grouped) > 0 or bool_or(high > low and stream like '%/%/%') as apart,
           array_agg(stream) as streams, array_agg(low) as lows, array_agg(high) as highs,
           array_agg(at) as ats, array_agg(null::uuid) as groups,
           min(at) as earliest, max(last) as latest
    into runs
    from (select stream, min(version) as low, max(version) as high, count(*) as n,
                 min(version) filter (where ends) as ended,
                 min(recorded_at) as at, max(recorded_at) as last,
                 count(append_group) as grouped
          from added group by stream) as run
         left join lateral (
             select e.ends as before from events e
             where run.low > 1 and e.stream = run.stream and e.version = run.low - 1
         ) as previous on true;
    if runs.holes > 0 then
        raise exception 'the versions of a stream would have a hole'
            using errcode = 'check_violation', constraint = 'events_dense', table = 'events';
    end if;
    if runs.late > 0 then
        raise exception 'a stream that has ended would go on'
            using errcode = 'check_violation', constraint = 'events_ended', table = 'events';
    end if;
    if runs.astray > 0 then
        raise exception 'the event before it has no place in the feed'
            using errcode = 'check_violation', constraint = 'events_placed', table = 'events';
    end if;
    if runs.apart then
        select array_agg(stream) as streams, array_agg(low) as lows, array_agg(high) as highs,
               array_agg(at) as ats, array_agg(append_group) as groups,
               min(at) as earliest, max(last) as latest,
               count(*) filter (where at <= before) as early
        into runs
        from (select *, lag(last) over (partition by stream order by low) as before
              from (select stream, append_group, min(version) as low, max(version) as high,
                           min(recorded_at) as at, max(recorded_at) as last
                    from (select *, version - row_number() over (
                              partition by stream, append_group order by version) as island
                          from added) as numbered
                    group by stream, append_group, island,
                             case when append_group is null then version end) as run) as run;
        if runs.early > 0 then
            raise exception 'the times of a stream would not rise'
                using errcode = 'check_violation', constraint = 'events_rising', table = 'events';
        end if;
    end if;
    if runs.streams is not null then
        insert into pending (streams, lows, highs, ats, groups, earliest, latest)
        values (runs.streams, runs.lows, runs.highs, runs.ats, runs.groups, runs.earliest,
                runs.latest);
    end if;
    return null;
end $$;
-- +goose StatementEnd

-- As in the first migration, with another order: the turns one after the other, in each turn the
-- runs by their time. Times of a stream rise, except within one append. So its versions keep their
-- order, and the events of an append, which have one time and one append group, are next to each
-- other.
-- +goose StatementBegin
create or replace function sequence_pending() returns bigint language plpgsql security definer
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
        select turn, at, append_group, stream, version
        from gone, unnest(streams, lows, highs, ats, groups)
                 as run (stream, low, high, at, append_group),
             generate_series(low, high) as version
    ), positions as (
        insert into feed (position, stream, version)
        select first - 1 + row_number() over (
                   order by turn, at, append_group, stream collate "C", version),
               stream, version
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
