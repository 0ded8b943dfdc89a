package session

import (
	"context"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/vault"
)

// Vault opens the personal data of the log. Its master key is Config.MasterKey, or that of the data
// folder, which the first use draws.
func (s *Session) Vault(ctx context.Context) (*vault.Vault, error) {
	at, err := s.stack.Postgres(ctx)
	if err != nil {
		return nil, err
	}
	schema := s.Settings().Name.VaultSchema()
	if at.MigrationDSN != "" {
		if err := vault.Migrate(ctx, at.DSN, at.MigrationDSN, schema); err != nil {
			return nil, err
		}
	}
	keys, err := vault.OpenPostgres(ctx, at.DSN, schema)
	if err != nil {
		return nil, err
	}
	s.onClose(func() error { keys.Close(); return nil })
	master, err := s.master(ctx, keys)
	if err != nil {
		return nil, err
	}
	codec, err := s.Domain(ctx)
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, s.Log, codec, keys, master)
}

// master draws no second master key: one that is lost would look like a new log.
func (s *Session) master(ctx context.Context, keys vault.Keys) (vault.Master, error) {
	text := s.config.MasterKey
	var err error
	if text == "" {
		text, err = s.dir.MasterKey(func() (string, error) {
			parties, err := keys.Parties(ctx)
			if err == nil && len(parties) > 0 {
				err = &logdir.IntegrityError{
					What:   "the master key is missing, which wraps the keys of parties",
					Remedy: "restore keys/master of the data folder, or set BLOTTER_MASTER_KEY",
				}
			}
			return vault.NewMasterKey(), err
		})
	}
	if err != nil {
		return nil, err
	}
	return vault.ParseMasterKey(text)
}
