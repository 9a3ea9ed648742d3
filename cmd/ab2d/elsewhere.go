//go:build !linux

package main

import (
	"context"
	"errors"

	"cms.gov/ab2d/adapters/config"
)

func bench(context.Context, *config.Config, []string) error {
	return errors.New("what is measured is told by Linux alone; run it there")
}
