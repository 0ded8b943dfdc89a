-- The tables of every read model. Text that is sorted is COLLATE "C": bytes compare as in Go, for
-- every locale of the database.

-- One row: the model's cursor. Apply, readers and the swap of a rebuild wait for each other at its
-- lock.
CREATE TABLE checkpoint (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    cursor text NOT NULL
);
INSERT INTO checkpoint (cursor) VALUES ('null');

-- All events of the model. Streams are refolded from them, and as-of questions are answered from
-- them.
CREATE TABLE events (
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    id           uuid NOT NULL UNIQUE,
    corrects     uuid NOT NULL,
    effective_at timestamptz NOT NULL,
    entered_at   timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    actor        text NOT NULL,
    type         text NOT NULL,
    schema       int NOT NULL,
    fingerprint  bytea NOT NULL,
    data         bytea NOT NULL,
    PRIMARY KEY (stream, version)
);
