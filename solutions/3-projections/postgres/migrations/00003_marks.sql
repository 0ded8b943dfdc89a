-- +goose Up

-- How late the marks of a curve are, at the latest: one that comes behind them all changes no other, and the curve is not read for it.
CREATE INDEX events_marks ON events (stream, effective_at) WHERE type = 'price.marked';
