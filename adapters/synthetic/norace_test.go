//go:build !race

package synthetic_test

const raceDetector = false
