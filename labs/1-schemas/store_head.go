// Code generated from solutions/1-schemas/store_head.go by make generate; DO NOT EDIT.

package codec

import "example.com/blotter/labs/kit/contract"

const headType = "store.head"

// head is store.head, version 1.
func head(f fields, h *contract.Head) {
	f.text("stream", &h.Stream)
	f.number("version", &h.Version)
	f.id("event_id", &h.EventID)
	f.instant("recorded_at", &h.RecordedAt)
	f.digest("digest", &h.Digest)
	f.flag("ended", &h.Ended)
}
