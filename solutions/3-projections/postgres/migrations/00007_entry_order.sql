-- +goose Up

-- The legs of a pool are in order of (effective_at, entered_at, stream, version, n), with the time at
-- which their contract was entered. All tables are emptied, and the model is folded again from the
-- log at the next update.
TRUNCATE events, refusals, trades, legs, pools, curves, positions;
UPDATE checkpoint SET cursor = 'null';
ALTER TABLE legs ADD COLUMN entered_at timestamptz NOT NULL;
ALTER TABLE pools ADD COLUMN entered_at timestamptz NOT NULL;
DROP INDEX legs_in_order, pools_in_order;
CREATE INDEX legs_in_order ON legs
    (book, instrument, currency, effective_at, entered_at, stream, version, n);
CREATE INDEX pools_in_order ON pools
    (book, instrument, currency, effective_at, entered_at, stream, version, n);
