// Package memory holds every port in memory, for the tests of the application
// and as the plainest statement of what the ports promise: it passes the same
// suites as the adapters that production uses.
package memory
