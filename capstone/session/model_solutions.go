//go:build !lab3

package session

import (
	"example.com/blotter/capstone/logdir"
	readmodel "example.com/blotter/solutions/3-projections/postgres"
)

type readModel = readmodel.Projection

// openReadModel opens the reference read model. Build with -tags lab3 for the one in
// labs/3-projections.
var openReadModel = readmodel.OpenAs

func modelSchema(name logdir.Name) string { return name.ModelSchema() }
