//go:build lab3

package session

import (
	"context"

	"example.com/blotter/capstone/logdir"
	labmodel "example.com/blotter/labs/3-projections"
	"example.com/blotter/labs/kit/contract"
)

type readModel = labmodel.Model

// openReadModel opens the read model of labs/3-projections.
func openReadModel(ctx context.Context, app, owner, schema string, codec contract.Codec) (
	*labmodel.Model, error) {
	o := labmodel.Options{App: app, Owner: owner, Schema: schema}
	return labmodel.Open(ctx, o, codec)
}

// modelSchema is not the reference's schema: the tables differ, and a data folder may meet both
// builds.
func modelSchema(name logdir.Name) string { return name.ModelSchema() + "_lab3" }
