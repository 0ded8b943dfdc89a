package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	kafkastore "example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/offload"
	postgresstore "example.com/blotter/solutions/2-store/postgres"
	projection "example.com/blotter/solutions/3-projections"
	readmodel "example.com/blotter/solutions/3-projections/postgres"
	replay "example.com/blotter/solutions/4-replay"
	snapshots "example.com/blotter/solutions/4-replay/s3"
	audit "example.com/blotter/solutions/5-audit"
)

// This file chooses implementations. The codec is chosen in codec_solutions.go and the store on Kafka in store_solutions.go, which build tags
// exchange for those of the labs; and the stores that blotter chaos disturbs in chaos_writer.go.

// retention is how long nothing that is archived can be removed: no snapshot, no batch, no checkpoint. MiFID II, article 16(7), asks
// for five years, and seven where the authority does; a log of a course needs a day.
const retention = 24 * time.Hour

// width is how many lines of an import are under way at once. What waits for a partition goes in with one transaction, so a wide
// import makes few and large ones: of a log on Kafka the broker keeps a note of each in memory.
const width = 512

// system wires the parts that every command needs: store, codec, desk. What else a command needs it asks for with.
func (a *app) system(ctx context.Context, with ...part) (*capstone.System, error) {
	if err := a.openStack(); err != nil {
		return nil, err
	}
	system, err := a.assemble(ctx, with...)
	if err != nil {
		return nil, err
	}
	log := system.Log
	if err := a.whole(ctx, log); err != nil {
		return nil, err
	}
	if a.access == writes {
		a.onClose(func() error { return a.mark(ctx, log) })
	}
	if !a.begins {
		return system, nil
	}
	return system, a.settle(ctx)
}

// settle makes the choice of stack and store one for good: both have answered, and nothing is on record yet. A crash before leaves no log,
// but a stack with empty topics or tables of that name, which whoever begins the log takes over.
func (a *app) settle(ctx context.Context) error {
	if err := a.reached().remove(); err != nil {
		return err
	}
	return create(a.cli.Data, a.settings)
}

// assemble is system, on the stack that was opened.
func (a *app) assemble(ctx context.Context, with ...part) (*capstone.System, error) {
	c, err := a.codec(ctx)
	if err != nil {
		return nil, err
	}
	log, err := a.store(ctx, c)
	if err != nil {
		return nil, err
	}
	store := offload.Wrap(log, &offload.Lazy{Open: a.blobs}, a.cli.OffloadOver)
	system := capstone.New(store, c, "blotter/import")
	system.FollowUps.SweptTo = bookmark(filepath.Join(a.cli.Data, "swept"))
	system.Project, system.AsOf, system.Replayer = projection.Project, projection.AsOf, replay.New(c)
	system.Clock = func() time.Time { return time.Now().UTC() }
	if !a.settings.Simulated { // the clock of a simulated log follows the lines, one by one
		system.Width = width
	}
	for _, p := range with {
		if err := p(ctx, a, system); err != nil {
			return nil, err
		}
	}
	return system, nil
}

func (a *app) codec(ctx context.Context) (*lab1Codec, error) {
	url, err := a.stack.Registry(ctx)
	if err != nil {
		return nil, err
	}
	registry, err := openRegistry(url)
	if err != nil {
		return nil, err
	}
	return openCodec(ctx, registry, a.settings.Name.topics())
}

