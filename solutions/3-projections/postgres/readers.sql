
-- The views of SQL readers. A reader may read no table: see package readmodel. The roles are named
-- after the schema: for blotter_model they are blotter_model_risk and so on. Somebody who may
-- create roles makes a login a member of one.

-- risk: every contract, but neither its trader nor its counterparty.
CREATE VIEW risk_trades WITH (security_barrier) AS
SELECT uti, state - 'trader' - 'counterparty' AS state FROM trades;
CREATE VIEW risk_positions WITH (security_barrier) AS SELECT * FROM positions;
CREATE VIEW risk_curves WITH (security_barrier) AS SELECT * FROM curves;

-- trader: the contracts whose trader is the name of the login, such as "trader/1".
CREATE VIEW trader_trades WITH (security_barrier) AS
SELECT uti, state FROM trades WHERE state ->> 'trader' = session_user;
CREATE VIEW trader_curves WITH (security_barrier) AS SELECT * FROM curves;

-- auditor: everything but payloads, and the details of refusals, which repeat text of commands.
CREATE VIEW auditor_trades WITH (security_barrier) AS SELECT uti, state FROM trades;
CREATE VIEW auditor_positions WITH (security_barrier) AS SELECT * FROM positions;
CREATE VIEW auditor_events WITH (security_barrier) AS
SELECT stream, version, id, type, effective_at, entered_at, recorded_at, actor FROM events;
CREATE VIEW auditor_refusals WITH (security_barrier) AS
SELECT stream, version, command_id, rule, recorded_at FROM refusals;
