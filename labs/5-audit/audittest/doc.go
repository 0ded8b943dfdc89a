// Package audittest holds the checks of Lab 5: what every contract.Auditor must do, and every way of tampering with a log that it must
// find and name.
//
//	func TestAuditor(t *testing.T) {
//		check.Run(t, audittest.Suite(audittest.Fixture{Archive: func(t check.T) audittest.Open {
//			archive, key := new(audit.Memory), …
//			return func(log contract.Reader) contract.Auditor { … }
//		}}))
//	}
//
// The log under audit is a Log of this package: a slice that can be tampered with, as no store lets itself be.
package audittest
