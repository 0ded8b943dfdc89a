package codec

// What the wrong answers have in common with the right one.
var (
	RecordOf = recordOf
	EventOf  = eventOf
	IsPoison = isPoison
	Park     = (*Consumer).park
)
