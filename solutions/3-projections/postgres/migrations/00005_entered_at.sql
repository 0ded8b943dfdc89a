-- +goose Up

-- Events of the domain have the time of entry. All tables are emptied, and the model is folded
-- again from the log at the next update.
TRUNCATE events, refusals, trades, legs, pools, curves, positions;
UPDATE checkpoint SET cursor = 'null';
ALTER TABLE events ADD COLUMN entered_at timestamptz NOT NULL;
