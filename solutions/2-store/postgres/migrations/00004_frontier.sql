-- +goose Up

-- One row: the time at or before which nothing more is recorded (frontier.go). It only moves on. It
-- is committed BEFORE a sealed batch states a frontier, and every append reads it.
create table frontier (
    one   boolean primary key default true check (one),
    until timestamptz -- null before the first call of commit_frontier
) with (fillfactor = 50);
insert into frontier (until) values (null);

-- The application role may only call this function. A time after the server's clock is taken as
-- the clock's time: no caller can push the times of the log ahead.
-- +goose StatementBegin
create function commit_frontier(asked timestamptz) returns timestamptz language sql security definer
    set search_path from current as $$
    update frontier set until = greatest(until, least(asked, clock_timestamp())) returning until
$$;
-- +goose StatementEnd
