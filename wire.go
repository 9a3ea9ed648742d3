//go:build wireinject

package ab2d

import (
	"context"

	"github.com/google/wire"

	"cms.gov/ab2d/adapters/clock"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/gzippack"
	"cms.gov/ab2d/adapters/host"
	"cms.gov/ab2d/adapters/sandbox"
	"cms.gov/ab2d/application/access"
	"cms.gov/ab2d/application/attestation"
	"cms.gov/ab2d/application/audit"
	"cms.gov/ab2d/application/cancel"
	"cms.gov/ab2d/application/contracts"
	"cms.gov/ab2d/application/credentials"
	"cms.gov/ab2d/application/download"
	"cms.gov/ab2d/application/enrollment"
	"cms.gov/ab2d/application/export"
	"cms.gov/ab2d/application/jobs"
	"cms.gov/ab2d/application/listing"
	"cms.gov/ab2d/application/preferences"
	"cms.gov/ab2d/application/produce"
	"cms.gov/ab2d/application/refusals"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/application/status"
	"cms.gov/ab2d/ports"
)

// adapters is what stands behind each port. Where a port has several adapters
// one provider below chooses by the settings, in plain words.
var adapters = wire.NewSet(
	provideLog, provideListener, providePublicURL,
	provideDataLock, provideQueueFactory, provideStore,
	wire.Bind(new(ports.UnitOfWork), new(*entstore.Store)),
	wire.Bind(new(ports.Coverage), new(*entstore.Store)),
	wire.Bind(new(ports.Secrets), new(*entstore.Store)),
	wire.Struct(new(clock.System)), wire.Bind(new(ports.Clock), new(clock.System)),
	provideFileStore, provideLinks, provideFiles, provideScratch,
	wire.Struct(new(gzippack.Packing)), wire.Bind(new(ports.Packing), new(gzippack.Packing)),
	providePopulation, provideFolder, provideRecorder, provideBFD, provideClaims, providePeople,
	provideHPMS, provideEnrollment,
	wire.Bind(new(ports.Assertions), new(*entstore.Store)), provideLimits, provideSecretKey, provideProxies,
	wire.Struct(new(credentials.UseCase), "*"), provideCredentialSettings, provideAuth, provideTokens,
)

// application is the use cases, which know no platform.
var application = wire.NewSet(
	wire.Struct(new(access.UseCase), "*"), providePace,
	wire.Struct(new(contracts.UseCase), "*"),
	wire.Struct(new(export.UseCase), "*"), provideExportSettings,
	wire.Struct(new(jobs.UseCase), "*"),
	wire.Struct(new(status.UseCase), "*"),
	wire.Struct(new(download.UseCase), "*"), provideDownloadLimits,
	wire.Struct(new(cancel.UseCase), "*"),
	wire.Struct(new(refusals.Recorder), "*"),
	wire.Struct(new(produce.UseCase), "*"), provideProduceSettings,
	wire.Struct(new(retention.UseCase), "*"), provideRetentionSettings,
	wire.Struct(new(attestation.UseCase), "*"), provideListing,
	wire.Struct(new(enrollment.UseCase), "*"), provideEnrollmentSettings,
)

// process is what runs.
var process = wire.NewSet(
	wire.Struct(new(sandbox.Seeder), "*"), provideSeeded,
	provideTelemetry, provideUseCases, provideAPI, wire.Struct(new(consoleParts), "*"),
	providePresence, provideRounds, provideWorker, provideSigner, provideSealKeys, provideSealer, provideSweeper, provideProcess,
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

// InitializeAudit gives what guards the audit trail, beside a process that runs.
func InitializeAudit(ctx context.Context, cfg *config.Config) (*Audit, func(), error) {
	panic(wire.Build(openAudited, provideQueueFactory, openFiles, provideLog, provideSigner, provideSealKeys, provideArchiveSettings,
		wire.Bind(new(ports.UnitOfWork), new(*entstore.Store)), wire.Bind(new(ports.Secrets), new(*entstore.Store)),
		wire.Bind(new(ports.Files), new(fileStore)),
		wire.Struct(new(clock.System)), wire.Bind(new(ports.Clock), new(clock.System)),
		wire.Struct(new(audit.Sealer), "*"), wire.Struct(new(audit.Verifier), "*"), wire.Struct(new(audit.Archiver), "*"),
		wire.Struct(new(audit.Restorer), "*"), wire.Struct(new(Audit), "*")))
}

// InitializePreferences takes in what beneficiaries said about sharing.
func InitializePreferences(ctx context.Context, cfg *config.Config) (*preferences.UseCase, func(), error) {
	panic(wire.Build(openStore, provideQueueFactory, wire.Bind(new(ports.UnitOfWork), new(*entstore.Store)),
		wire.Struct(new(clock.System)), wire.Bind(new(ports.Clock), new(clock.System)), wire.Struct(new(preferences.UseCase), "*")))
}

// InitializeListing follows HPMS, beside a process that runs.
func InitializeListing(ctx context.Context, cfg *config.Config) (*listing.UseCase, func(), error) {
	panic(wire.Build(openStore, provideQueueFactory, provideLog, wire.Bind(new(ports.UnitOfWork), new(*entstore.Store)),
		wire.Struct(new(clock.System)), wire.Bind(new(ports.Clock), new(clock.System)),
		wire.Struct(new(attestation.UseCase), "*"), provideHPMS, provideListing))
}

// InitializeEnrollment tells of enrollment and decides on what is held, beside a
// process that runs and takes it in.
func InitializeEnrollment(ctx context.Context, cfg *config.Config) (*enrollment.UseCase, func(), error) {
	panic(wire.Build(openStore, provideQueueFactory, provideLog, wire.Bind(new(ports.UnitOfWork), new(*entstore.Store)), wire.Bind(new(ports.Coverage), new(*entstore.Store)),
		wire.Struct(new(clock.System)), wire.Bind(new(ports.Clock), new(clock.System)), provideNoEnrollment,
		wire.Struct(new(enrollment.UseCase), "*"), provideEnrollmentSettings))
}
