//go:build !race

package filing_test

// racing reports whether the race detector watches the tests.
const racing = false
