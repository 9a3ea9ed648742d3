// Package web holds the pages that the product shows to people: view models,
// which are plain values ready to be shown, and the components that show them.
package web

//go:generate go tool templ generate -path .
