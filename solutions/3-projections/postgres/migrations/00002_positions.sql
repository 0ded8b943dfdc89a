-- +goose Up

-- The result of each pool after its last leg, for questions about positions. The saved states in
-- pools are larger: they hold every open lot.
CREATE TABLE positions (
    book             text COLLATE "C" NOT NULL,
    instrument       text COLLATE "C" NOT NULL,
    currency         text COLLATE "C" NOT NULL,
    quantity         numeric NOT NULL,
    average_cost     numeric NOT NULL,
    average_realised numeric NOT NULL,
    fifo_cost        numeric NOT NULL, -- of all open lots together
    fifo_realised    numeric NOT NULL,
    PRIMARY KEY (book, instrument, currency)
);
INSERT INTO positions
SELECT DISTINCT ON (book, instrument, currency)
       book, instrument, currency,
       (state->'average'->>'quantity')::numeric,
       (state->'average'->>'cost')::numeric,
       (state->'average'->>'realised')::numeric,
       (SELECT coalesce(sum((lot->>'cost')::numeric), 0)
        FROM jsonb_path_query(state, '$.fifo.lots[*]') lot),
       (state->'fifo'->>'realised')::numeric
FROM pools ORDER BY book, instrument, currency, legs DESC;
