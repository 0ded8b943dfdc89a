-- +goose Up

-- Who did it: an event as the domain sees it has it. What was folded before is emptied, and folded again from the log when the model is next
-- brought up: a price and a quantity that were amended at once were one leg then.
TRUNCATE events, refusals, trades, legs, pools, curves, positions;
UPDATE checkpoint SET cursor = 'null';
ALTER TABLE events ADD COLUMN actor text NOT NULL;
