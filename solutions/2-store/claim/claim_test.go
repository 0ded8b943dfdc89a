package claim_test

import (
	"testing"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/claim"
	"example.com/blotter/solutions/2-store/memory"
)

var onMemory = storetest.Fixture{Volatile: true, Open: func(_ check.T, clock contract.Clock) storetest.Log {
	return storetest.Log{Store: memory.New(clock)}
}}

func checked(s contract.Store, blobs contract.Blobs, limit int) contract.Store {
	return claim.Check(s, blobs, limit)
}

func TestClaims(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Claims(onMemory, checked))
}

// Nobody can tell a store with large payloads elsewhere from one without: it passes the whole suite, though next to no payload is in its log.
func TestACheckedStoreIsAStore(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Suite(storetest.Fixture{Volatile: true, Claims: true, Open: func(_ check.T, clock contract.Clock) storetest.Log {
		return storetest.Log{Store: claim.Check(memory.New(clock), new(claim.Memory), 1)}
	}}))
}

func TestMemory(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Objects(func(check.T) (contract.Blobs, func([32]byte, []byte)) {
		m := new(claim.Memory)
		return m, m.Set
	}))
}
