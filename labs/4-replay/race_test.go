package replay_test

import "fmt"

// Two writers look whether a name is free, and then write. To see it: go test ./labs/4-replay -run
// Example -v
func Example_lookThenWrite() {
	archive := map[string]string{} // a storage that replaces objects, as most do by default
	look := func(writer string) (free bool) {
		_, taken := archive["month-end"]
		fmt.Printf("%s looks: month-end is free: %t\n", writer, !taken)
		return !taken
	}
	write := func(writer string) {
		archive["month-end"] = "state of " + writer
		fmt.Printf("%s writes, and reports success\n", writer)
	}
	a, b := look("A"), look("B")
	if a {
		write("A")
	}
	if b {
		write("B")
	}
	fmt.Printf("the archive has the %s\n", archive["month-end"])
	// Output:
	// A looks: month-end is free: true
	// B looks: month-end is free: true
	// A writes, and reports success
	// B writes, and reports success
	// the archive has the state of B
}
