//go:build wireinject

package ab2d

import (
	"context"

	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/host"
	"github.com/google/wire"
)

// Initialize puts a process together as its settings say. The returned function
// releases what it holds, once it has stopped.
func Initialize(ctx context.Context, cfg *config.Config) (*host.Process, func(), error) {
	panic(wire.Build(adapters, application, process))
}

// InitializeMigrator opens the database alone.
func InitializeMigrator(ctx context.Context, cfg *config.Config) (*entstore.Store, func(), error) {
	panic(wire.Build(openStore, provideQueueFactory))
}
