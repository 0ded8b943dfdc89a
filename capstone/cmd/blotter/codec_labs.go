//go:build lab1

package main

import codec "example.com/blotter/labs/1-schemas"

// The codec that was written in labs/1-schemas.
type lab1Codec = codec.Codec

var (
	openRegistry = codec.Confluent
	openCodec    = codec.New
	readable     = codec.JSON
)
