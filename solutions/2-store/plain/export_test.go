package store

// Update is set by the flag that rewrites what the tests compare with.
var Update = update
