package session

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/solutions/2-store/offload"
	"example.com/blotter/solutions/4-replay/memory"
	replay "example.com/blotter/solutions/4-replay/plain"
	audit "example.com/blotter/solutions/5-audit"
)

// Retention is how long an archived object cannot be removed: a snapshot, a batch, a checkpoint.
// MiFID II, article 16(7), requires five years, and seven if the authority asks; a course needs a
// day.
const Retention = 24 * time.Hour

// A Codec encodes events and the records of heads.
type Codec interface {
	contract.Codec
	contract.HeadCodec
}

// OpenCodec opens the codec of a log.
func OpenCodec(ctx context.Context, at stack.Registry, name logdir.Name) (Codec, error) {
	options, err := at.Options()
	if err != nil {
		return nil, err
	}
	registry, err := openRegistry(options...)
	if err != nil {
		return nil, err
	}
	return newCodec(ctx, registry, name.Topics())
}

func (s *Session) openCodec(ctx context.Context) (Codec, error) {
	at, err := s.stack.Registry(ctx)
	if err != nil {
		return nil, err
	}
	return OpenCodec(ctx, at, s.Settings().Name)
}

// ReadModel opens the read model of positions. It refuses the model of another log.
func (s *Session) ReadModel(ctx context.Context) (*readModel, error) {
	model, err := s.openModel(ctx)
	if err != nil {
		return nil, err
	}
	return model, s.checkModel(ctx)
}

// RebuildReadModel makes the read model again from the log, beside the one in use, in transactions
// of at most batch events. Then it replaces that one, even the model of another log. A crash before
// that leaves the old model.
func (s *Session) RebuildReadModel(ctx context.Context, batch int) (*readModel, error) {
	model, err := s.openModel(ctx)
	if err != nil {
		return nil, err
	}
	if err := model.Rebuild(ctx, s.Log, batch); err != nil {
		return nil, err
	}
	return model, s.checkModel(ctx)
}

// ReadModelCursor returns the cursor of the read model, or nil if there is no read model. It
// creates no read model.
func (s *Session) ReadModelCursor(ctx context.Context) (c contract.Cursor, err error) {
	var found bool
	table := pgx.Identifier{modelSchema(s.Settings().Name), "checkpoint"}.Sanitize()
	err = s.inDatabase(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&found)
	})
	if err != nil || !found {
		return nil, err
	}
	model, err := s.ReadModel(ctx)
	if err != nil {
		return nil, err
	}
	return model.Cursor(ctx)
}

func (s *Session) openModel(ctx context.Context) (*readModel, error) {
	at, err := s.stack.Postgres(ctx)
	if err != nil {
		return nil, err
	}
	model, err := openReadModel(ctx, at.DSN, at.MigrationDSN, modelSchema(s.Settings().Name),
		s.Codec)
	if err != nil {
		return nil, err
	}
	s.onClose(func() error { model.Close(); return nil })
	return model, nil
}

// checkModel refuses a read model of another log. A model outlives its log. Its cursor does not
// tell it from the model of another log with the same name and as many events. So a comment on its
// schema names its topic. A model without the comment becomes this log's; one that was just rebuilt
// has none. A log in Postgres and its model share a database, and are lost together.
func (s *Session) checkModel(ctx context.Context) error {
	topic, schema := s.Settings().Topic, modelSchema(s.Settings().Name)
	if topic == "" {
		return nil
	}
	var from string
	err := s.inDatabase(ctx, func(conn *pgx.Conn) error {
		err := conn.QueryRow(ctx,
			"SELECT coalesce(obj_description(to_regnamespace($1), 'pg_namespace'), '')",
			schema).Scan(&from)
		if err != nil || from != "" {
			return err
		}
		from = topic
		return s.asOwner(ctx, fmt.Sprintf("COMMENT ON SCHEMA %s IS '%s'",
			pgx.Identifier{schema}.Sanitize(), strings.ReplaceAll(topic, "'", "''")))
	})
	if err != nil {
		return fmt.Errorf("compare the log with the origin of its read model: %w", err)
	}
	if from != topic {
		return &logdir.IntegrityError{What: fmt.Sprintf("the read model belongs to another log: "+
			"it was made from the topic with id %s, and this log is in %s", from, topic),
			Remedy: "rebuild it from this log: blotter rebuild"}
	}
	return nil
}

