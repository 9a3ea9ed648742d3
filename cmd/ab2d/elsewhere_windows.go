package main

import (
	"context"
	"errors"

	"cms.gov/ab2d/adapters/config"
)

func runCluster(context.Context, *config.Config, []string) error {
	return errors.New("a cluster on one machine takes Linux or macOS; ab2d serve is one process with the same API")
}
