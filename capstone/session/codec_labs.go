//go:build lab1

package session

import codec "example.com/blotter/labs/1-schemas"

// The codec of labs/1-schemas.
var (
	openRegistry = codec.Confluent
	newCodec     = codec.New

	// JSON returns the readable form of a decoded payload.
	JSON = codec.JSON
)
