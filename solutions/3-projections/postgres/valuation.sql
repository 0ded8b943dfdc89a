
-- The functions below repeat trade.State.ValuedAt, whose comment has its rules. A NULL is a mark
-- that is missing. Each body is bound to its tables when it is created (BEGIN ATOMIC), so a rebuilt
-- model keeps its functions when its schema takes the name of the live one.

-- muldiv is trade.MulDiv: a·b/c, rounded half to even.
CREATE FUNCTION muldiv(a numeric, b numeric, c numeric, places int) RETURNS numeric
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT sign(a) * sign(b) * sign(c) * ('1e-' || places)::numeric *
           (q + CASE WHEN 2 * r > d OR 2 * r = d AND q % 2 = 1 THEN 1 ELSE 0 END)
    FROM (SELECT abs(a * b) * ('1e' || places)::numeric AS m, abs(c) AS d) x,
         LATERAL (SELECT div(m, d) AS q) y,
         LATERAL (SELECT m - q * d AS r) z;
END;

-- delivery_hours returns the hours of each month of a delivery that begin at a time or after it.
CREATE FUNCTION delivery_hours(of_instrument text, since timestamptz)
RETURNS TABLE (n int, hours numeric) LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.n, coalesce(sum(greatest(0,
           trunc(extract(epoch FROM s.ends - greatest(s.begins, since)) / 3600))), 0)
    FROM delivery_months m LEFT JOIN delivery_spans s USING (instrument, n)
    WHERE m.instrument = of_instrument
    GROUP BY m.n;
END;

-- month_price returns the mark of the smallest marked period that contains a month.
CREATE FUNCTION month_price(of_instrument text, of_currency text, month int) RETURNS numeric
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.price
    FROM delivery_months m
    JOIN instruments i USING (instrument)
    JOIN curves c ON c.curve = i.curve AND c.currency = of_currency
         AND c.starts <= m.starts AND c.ends >= m.ends
    WHERE m.instrument = of_instrument AND m.n = month
    ORDER BY c.ends - c.starts, c.effective_at DESC, c.version DESC, c.starts LIMIT 1;
END;

-- mean_value returns the worth of a quantity that is spread over the hours of a delivery since a
-- time.
CREATE FUNCTION mean_value(of_instrument text, of_currency text, since timestamptz,
                           quantity numeric, places int) RETURNS numeric
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN bool_and(price IS NOT NULL)
           THEN muldiv(quantity, sum(price * hours), sum(hours), places) END
    FROM delivery_hours(of_instrument, since) h,
         LATERAL (SELECT month_price(of_instrument, of_currency, h.n) AS price) p
    WHERE h.hours > 0;
END;

