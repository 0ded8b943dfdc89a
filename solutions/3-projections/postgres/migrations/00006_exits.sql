-- +goose Up

-- A leg that leaves the book other than by a trade has its own cost. All tables are emptied, and the
-- model is folded again from the log at the next update.
TRUNCATE events, refusals, trades, legs, pools, curves, positions;
UPDATE checkpoint SET cursor = 'null';
ALTER TABLE legs ADD COLUMN is_exit boolean NOT NULL, ADD COLUMN own_cost numeric NOT NULL;
