//go:build race

package main

// racing reports whether the race detector watches the tests.
const racing = true
