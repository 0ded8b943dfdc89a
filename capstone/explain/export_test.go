package explain

import "example.com/blotter/labs/kit/trade"

// Contracts returns the contracts of the world that a history leads to, by stream.
func Contracts(h History, at trade.AsOf) map[string]trade.Trade { return worldOf(h, at).contracts }
