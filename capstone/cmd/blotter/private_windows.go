package main

// keepPrivate leaves the files to the access list of their folder, which they inherit.
func keepPrivate() {}
