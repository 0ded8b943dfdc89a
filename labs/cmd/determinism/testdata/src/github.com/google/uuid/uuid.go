// Package uuid stands for the module of this name.
package uuid

type UUID [16]byte

func New() UUID             { return UUID{} }
func NewSHA1(_ []byte) UUID { return UUID{} }
