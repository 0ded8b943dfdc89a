// Package replay shows that history still leads to the states that were archived.
//
// A replay folds the log from its first event, with nothing of the projection: neither its rows nor its code. If its
// bytes are those of an archived state, then no event before the snapshot's cursor has changed since, none is missing, and
// both ways of deriving state agree. Where they are not, Compare names the first line at which the two part, and
// Explain the fields.
//
// Archives of snapshots are below: s3 keeps them in a bucket, memory in a map. Both pass the suite replaytest.
package replay
