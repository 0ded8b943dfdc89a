package kafka_test

import "example.com/blotter/solutions/2-store/kafka"

// napping is for systems that can stop a process.
func napping(opts kafka.Options) (kafka.Options, func()) { return opts, func() {} }
