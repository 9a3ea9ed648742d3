package jwks

import (
	"testing"

	"cms.gov/ab2d/ports/porttest"
)

func TestChecker(t *testing.T) { porttest.KeySets(t, Checker{}) }
