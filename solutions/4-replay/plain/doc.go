// Package replay is the reference of Lab 4: replays, an archive of snapshots, and the search for
// the first event at which two histories differ. It is built like the lab. The README of
// labs/4-replay is the guide.
//
// The capstone archives its snapshots with this package.
package replay
