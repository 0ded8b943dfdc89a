// Code generated from solutions/1-schemas/command_refused.go by make generate; DO NOT EDIT.

package codec

import "example.com/blotter/labs/kit/trade"

// refused is command.refused, version 1. The rule is a text, not an enum: rules are added more often than schemas.
func refused(f fields, b *trade.CommandRefused) {
	f.text("command_id", &b.CommandID)
	f.digest("digest", &b.Digest)
	f.text("rule", &b.Rule)
	f.text("detail", &b.Detail)
}