// asOwner executes a statement that the application may not. Where somebody else migrates the
// database, it does nothing.
func (s *Session) asOwner(ctx context.Context, statement string) error {
	at, err := s.stack.Postgres(ctx)
	if err != nil || at.MigrationDSN == "" {
		return err
	}
	conn, err := pgx.Connect(ctx, at.MigrationDSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func (s *Session) inDatabase(ctx context.Context, do func(*pgx.Conn) error) error {
	at, err := s.stack.Postgres(ctx)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, at.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return do(conn)
}

// Snapshots opens the archive of states. If the log has no archive, it creates the archive if
// create is true, and otherwise returns an empty archive in memory.
func (s *Session) Snapshots(ctx context.Context, create bool) (contract.Snapshots, error) {
	name := s.Settings().Name.SnapshotBucket()
	client, found, err := s.bucket(ctx, name)
	if err != nil || !found && !create {
		return memory.New(), err
	}
	o := &replay.S3{Client: client, Bucket: name, Retention: Retention, Clock: time.Now}
	return openSnapshots(o), o.CreateBucket(ctx) // checks the lock of an existing bucket
}

// An Auditor seals and verifies the log, and reads its sealed archive.
type Auditor struct {
	contract.Auditor
	contract.SinceVerifier
	contract.SealedLog
	Keys logdir.Keys
	Kept contract.Checkpoint // the last one that was published from this folder; zero without one

	// Foreign has the objects of the archive that were passed over because the log's key did not
	// sign them, and the reasons. Verify fills it completely.
	Foreign map[string]error

	archived func(ctx context.Context, name string) (contract.Checkpoint, error)
}

// Auditor opens the archive as it is, with the public key alone: key, or the folder's if that is
// nil. It creates neither a bucket nor a key: a query must not leave the traces of a first seal.
func (s *Session) Auditor(ctx context.Context, key note.Verifier) (*Auditor, error) {
	return s.auditor(ctx, false, func(from logdir.KeySource) (k logdir.Keys, err error) {
		if k.Verifier = key; key == nil {
			k.Verifier, err = s.dir.Verifier(from)
		}
		return k, err
	})
}

// Certifier is Auditor with the signer key, for a session that signs an extract.
func (s *Session) Certifier(ctx context.Context) (*Auditor, error) {
	return s.auditor(ctx, false, s.dir.Keys)
}

// Sealer is Certifier for a session that seals. Before the first seal it creates the bucket and the
// keys.
func (s *Session) Sealer(ctx context.Context) (*Auditor, error) {
	return s.auditor(ctx, true, s.dir.Keys)
}

func (s *Session) auditor(
	ctx context.Context, create bool, open func(logdir.KeySource) (logdir.Keys, error),
) (*Auditor, error) {
	archive, err := s.archive(ctx, create)
	if err != nil {
		return nil, err
	}
	origin := s.Settings().Name.Origin()
	keys, err := open(logdir.KeySource{
		Create: create, VerifierKey: audit.VerifierKey,
		Signed: func() (bool, error) { return audit.Signed(ctx, archive, origin) },
	})
	if err != nil {
		return nil, err
	}
	foreign := map[string]error{}
	a, err := audit.Open(audit.Options{
		Log: s.Log, Archive: archive, Origin: origin, Signer: keys.Signer, Verifier: keys.Verifier,
		Keep: s.dir.KeepCheckpoint, Clock: time.Now,
		Foreign: func(name string, why error) { foreign[name] = why },
	})
	if err != nil {
		return nil, err
	}
	// BEFORE the kept checkpoint is opened: an archive of another key is no fault of that one.
	if err := a.CheckKey(ctx); err != nil {
		return nil, err
	}
	kept, err := s.dir.Checkpoint(func(signed []byte) (contract.Checkpoint, error) {
		return audit.OpenCheckpoint(signed, origin, keys.Verifier)
	})
	a.Known = kept.Note
	return &Auditor{a, a, a, keys, kept, foreign, a.Archived}, err
}

// archive opens the archive of checkpoints. If the log has no archive, it creates the archive if
// create is true, and otherwise returns an empty archive in memory.
func (s *Session) archive(ctx context.Context, create bool) (audit.Archive, error) {
	name := s.Settings().Name.AuditBucket()
	client, found, err := s.bucket(ctx, name)
	if err != nil || !found && !create {
		return new(audit.Memory), err
	}
	archive := &audit.S3{Client: client, Bucket: name, Retention: Retention, Clock: time.Now}
	if create {
		return archive, archive.CreateBucket(ctx)
	}
	return archive, archive.CheckBucket(ctx)
}

// Published yields the checkpoints in the archive, the last one first, and the time of each one's
// publication, by the archive's clock. It passes over foreign objects, and over later copies of a
// checkpoint under other names, which anybody can put there.
func (s *Session) Published(
	ctx context.Context, a *Auditor,
) iter.Seq2[PublishedCheckpoint, error] {
	return func(yield func(PublishedCheckpoint, error) bool) {
		times, err := s.publicationTimes(ctx)
		if err != nil {
			yield(PublishedCheckpoint{}, err)
			return
		}
		published(ctx, a, times)(yield)
	}
}

// published is Published of the objects in times, which says when each was put.
func published(
	ctx context.Context, a *Auditor, times map[string]time.Time,
) iter.Seq2[PublishedCheckpoint, error] {
	return func(yield func(PublishedCheckpoint, error) bool) {
		var last PublishedCheckpoint
		for _, name := range slices.Backward(slices.Sorted(maps.Keys(times))) {
			c, err := a.archived(ctx, name)
			if a.Foreign[name] != nil {
				continue
			}
			if err != nil {
				yield(last, err)
				return
			}
			if last.Size == c.Size && last.At.Before(times[name]) {
				continue
			}
			if last.Size != 0 && last.Size != c.Size && !yield(last, nil) {
				return
			}
			last = PublishedCheckpoint{c, times[name]}
		}
		if last.Size != 0 {
			yield(last, nil)
		}
	}
}

// A PublishedCheckpoint is a checkpoint in the archive, without its End.
type PublishedCheckpoint struct {
	contract.Checkpoint
	At time.Time
}

func (s *Session) publicationTimes(ctx context.Context) (map[string]time.Time, error) {
	bucket := s.Settings().Name.AuditBucket()
	client, found, err := s.bucket(ctx, bucket)
	if err != nil || !found {
		return nil, err
	}
	return (&audit.S3{Client: client, Bucket: bucket}).Times(ctx, "checkpoints/")
}

// blobs opens the storage of large payloads.
func (s *Session) blobs(ctx context.Context) (contract.Blobs, error) {
	client, err := s.s3(ctx)
	if err != nil {
		return nil, err
	}
	bucket := offload.S3{Client: client, Bucket: s.Settings().Name.OffloadBucket()}
	if s.access != Write {
		return bucket, nil // it exists, or its content is lost
	}
	return bucket, bucket.CreateBucket(ctx)
}

// bucket reports whether a bucket exists, without creating it.
func (s *Session) bucket(ctx context.Context, name string) (*minio.Client, bool, error) {
	client, err := s.s3(ctx)
	if err != nil {
		return nil, false, err
	}
	found, err := client.BucketExists(ctx, name)
	return client, found, err
}

func (s *Session) s3(ctx context.Context) (*minio.Client, error) {
	at, err := s.stack.S3(ctx)
	if err != nil {
		return nil, err
	}
	return at.Client()
}
