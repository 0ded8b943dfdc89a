package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func TestProjection(t *testing.T) {
	t.Parallel()
	check.Run(t, projectiontest.Suite(projectiontest.Fixture{
		Open: func(ct check.T, codec contract.Codec) projectiontest.Model {
			dsn, schema := stacktest.Schema(t)
			open := func(ct check.T) contract.Projection {
				p, err := Open(ct.Context(), dsn, schema, codec)
				require.NoError(ct, err)
				ct.Cleanup(p.Close)
				return p
			}
			return projectiontest.Model{Projection: open(ct), Reopen: open}
		},
	}))
}

func openTest(t *testing.T) *Projection {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	p, err := Open(t.Context(), dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// requireState compares p with a fold from scratch of the events before to.
func requireState(t *testing.T, p contract.Projection, log *projectiontest.Log,
	to contract.Cursor) {
	t.Helper()
	want := fold(t, log, to)
	got, err := p.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, string(got.Canonical()))
}

func fold(t *testing.T, log *projectiontest.Log, to contract.Cursor) string {
	t.Helper()
	streams := map[string][]trade.Event{}
	for r, err := range log.Read(t.Context(), nil, to) {
		require.NoError(t, err)
		e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	return string(trade.StateOf(streams, trade.AsOf{}).Canonical())
}

func end(t *testing.T, log *projectiontest.Log) contract.Cursor {
	t.Helper()
	c, err := log.End(t.Context())
	require.NoError(t, err)
	return c
}
