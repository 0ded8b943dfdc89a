-- Text that is sorted is COLLATE "C": bytes compare as in Go, for every locale of the database.

-- +goose Up

-- One row: the model's cursor. Apply, readers and the swap of a rebuild wait for each other at its
-- lock.
CREATE TABLE checkpoint (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    cursor text NOT NULL
);
INSERT INTO checkpoint (cursor) VALUES ('null');

-- All events of the model. Trades are refolded from them, and as-of questions are answered from
-- them.
CREATE TABLE events (
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    id           uuid NOT NULL UNIQUE,
    corrects     uuid NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    type         text NOT NULL,
    data         bytea NOT NULL,
    PRIMARY KEY (stream, version)
);

-- Refused commands and their rules. They are not a part of the state.
CREATE TABLE refusals (
    stream      text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    command_id  text NOT NULL,
    rule        text NOT NULL,
    detail      text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (stream, version)
);

CREATE TABLE trades (
    uti   text COLLATE "C" PRIMARY KEY,
    state jsonb NOT NULL, -- the trade as in the canonical state
    terms jsonb NOT NULL  -- the current terms
);

-- The legs of a pool are in order of (effective_at, stream, version, n). (stream, version, n) is
-- unique.
CREATE TABLE legs (
    effective_at timestamptz NOT NULL,
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    n            int NOT NULL,
    book         text COLLATE "C" NOT NULL,
    instrument   text COLLATE "C" NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    side         text NOT NULL,
    quantity     numeric NOT NULL,
    amount       numeric NOT NULL,
    PRIMARY KEY (stream, version, n)
);
CREATE INDEX legs_in_order ON legs (book, instrument, currency, effective_at, stream, version, n);

-- The saved states of a pool, each after its first legs. The row has the key of the last of them.
-- One state is saved after the last leg of the pool: the position. Others are saved at regular
-- intervals: a refold for a late leg begins there.
CREATE TABLE pools (
    book         text COLLATE "C" NOT NULL,
    instrument   text COLLATE "C" NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    legs         bigint NOT NULL CHECK (legs > 0),
    effective_at timestamptz NOT NULL,
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    n            int NOT NULL,
    state        jsonb NOT NULL,
    PRIMARY KEY (book, instrument, currency, legs)
);
CREATE INDEX pools_in_order ON pools (book, instrument, currency, effective_at, stream, version, n);

-- The price curves as marked. Positions are valued with them when they are read.
CREATE TABLE curves (
    curve    text COLLATE "C" NOT NULL,
    delivery text COLLATE "C" NOT NULL, -- the period as text
    price    numeric NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (curve, delivery)
);
