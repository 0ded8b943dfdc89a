//go:build !lab3

package session

import (
	"example.com/blotter/capstone/logdir"
	readmodel "example.com/blotter/solutions/3-projections/postgres"
)

type readModel = readmodel.Projection

// openReadModel opens the reference read model.
var openReadModel = readmodel.OpenAs

func modelSchema(name logdir.Name) string { return name.ModelSchema() }
