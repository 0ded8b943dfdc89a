-- The latest effective time of the marks of a curve. A mark after all of them changes no other
-- mark, so the curve need not be read for it.
CREATE INDEX events_marks ON events (stream, effective_at) WHERE type = 'price.marked';

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
    terms jsonb NOT NULL, -- the current terms
    flows jsonb NOT NULL  -- trade.Flow: what changed the quantity to deliver
);

-- The legs of a pool are in order of (effective_at, entered_at, stream, version, n), with the time
-- at which their contract was entered. (stream, version, n) is unique. A leg that leaves the book
-- other than by a trade has its own cost.
CREATE TABLE legs (
    effective_at timestamptz NOT NULL,
    entered_at   timestamptz NOT NULL,
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    n            int NOT NULL,
    book         text COLLATE "C" NOT NULL,
    instrument   text COLLATE "C" NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    side         text NOT NULL,
    quantity     numeric NOT NULL,
    amount       numeric NOT NULL,
    is_exit      boolean NOT NULL,
    own_cost     numeric NOT NULL,
    PRIMARY KEY (stream, version, n)
);
CREATE INDEX legs_in_order ON legs
    (book, instrument, currency, effective_at, entered_at, stream, version, n);

-- The saved states of a pool, each after its first legs. The row has the key of the last of them.
-- A refold for a late leg begins there.
CREATE TABLE pools (
    book         text COLLATE "C" NOT NULL,
    instrument   text COLLATE "C" NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    legs         bigint NOT NULL CHECK (legs > 0),
    effective_at timestamptz NOT NULL,
    entered_at   timestamptz NOT NULL,
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    n            int NOT NULL,
    state        jsonb NOT NULL,
    PRIMARY KEY (book, instrument, currency, legs)
);
CREATE INDEX pools_in_order ON pools
    (book, instrument, currency, effective_at, entered_at, stream, version, n);

-- The result of each pool after its last leg. The saved states in pools are larger: they hold every
-- open lot.
CREATE TABLE positions (
    book             text COLLATE "C" NOT NULL,
    instrument       text COLLATE "C" NOT NULL,
    currency         text COLLATE "C" NOT NULL,
    quantity         numeric NOT NULL,
    average_cost     numeric NOT NULL,
    average_realised numeric NOT NULL,
    fifo_cost        numeric NOT NULL, -- of all open lots together
    fifo_realised    numeric NOT NULL,
    places           int NOT NULL,     -- of the currency's minor unit
    PRIMARY KEY (book, instrument, currency)
);

-- The price curves as marked. Positions are valued with them when they are read.
CREATE TABLE curves (
    curve        text COLLATE "C" NOT NULL,
    delivery     text COLLATE "C" NOT NULL, -- the period as text
    starts       date NOT NULL,
    ends         date NOT NULL, -- the day after the last one
    price        numeric NOT NULL,
    currency     text NOT NULL,
    effective_at timestamptz NOT NULL,
    version      bigint NOT NULL, -- of the slot
    PRIMARY KEY (curve, delivery)
);

-- The illegal events, and the rule that each breaks. It parks its stream, of which the other tables
-- have only the events before it, unless a later event of the stream skips it.
CREATE TABLE parked (
    stream     text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    event      uuid NOT NULL,
    actor      text NOT NULL,
    rule       text NOT NULL,
    detail     text NOT NULL,
    book       text NOT NULL, -- of the contract; empty for a curve, and if none has begun
    skipped_by uuid,          -- the event that skips it; NULL while it parks its stream
    PRIMARY KEY (stream, version)
);

-- The instruments of all pools. They never change.
CREATE TABLE instruments (
    instrument text COLLATE "C" PRIMARY KEY,
    curve      text COLLATE "C" NOT NULL,
    delivery   text COLLATE "C" NOT NULL,
    expires    timestamptz,     -- the end of an option's day of expiry; null for a forward
    hourly     boolean NOT NULL -- a forward that is delivered by the hour
);

-- The months of an instrument's delivery, from 0, and the spans of hours in which it is delivered.
-- Oil has a span of one hour, as its weight.
CREATE TABLE delivery_months (
    instrument text COLLATE "C" NOT NULL,
    n          int NOT NULL,
    starts     date NOT NULL,
    ends       date NOT NULL, -- the day after the last one
    PRIMARY KEY (instrument, n)
);
CREATE TABLE delivery_spans (
    instrument text COLLATE "C" NOT NULL,
    n          int NOT NULL,
    begins     timestamptz NOT NULL,
    ends       timestamptz NOT NULL,
    PRIMARY KEY (instrument, begins)
);
