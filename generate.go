package ab2d

// Not in wire.go: a file that only Wire's own build tag selects is passed over
// by go generate.
//
//go:generate go tool wire gen .
