package ab2d

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/entstore"
	"cms.gov/ab2d/adapters/host"
	"cms.gov/ab2d/adapters/sealkey"
	"cms.gov/ab2d/application/audit"
	"cms.gov/ab2d/application/retention"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Audit is what guards the audit trail, and the trail itself.
type Audit struct {
	Sealer   *audit.Sealer
	Verifier *audit.Verifier
	Archiver *audit.Archiver
	Restorer *audit.Restorer
	Log      *entstore.Store
	Signer   ports.Signer // nil where this process has no private key
}

// openAudited opens a database that is up to date, beside whoever uses it.
func openAudited(ctx context.Context, cfg *config.Config, queue entstore.QueueFactory) (*entstore.Store, func(), error) {
	store, done, err := openStore(ctx, cfg, queue)
	if err != nil {
		return nil, nil, err
	}
	if err := store.Check(ctx); err != nil {
		done()
		return nil, nil, err
	}
	return store, done, nil
}

// openFiles opens the store of files, beside whoever uses it.
func openFiles(ctx context.Context, cfg *config.Config) (fileStore, func(), error) {
	return provideFileStore(ctx, cfg, dataLock{})
}

// provideSigner returns the key that was given, or that of the sandbox, or none.
func provideSigner(ctx context.Context, cfg *config.Config, secrets ports.Secrets) (ports.Signer, error) {
	switch {
	case cfg.AuditKey != "":
		return signer(sealkey.Parse([]byte(cfg.AuditKey)))
	case cfg.Mode == config.Sandbox:
		return signer(sealkey.Own(ctx, secrets))
	}
	return nil, nil
}

// signer keeps a nil key from being a Signer that is not nil.
func signer(k *sealkey.Key, err error) (ports.Signer, error) {
	if err != nil {
		return nil, err
	}
	return k, nil
}

// provideSealKeys returns the keys that seals may be signed with: those given,
// and that of this process.
func provideSealKeys(cfg *config.Config, signer ports.Signer) (domain.SealKeys, error) {
	keys := domain.SealKeysOf()
	if cfg.AuditPublicKeys != "" {
		text, err := os.ReadFile(cfg.AuditPublicKeys)
		if err != nil {
			return nil, fmt.Errorf("audit-public-keys: %w", err)
		}
		given, err := sealkey.ParsePublic(text)
		if err != nil {
			return nil, fmt.Errorf("audit-public-keys: %s: %w", cfg.AuditPublicKeys, err)
		}
		keys = domain.SealKeysOf(given...)
	}
	if signer != nil {
		keys[domain.SealKeyID(signer.PublicKey())] = signer.PublicKey()
	}
	return keys, nil
}

func provideArchiveSettings(cfg *config.Config) audit.ArchiveSettings {
	return audit.ArchiveSettings{Keep: cfg.AuditKeep}
}

// provideSealer returns no sealer for a process that does no jobs.
func provideSealer(cfg *config.Config, store *entstore.Store, files ports.Files, clock ports.Clock, signer ports.Signer, log *slog.Logger) (host.Sealer, error) {
	if !cfg.HasRole(config.Worker) {
		return nil, nil
	}
	if signer == nil {
		return nil, errors.New("audit-key is not set: a worker seals the audit trail; make a key with openssl genpkey -algorithm ed25519, and name its file in AB2D_AUDIT_KEY_FILE")
	}
	return &audit.Sealer{Store: store, Files: files, Clock: clock, Signer: signer, Log: log}, nil
}

// provideSweeper returns what deletes what is over. In a sandbox it also moves
// old audit records into archives; in production the role that serves could not.
func provideSweeper(cfg *config.Config, files *retention.UseCase, store *entstore.Store, all ports.Files, clock ports.Clock, keys domain.SealKeys, log *slog.Logger) host.Sweeper {
	if cfg.Mode != config.Sandbox {
		return sweeper{files, nil}
	}
	return sweeper{files, &audit.Archiver{Store: store, Files: all, Clock: clock, Keys: keys, Log: log, Settings: provideArchiveSettings(cfg)}}
}

type sweeper struct {
	files *retention.UseCase
	trail *audit.Archiver // nil where this process may not
}

// Sweep implements host.Sweeper.
func (s sweeper) Sweep(ctx context.Context) error {
	return s.files.Tick(ctx, func(ctx context.Context) error {
		if s.trail == nil {
			return nil
		}
		_, err := s.trail.Archive(ctx)
		return err
	})
}
