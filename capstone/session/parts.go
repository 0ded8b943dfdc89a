package session

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/canary"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/product"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/offload"
	"example.com/blotter/solutions/4-replay/memory"
	replay "example.com/blotter/solutions/4-replay/plain"
	audit "example.com/blotter/solutions/5-audit"
)

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

// withCanaries returns the codec of a log that is open, whose canaries choose the versions of new
// events.
func (s *Session) withCanaries(ctx context.Context, inner Codec) (Codec, error) {
	registry, err := s.registry(ctx)
	return &canary.Codec{Inner: inner, Registry: registry, Name: s.Settings().Name.Topics(),
		Log: s.Log, Now: time.Now, Readable: codec.Readable}, err
}

// registry opens a client of the schema registry.
func (s *Session) registry(ctx context.Context) (contract.Registry, error) {
	at, err := s.stack.Registry(ctx)
	if err != nil {
		return nil, err
	}
	options, err := at.Options()
	if err != nil {
		return nil, err
	}
	return openRegistry(options...)
}

// Domain opens the codec of the domains beside trading. It publishes a schema when its first event
// is encoded.
func (s *Session) Domain(ctx context.Context) (*domain.Codec, error) {
	registry, err := s.registry(ctx)
	return domain.New(registry, s.Settings().Name.Topics()), err
}

func (c Config) retention() time.Duration {
	return cmp.Or(c.Retention, product.Defaults.Retention)
}

func (c Config) lock() minio.RetentionMode {
	return minio.RetentionMode(cmp.Or(c.Lock, product.Defaults.Lock))
}

// Snapshots opens the archive of states. If the log has no archive, it creates the archive if
// create is true, and otherwise returns an empty archive in memory.
func (s *Session) Snapshots(ctx context.Context, create bool) (contract.Snapshots, error) {
	name := s.Settings().Name.SnapshotBucket()
	client, found, err := s.bucket(ctx, name)
	if err != nil || !found && !create {
		return memory.New(), err
	}
	o := &replay.S3{
		Client: client, Bucket: name, Mode: s.config.lock(), Clock: time.Now,
		Retention: cmp.Or(s.config.Keep, s.config.retention()),
	}
	return openSnapshots(o), o.CreateBucket(ctx) // checks the lock of an existing bucket
}

// An Auditor seals and verifies the log, and reads its sealed archive.
type Auditor struct {
	contract.Auditor
	contract.SinceVerifier
	contract.SealedLog
	contract.Prover
	contract.RecordArchive
	Keys logdir.Keys
	Kept contract.Checkpoint // the last one that was published from this folder; zero without one

	// Tiles serves the sealed log (C2SP tlog-tiles). It reads only.
	Tiles http.Handler

	// Foreign has the objects of the archive that were passed over because the log's key did not
	// sign them, and the reasons. Verify fills it completely.
	Foreign map[string]error

	// Reference is the auditor itself, for its cosignatures. Its Policy is that of the data folder;
	// nil without one.
	Reference *audit.Auditor

	archived func(ctx context.Context, name string) (contract.Checkpoint, error)
}

// Lost returns the size of the last checkpoint that was published from this folder, if the archive
// has only smaller ones: last is its last one. Otherwise nothing is lost, and the size is 0.
func (a *Auditor) Lost(last contract.Checkpoint) int64 {
	if last.Size < a.Kept.Size {
		return a.Kept.Size
	}
	return 0
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
	a, err := s.auditor(ctx, true, s.dir.Keys)
	if err == nil {
		s.reachWitness(ctx, a.Reference.Policy)
	}
	return a, err
}

// signer returns the command that signs, cut at spaces; nil without one.
func (c Config) signer() []string {
	if words := strings.Fields(c.Signer); len(words) > 0 {
		return words
	}
	return nil
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
		Create: create, VerifierKey: audit.VerifierKey, Command: s.config.signer(), Open: openRing,
		Signed: func() (bool, error) { return audit.Signed(ctx, archive, origin) },
	})
	if err != nil {
		return nil, err
	}
	foreign := map[string]error{}
	pass := func(name string, why error) { foreign[name] = why }
	if keys, err = rotated(ctx, archive, keys, pass); err != nil {
		return nil, err
	}
	policy, err := s.policy()
	if err != nil {
		return nil, err
	}
	var lockUntil func(string, time.Time) time.Time
	if create {
		if lockUntil, err = s.lockUntil(); err != nil {
			return nil, err
		}
	}
	evidence, unread := s.dir.EvidenceNotes()
	for _, why := range unread {
		s.config.logger().Warn(why.Error())
	}
	a, err := audit.Open(audit.Options{
		Log: s.Log, Archive: archive, Origin: origin, Signer: keys.Signer, Next: keys.Next,
		Verifier: keys.Verifier, Keep: s.dir.KeepCheckpoint, Clock: time.Now, Policy: policy,
		Foreign: pass, Disposed: s.disposed, Committed: s.committed, Evidence: evidence,
		LockUntil: lockUntil,
		Warn:      func(err error) { s.config.logger().Warn(err.Error()) },
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
	return &Auditor{a, a, a, a, a, keys, kept, a.Handler(), foreign, a, a.Archived}, err
}

// archive opens the archive of checkpoints. If the log has no archive, it creates the archive if
// create is true, and otherwise returns an empty archive in memory.
func (s *Session) archive(ctx context.Context, create bool) (audit.Archive, error) {
	name := s.Settings().Name.AuditBucket()
	client, found, err := s.bucket(ctx, name)
	if err != nil || !found && !create {
		return new(audit.Memory), err
	}
	archive := &audit.S3{
		Client: client, Bucket: name, Mode: s.config.lock(), Retention: s.config.retention(),
		Clock: time.Now,
	}
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
