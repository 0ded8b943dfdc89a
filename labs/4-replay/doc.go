// Package replay is Lab 4: replays, an archive of snapshots, and the search for the first event at
// which two histories differ. README.md is the guide.
//
// You write compare.go, replay.go, archive.go, chain.go and asof.go, in this order. The other files
// are provided, and are copied from the solution by make generate:
//
//	replayer.go  the Replayer, and the helpers of your functions: take, effect
//	manifest.go  the Snapshots: their two objects, their names, their list
//	memory.go    object storage in memory
//	s3.go        object storage in a bucket with object lock
package replay
