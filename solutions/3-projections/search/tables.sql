-- The attributes of each contract: a JSON object of text.
CREATE TABLE contracts (
    uti        text COLLATE "C" PRIMARY KEY,
    attributes jsonb NOT NULL
);
CREATE INDEX contracts_attributes ON contracts USING gin (attributes jsonb_path_ops);

CREATE TABLE reasons (
    uti         text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    type        text NOT NULL,
    actor       text NOT NULL,
    approver    text NOT NULL,
    recorded_at timestamptz NOT NULL,
    reason      text NOT NULL,
    words       tsvector GENERATED ALWAYS AS (to_tsvector('simple', reason)) STORED,
    PRIMARY KEY (uti, version)
);
CREATE INDEX reasons_words ON reasons USING gin (words);

-- SQL readers: see package readmodel. A reason is free text.
CREATE VIEW auditor_contracts WITH (security_barrier) AS SELECT * FROM contracts;
CREATE VIEW auditor_reasons WITH (security_barrier) AS
SELECT uti, version, type, actor, approver, recorded_at, reason FROM reasons;
CREATE VIEW compliance_contracts WITH (security_barrier) AS SELECT * FROM contracts;
CREATE VIEW compliance_reasons WITH (security_barrier) AS SELECT * FROM auditor_reasons;
