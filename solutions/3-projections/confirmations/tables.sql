-- The terms to confirm of each contract, and the reports about them: trade.ToConfirm and
-- trade.Reported. Each is folded from its own stream, and is null before that stream begins.
CREATE TABLE confirmations (
    uti      text COLLATE "C" PRIMARY KEY,
    terms    jsonb,
    reported jsonb
);

-- SQL readers: see package readmodel.
CREATE VIEW auditor_confirmations WITH (security_barrier) AS SELECT * FROM confirmations;
