//go:build !lab1

package main

import codec "example.com/blotter/solutions/1-schemas"

// The reference codec of solutions/1-schemas; build with -tags lab1 for yours.
type lab1Codec = codec.Codec

var (
	openRegistry = codec.Confluent
	openCodec    = codec.New
	readable     = codec.JSON
)
