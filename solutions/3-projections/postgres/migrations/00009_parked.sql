-- +goose Up

-- The parked streams: the version and the id of the first illegal event, and the rule that it
-- breaks. The other tables have only the events before it. All tables are emptied, and the model is
-- folded again from the log at the next update.
TRUNCATE events, refusals, trades, legs, pools, curves, positions;
UPDATE checkpoint SET cursor = 'null';
CREATE TABLE parked (
    stream  text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    event   uuid NOT NULL,
    actor   text NOT NULL,
    rule    text NOT NULL,
    detail  text NOT NULL,
    book    text NOT NULL -- of the contract; empty for a curve, and if none has begun
);
