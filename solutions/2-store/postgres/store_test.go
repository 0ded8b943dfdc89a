package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/offload"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// TestStore runs the suite for every store. After a simulated crash the old store still runs beside
// the reopened one, as a suspended process may.
func TestStore(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Suite(fixture(t)))
}

func TestOffload(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Offload(fixture(t), func(
		s contract.Store, blobs contract.Blobs, limit int,
	) contract.Store {
		return offload.Wrap(s, blobs, limit)
	}))
}

func fixture(t *testing.T) storetest.Fixture {
	return storetest.Fixture{Atomic: true, Resumes: true, Open: func(
		c check.T, clock contract.Clock,
	) storetest.Log {
		dsn, schema := stacktest.Schema(t)
		open := func(c check.T) contract.Store {
			s, err := Open(c.Context(), Options{DSN: dsn, Schema: schema, Clock: clock})
			require.NoError(c, err)
			c.Cleanup(func() { require.NoError(c, s.Close()) })
			return s
		}
		return storetest.Log{Store: open(c), Reopen: open}
	}}
}
