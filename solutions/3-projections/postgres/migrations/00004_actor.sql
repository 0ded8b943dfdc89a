-- +goose Up

-- Who did it: an event as the domain sees it has it. No state depends on it, so rows from before are as good.
ALTER TABLE events ADD COLUMN actor text NOT NULL DEFAULT '';
