-- The tables of every read model. Text that is sorted is COLLATE "C": bytes compare as in Go, for
-- every locale of the database.

-- The model's cursor. Apply, readers and the swap of a rebuild wait for each other at its locks. A
-- split model has a row for each partition, written whenever the model moves in that partition: the
-- cursor is the latest offset of all rows in each partition. Any other model has the row 0.
CREATE TABLE checkpoint (
    part   int PRIMARY KEY,
    cursor text NOT NULL
);
INSERT INTO checkpoint VALUES (0, 'null');

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
