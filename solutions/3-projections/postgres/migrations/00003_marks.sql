-- +goose Up

-- The latest effective time of the marks of a curve. A mark after all of them changes no other
-- mark, so the curve need not be read for it.
CREATE INDEX events_marks ON events (stream, effective_at) WHERE type = 'price.marked';
