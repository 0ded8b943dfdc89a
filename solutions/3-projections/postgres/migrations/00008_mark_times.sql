-- +goose Up

-- A mark has the place of its event in the history of its curve. All tables are emptied, and the
-- model is folded again from the log at the next update.
TRUNCATE events, refusals, trades, legs, pools, curves, positions;
UPDATE checkpoint SET cursor = 'null';
ALTER TABLE curves ADD COLUMN effective_at timestamptz NOT NULL;
ALTER TABLE curves ADD COLUMN version bigint NOT NULL; -- of the slot
