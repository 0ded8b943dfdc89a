package projection_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	projection "example.com/blotter/labs/3-projections"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func answer() projectiontest.Answer {
	return projectiontest.Answer{
		Fold: projection.Fold, Advance: projection.Advance, Refold: projection.Refold,
		Memory: func(check.T) projectiontest.Database {
			db := projection.NewDatabase()
			return func(_ check.T, codec contract.Codec, hook projectiontest.Hook,
			) projectiontest.LabModel {
				return projection.InMemory(db, codec, hook)
			}
		},
		Postgres: func(ct check.T) projectiontest.Database {
			dsn, schema := stacktest.Schema(ct)
			o := projection.Options{App: dsn, Owner: dsn, Schema: schema}
			created, err := projection.Open(ct.Context(), o, nil)
			require.NoError(ct, err)
			created.Close()
			return func(ct check.T, codec contract.Codec, hook projectiontest.Hook,
			) projectiontest.LabModel {
				o := projection.Options{App: dsn, Schema: schema, Hook: hook}
				m, err := projection.Open(ct.Context(), o, codec)
				require.NoError(ct, err)
				return m
			}
		},
	}
}

func TestLab3(t *testing.T) { check.Run(t, projectiontest.Lab(answer())) }
