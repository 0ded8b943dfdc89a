//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func disk(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only Linux mounts small disks here")
}

func fill(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only Linux mounts small disks here")
}

func canMount() bool { return false }

func cut(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only Linux has the terminals of the scripts")
}

func marked(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only Linux has the terminals of the scripts")
}

func lost(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only Linux has the terminals of the scripts")
}
