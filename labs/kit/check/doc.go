// Package check is what the suites of the labs are made of: a check is one numbered rule with the code that tries it, and its
// verdict can be read as a value. So a suite runs under go test (Run), and runs just as well against a wrong answer
// of which it must say what is wrong (Judge).
//
// A suite never takes a *testing.T. It takes a T, which testify's require takes as well:
//
//	var appends = check.Check{
//		ID: "L2.1", Points: 2, Invariant: "L2.I1",
//		Title: "versions of a stream run 1, 2, 3, … without a hole",
//		Hint:  "take the version from what is recorded, not from a counter of your own",
//		Func:  func(t check.T) { … require.Equal(t, …) },
//	}
//
// What is not written yet answers with TODO. A check that meets it is neither passed nor failed: it is skipped.
package check
