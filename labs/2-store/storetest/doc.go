// Package storetest holds the checks of Lab 2: what every contract.Store must do, whatever it is made of.
//
// A store is tested through a Fixture. Where stores may differ, the fixture says so as data; no check knows a backend's name.
//
//	func TestStore(t *testing.T) {
//		check.Run(t, storetest.Suite(storetest.Fixture{Open: func(t check.T, clock contract.Clock) storetest.Log {
//			s := memory.New(clock)
//			return storetest.Log{Store: s}
//		}}))
//	}
package storetest
