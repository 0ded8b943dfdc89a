-- +goose Up

-- One row, written by the migration that creates the log, BEFORE there can be an event: whether
-- recorded_at is simulated. The application role may only read it, and the trigger refuses changes
-- by the owner, too.
create table timeline (
    one       boolean primary key default true check (one),
    simulated boolean not null
);

-- +goose StatementBegin
do $$ begin
    if exists (select from events) then
        raise exception 'an earlier version created this log: create a new log';
    end if;
end $$;
-- +goose StatementEnd

create trigger timeline_refuse before update or delete or truncate on timeline
    for each statement execute function refuse();
alter table timeline enable always trigger timeline_refuse;
