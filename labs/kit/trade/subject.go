package trade

import "strings"

// Subject is the stream of the trade or curve that a stream is about: for refused/<UTI> it is trade/<UTI>, for refused/curve/<name>
// curve/<name>, and every other stream is about itself. A command writes to one of two streams that share a subject.
func Subject(stream string) string {
	about, refused := strings.CutPrefix(stream, refusedStreams)
	switch {
	case !refused:
		return stream
	case strings.HasPrefix(about, CurveStream("")):
		return about
	}
	return TradeStream(about)
}
