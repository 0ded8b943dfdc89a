// Package replaytest holds the checks of Lab 4: what every contract.Snapshots and every contract.Replayer must do.
//
//	check.Run(t, replaytest.Suite(replaytest.Fixture{
//		Archive:  func(t check.T) replaytest.Archive { … },
//		Replayer: func(codec contract.Codec) contract.Replayer { return replay.New(codec) },
//	}))
package replaytest
