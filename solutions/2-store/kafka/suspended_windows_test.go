package kafka_test

import "example.com/blotter/solutions/2-store/kafka"

// withSuspend does nothing: this system cannot stop a process.
func withSuspend(opts kafka.Options) (kafka.Options, func()) { return opts, func() {} }
