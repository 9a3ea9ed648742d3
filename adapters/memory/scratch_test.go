package memory_test

import (
	"testing"

	"cms.gov/ab2d/adapters/memory"
	"cms.gov/ab2d/ports/porttest"
)

func TestScratch(t *testing.T) { porttest.Scratch(t, &memory.Scratch{}) }
