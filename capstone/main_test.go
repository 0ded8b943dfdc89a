package capstone_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain gives the random tests a seed, so that a run can be repeated. Another one explores further:
//
//	go test ./capstone -rapid.seed=2 -rapid.checks=5000
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
