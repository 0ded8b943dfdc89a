-- One row for each event of the log: its envelope, and what the questions need of it.
CREATE TABLE facts (
    id           uuid PRIMARY KEY,
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    type         text NOT NULL,
    effective_at timestamptz NOT NULL,
    entered_at   timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    actor        text NOT NULL,
    approver     text NOT NULL,
    submitted_by text NOT NULL,
    reason       text NOT NULL,
    command_id   text NOT NULL,
    source       text NOT NULL,
    corrects     uuid NOT NULL,
    correlation  uuid NOT NULL,
    causation    uuid NOT NULL,
    backdating   bigint NOT NULL, -- microseconds
    delay        bigint NOT NULL, -- microseconds
    closed       text NOT NULL,
    breach       text NOT NULL,
    UNIQUE (stream, version)
);
CREATE INDEX facts_recorded ON facts (recorded_at);
CREATE INDEX facts_backdating ON facts (backdating DESC, stream, version);
CREATE INDEX facts_delay ON facts (delay DESC, stream, version);
CREATE INDEX facts_closed ON facts (recorded_at, stream, version) WHERE closed <> '';
CREATE INDEX facts_breach ON facts (recorded_at, stream, version) WHERE breach <> '';
CREATE INDEX facts_causation ON facts (causation);
CREATE INDEX facts_corrects ON facts (corrects)
    WHERE corrects <> '00000000-0000-0000-0000-000000000000';

-- The principals of each event.
CREATE TABLE touches (
    principal    text COLLATE "C" NOT NULL,
    recorded_at  timestamptz NOT NULL,
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    id           uuid NOT NULL,
    effective_at timestamptz NOT NULL,
    roles        text NOT NULL,
    PRIMARY KEY (principal, recorded_at, stream, version)
);

-- The events that were entered out of hours, for the clocks of each city.
CREATE TABLE odd_hours (
    city         text COLLATE "C" NOT NULL,
    entered_at   timestamptz NOT NULL,
    stream       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    actor        text COLLATE "C" NOT NULL,
    recorded_at  timestamptz NOT NULL,
    effective_at timestamptz NOT NULL,
    id           uuid NOT NULL,
    PRIMARY KEY (city, entered_at, stream, version)
);
CREATE INDEX odd_hours_actor ON odd_hours (city, actor, entered_at, stream, version);

-- The value of a field after each event that changed it.
CREATE TABLE changes (
    stream  text COLLATE "C" NOT NULL,
    field   text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    value   text NOT NULL,
    PRIMARY KEY (stream, field, version)
);

CREATE INDEX changes_book ON changes (value) WHERE field = 'book';

-- The links between contracts.
CREATE TABLE links (
    id       uuid NOT NULL,
    from_uti text COLLATE "C" NOT NULL,
    to_uti   text COLLATE "C" NOT NULL,
    PRIMARY KEY (from_uti, to_uti, id)
);
CREATE INDEX links_to ON links (to_uti);

-- The deals that a CANCEL took out (cancelled) and that a NEW began.
CREATE TABLE deals (
    id           uuid PRIMARY KEY,
    cancelled    boolean NOT NULL,
    recorded_at  timestamptz NOT NULL,
    uti          text NOT NULL,
    book         text NOT NULL,
    instrument   text NOT NULL,
    side         text NOT NULL,
    counterparty text NOT NULL,
    quantity     numeric NOT NULL,
    price        numeric NOT NULL
);
CREATE INDEX deals_like ON deals (cancelled, book, instrument, side, recorded_at);

-- The pairs of deals within the limits of a question.
CREATE TABLE rebooks (
    recorded_at timestamptz NOT NULL, -- of the NEW
    booked      uuid NOT NULL,
    replaced    uuid NOT NULL,
    gap         bigint NOT NULL, -- microseconds from the CANCEL to the NEW
    apart       bigint NOT NULL, -- the larger difference, in parts per million
    PRIMARY KEY (recorded_at, booked, replaced)
);

-- SQL readers: see package readmodel. facts has the envelope of every event of the log.
CREATE VIEW auditor_facts WITH (security_barrier) AS SELECT * FROM facts;
CREATE VIEW auditor_touches WITH (security_barrier) AS SELECT * FROM touches;
CREATE VIEW auditor_odd_hours WITH (security_barrier) AS SELECT * FROM odd_hours;
CREATE VIEW auditor_changes WITH (security_barrier) AS SELECT * FROM changes;
CREATE VIEW auditor_links WITH (security_barrier) AS SELECT * FROM links;
CREATE VIEW auditor_rebooks WITH (security_barrier) AS SELECT * FROM rebooks;
CREATE VIEW compliance_facts WITH (security_barrier) AS SELECT * FROM facts;
CREATE VIEW compliance_touches WITH (security_barrier) AS SELECT * FROM touches;
CREATE VIEW compliance_odd_hours WITH (security_barrier) AS SELECT * FROM odd_hours;
CREATE VIEW compliance_changes WITH (security_barrier) AS SELECT * FROM changes;
CREATE VIEW compliance_links WITH (security_barrier) AS SELECT * FROM links;
CREATE VIEW compliance_rebooks WITH (security_barrier) AS SELECT * FROM rebooks;