-- delivered returns the pools under delivery at a time: the quantity that is not delivered, and the
-- worth of the delivered quantity, which is 0 without one. Settlements take the earliest hours, so
-- the delivered quantity that is not settled belongs to the last hours before the time.
CREATE FUNCTION delivered(valued_at timestamptz)
RETURNS TABLE (book text, instrument text, currency text, undelivered numeric, worth numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH under_way AS MATERIALIZED (
        SELECT i.instrument FROM instruments i
        WHERE i.hourly AND EXISTS (SELECT FROM delivery_spans s
                                   WHERE s.instrument = i.instrument AND s.begins < valued_at)
    ), contracts AS (
        SELECT t.uti, t.state->>'book' AS book, u.instrument, t.state->>'currency' AS currency,
               (t.state->>'open')::numeric AS open, t.flows,
               CASE t.state->>'side' WHEN 'buy' THEN 1 ELSE -1 END AS sign
        FROM trades t JOIN under_way u ON u.instrument = t.state->>'instrument'
        WHERE (t.state->>'open')::numeric <> 0
    ), flows AS ( -- each flow in each month, with the hours left at its time and now
        SELECT c.uti, h.n, f.quantity, h.hours AS hours, now.hours AS hours_left,
               sum(h.hours) OVER flow AS all_hours, sum(now.hours) OVER flow AS all_left
        FROM contracts c,
             LATERAL ROWS FROM (jsonb_to_recordset(c.flows)
                 AS ("At" timestamptz, "Quantity" numeric)) WITH ORDINALITY f(at, quantity, i),
             LATERAL delivery_hours(c.instrument, f.at) h
             JOIN LATERAL delivery_hours(c.instrument, greatest(f.at, valued_at)) now USING (n)
        WINDOW flow AS (PARTITION BY c.uti, f.i)
    ), shares AS ( -- of the contract in each month, as its flows make them
        SELECT uti, n,
               greatest(0, sum(muldiv(quantity, hours - hours_left, nullif(all_hours, 0), 6))) AS part,
               sum(muldiv(quantity, all_left, nullif(all_hours, 0), 6)) AS undelivered
        FROM flows GROUP BY uti, n
    ), months AS ( -- later is the sum of the month and all later ones
        SELECT c.*, s.n, s.part, sum(s.part) OVER (PARTITION BY c.uti ORDER BY s.n DESC) AS later,
               least(greatest(coalesce(s.undelivered, 0), 0), c.open) AS kept
        FROM contracts c JOIN shares s USING (uti)
    ), taken AS ( -- from the last month on, until all is found that is not settled
        SELECT m.*, least(open - kept, later) - least(open - kept, later - part) AS quantity
        FROM months m
    ), placed AS ( -- a rest, by rounding, belongs to the earliest month of these
        SELECT t.*, open - kept - sum(quantity) OVER contract AS rest,
               coalesce(min(n) FILTER (WHERE quantity <> 0) OVER contract,
                        max(n) OVER contract) AS earliest
        FROM taken t WINDOW contract AS (PARTITION BY uti)
    ), pools AS (
        SELECT p.book, p.instrument, p.currency, p.n,
               sum(sign * (quantity + CASE WHEN n = earliest THEN rest ELSE 0 END)) AS quantity,
               sum(sign * kept) AS undelivered
        FROM placed p GROUP BY p.book, p.instrument, p.currency, p.n
    )
    SELECT p.book, p.instrument, p.currency, coalesce(max(w.undelivered), 0),
           CASE WHEN bool_and(coalesce(w.quantity, 0) = 0 OR price IS NOT NULL)
                THEN muldiv(coalesce(sum(price * w.quantity) FILTER (WHERE w.quantity <> 0), 0),
                            1, 1, p.places) END
    FROM positions p JOIN under_way u USING (instrument)
    LEFT JOIN pools w USING (book, instrument, currency)
    LEFT JOIN LATERAL month_price(p.instrument, p.currency, w.n) price ON true
    GROUP BY p.book, p.instrument, p.currency, p.places;
END;

-- valuation values all positions at a time, with the marks of all effective times. It answers as
-- blotter position does, unless an event takes effect after that time. The planner, which knows no
-- sizes of a young model, would compile the statement for seconds (jit).
CREATE FUNCTION valuation(valued_at timestamptz)
RETURNS TABLE (book text, instrument text, currency text, quantity numeric, market_value numeric,
               average_unrealised numeric, fifo_unrealised numeric)
LANGUAGE sql STABLE SET jit = off
BEGIN ATOMIC
    SELECT p.book, p.instrument, p.currency, p.quantity, v.worth, v.worth - p.average_cost,
           v.worth - p.fifo_cost
    FROM positions p
    JOIN instruments i USING (instrument)
    LEFT JOIN delivered(valued_at) d USING (book, instrument, currency)
    LEFT JOIN curves c ON (c.curve, c.delivery, c.currency) = (i.curve, i.delivery, p.currency)
    CROSS JOIN LATERAL (SELECT CASE
        WHEN valued_at >= i.expires THEN 0
        WHEN d.undelivered = 0 THEN d.worth
        WHEN d.undelivered <> 0 THEN d.worth + mean_value(p.instrument, p.currency, valued_at,
                                                          d.undelivered, p.places)
        WHEN p.quantity = 0 THEN 0
        WHEN c.price IS NOT NULL THEN muldiv(c.price, p.quantity, 1, p.places)
        ELSE mean_value(p.instrument, p.currency, '-infinity', p.quantity, p.places)
    END AS worth) v
    ORDER BY p.book, p.instrument, p.currency;
END;
