// Package replay shows that history still leads to the states that were archived.
//
// A replay folds the log from its first event, with nothing of the projection: neither its rows nor its code. If its
// bytes are those of an archived state, then history before the snapshot's cursor still leads to that state, so nothing that
// counts in it has changed since, and both ways of deriving state agree. Where they are not, Compare names the first line
// at which the two part, and Explain the fields.
//
// A state is trades and positions. What takes no part in it may have changed all the same: who and why, what was refused, prices
// that were marked again since. To find that out is the auditor's part: see Lab 5.
//
// Archives of snapshots are below: s3 keeps them in a bucket, memory in a map. Both pass the suite replaytest.
package replay
