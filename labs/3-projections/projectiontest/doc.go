// Package projectiontest holds the checks of Lab 3: what every contract.Projection must do, wherever it keeps its rows.
//
//	func TestProjection(t *testing.T) {
//		check.Run(t, projectiontest.Suite(projectiontest.Fixture{
//			Volatile: true,
//			Open: func(t check.T, codec contract.Codec) projectiontest.Model {
//				return projectiontest.Model{Projection: memory.New(codec)}
//			},
//		}))
//	}
//
// The histories are made up, legal, and the same in every run: with late events and events dated ahead, corrections of every kind,
// every kind of reduction, and the contracts that begin by one. What a model must come to is trade.StateOf of the same
// events, byte for byte.
package projectiontest
