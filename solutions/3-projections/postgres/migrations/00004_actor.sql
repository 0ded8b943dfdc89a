-- +goose Up

-- Events of the domain have an actor. All tables are emptied, and the model is folded again from
-- the log at the next update: before, a price and a quantity that were amended together were one
-- leg.
TRUNCATE events, refusals, trades, legs, pools, curves, positions;
UPDATE checkpoint SET cursor = 'null';
ALTER TABLE events ADD COLUMN actor text NOT NULL;