func (a *app) store(ctx context.Context, heads contract.HeadCodec) (contract.Store, error) {
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if a.settings.Store == "postgres" {
		return a.postgresStore(ctx, log)
	}
	brokers, err := a.stack.Kafka(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.topicStands(ctx, brokers); err != nil {
		return nil, err
	}
	as, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	store, err := openKafka(ctx, kafkastore.Options{
		Brokers: brokers, Prefix: a.settings.Name.topics(), Partitions: a.settings.Partitions, Clock: a.clock(), Heads: heads,
		Place:   kafkastore.Placement{Name: "subject", Key: trade.Subject}, // so a command is accepted or refused, whoever takes it
		Address: a.address(), ReadOnly: as != owner, Alone: as == alone, Dir: filepath.Join(a.cli.Data, "index"), Log: log,
	})
	if err != nil {
		return nil, err
	}
	a.onClose(store.Close)
	if a.begins {
		err = a.identify(ctx, brokers)
	}
	return store, err
}

func (a *app) postgresStore(ctx context.Context, log *slog.Logger) (contract.Store, error) {
	dsn, err := a.stack.Postgres(ctx)
	if err != nil {
		return nil, err
	}
	store, err := postgresstore.Open(ctx, postgresstore.Options{
		DSN: dsn, Schema: a.settings.Name.logSchema(), Clock: a.clock(), ReadOnly: a.access == looks, Log: log,
	})
	if err != nil {
		return nil, err
	}
	a.onClose(store.Close)
	return store, nil
}

func (a *app) clock() contract.Clock {
	if a.settings.Simulated {
		return contract.SimulatedClock
	}
	return func(context.Context) time.Time { return time.Now() }
}

// A part is something that not every command needs.
type part func(context.Context, *app, *capstone.System) error

// withReadModel is for who reads it, or brings it on.
func withReadModel(ctx context.Context, a *app, s *capstone.System) error {
	if err := withAnyReadModel(ctx, a, s); err != nil {
		return err
	}
	return a.ours(ctx)
}

// withAnyReadModel is for who makes it anew, whatever log it is of.
func withAnyReadModel(ctx context.Context, a *app, s *capstone.System) error {
	dsn, err := a.stack.Postgres(ctx)
	if err != nil {
		return err
	}
	p, err := readmodel.Open(ctx, dsn, a.settings.Name.modelSchema(), s.Desk.Codec)
	if err != nil {
		return err
	}
	a.onClose(func() error { p.Close(); return nil })
	s.Projection = p
	return nil
}

func withSnapshots(ctx context.Context, a *app, s *capstone.System) error {
	client, err := a.s3(ctx)
	if err != nil {
		return err
	}
	archive := &snapshots.Snapshots{Client: client, Bucket: a.settings.Name.snapshotBucket(), Retention: retention, Clock: time.Now}
	s.Snapshots = archive
	return archive.CreateBucket(ctx)
}

// withAuditor opens the archive as it is. It makes neither a bucket nor a key, so that asking about a log never looks like the beginning of one.
func withAuditor(ctx context.Context, a *app, s *capstone.System) error {
	return a.auditor(ctx, s, false)
}

// withSealer is withAuditor for who seals: where nothing was sealed yet, it makes the bucket and the keys.
func withSealer(ctx context.Context, a *app, s *capstone.System) error {
	return a.auditor(ctx, s, true)
}

func (a *app) auditor(ctx context.Context, s *capstone.System, seals bool) error {
	archive, err := a.archive(ctx, seals)
	if err != nil {
		return err
	}
	signer, verifier, err := a.keys(ctx, archive, seals)
	if err != nil {
		return err
	}
	a.signer, a.verifier = signer, verifier
	if a.sealed, err = a.knownCheckpoint(); err != nil {
		return err
	}
	s.Auditor, err = audit.Open(audit.Options{
		Log: s.Log, Archive: archive, Origin: a.settings.Name.origin(), Signer: signer, Verifier: verifier, Known: a.sealed.Note, Keep: a.keepNote,
	})
	return err
}

// archive is where checkpoints are kept; an empty one where there is none, and nobody is about to seal.
func (a *app) archive(ctx context.Context, seals bool) (audit.Archive, error) {
	name := a.settings.Name.auditBucket()
	client, there, err := a.bucket(ctx, name)
	if err != nil || !there && !seals {
		return new(audit.Memory), err
	}
	archive := &audit.S3{Client: client, Bucket: name, Retention: retention, Clock: time.Now}
	return archive, archive.CreateBucket(ctx) // of one that is there it only asks whether it is locked
}

// explain says where a replay parts from the archived state, and with which event.
func explain(ctx context.Context, s *capstone.System, r capstone.Replayed) (replay.Finding, error) {
	return replay.New(s.Desk.Codec).Explain(ctx, s.Log, r.Snapshot.Cursor, r.Difference)
}

// blobs is where large payloads are.
func (a *app) blobs(ctx context.Context) (contract.Blobs, error) {
	client, err := a.s3(ctx)
	if err != nil {
		return nil, err
	}
	bucket := offload.S3{Client: client, Bucket: a.settings.Name.offloadBucket()}
	if a.access != writes {
		return bucket, nil // it is there, or what is in it is lost
	}
	return bucket, bucket.CreateBucket(ctx)
}

func (a *app) s3(ctx context.Context) (*minio.Client, error) {
	at, err := a.stack.S3(ctx)
	if err != nil {
		return nil, err
	}
	return minio.New(at.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(at.AccessKey, at.SecretKey, ""), Region: at.Region, Secure: at.Secure,
	})
}
