-- Text that takes part in an order is COLLATE "C": bytes compare as they do in Go, whatever the database's locale.

-- +goose Up

-- One row: how far the model has come. Its lock is what Apply, readers and the swap of a rebuild meet at.
CREATE TABLE checkpoint (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    cursor text NOT NULL
);
INSERT INTO checkpoint (cursor) VALUES ('null');

-- Every event that the model has taken: trades are refolded from here, and as-of questions answered.
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

-- What was refused, and why. It takes no part in the state.
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
    state jsonb NOT NULL, -- the trade as it goes into the canonical state
    terms jsonb NOT NULL  -- as agreed now
);

-- A leg is placed by (effective_at, stream, version, n) within its pool; (stream, version, n) tells it from all others.
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

-- A pool after its first so many legs, the last of them placed as the row says: after the last one there is, which is the
-- position, and after every so many, which is where a refold begins when a leg comes late.
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

-- The price curves as marked, by which positions are valued when they are read.
CREATE TABLE curves (
    curve    text COLLATE "C" NOT NULL,
    delivery text COLLATE "C" NOT NULL, -- the period, as people write it
    price    numeric NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (curve, delivery)
);
