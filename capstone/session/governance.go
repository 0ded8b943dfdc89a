package session

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/minio/minio-go/v7"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/governance"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/vault"
	"example.com/blotter/solutions/2-store/offload"
	audit "example.com/blotter/solutions/5-audit"
)

// RetentionPolicy returns the policy in retention.json of the data folder, or the program's.
func (s *Session) RetentionPolicy() (governance.Policy, error) {
	text, err := s.dir.RetentionPolicy()
	if err != nil || text == nil {
		return governance.Default(), err
	}
	p, err := governance.ParsePolicy(text)
	if err != nil {
		err = &logdir.UsageError{What: err.Error(), Remedy: "mend retention.json in the data " +
			"folder, or remove it for the policy of the program"}
	}
	return p, err
}

// lockUntil returns the lock that a seal gives to records: that of retention.json in the data
// folder, and nil without the file.
func (s *Session) lockUntil() (func(string, time.Time) time.Time, error) {
	text, err := s.dir.RetentionPolicy()
	if err != nil || text == nil {
		return nil, err
	}
	p, err := s.RetentionPolicy()
	return p.LockUntil, err
}

// Holds returns the legal holds of the log.
func (s *Session) Holds(ctx context.Context) (governance.Holds, error) {
	return governance.FoldHolds(s.Log.Stream(ctx, governance.HoldStream))
}

// ErasureOf says whether the data of a person may be destroyed now: see Governor.ErasureOf.
func (s *Session) ErasureOf(
	ctx context.Context, entry domain.Entry, person string,
) (vault.Verdict, error) {
	policy, err := s.RetentionPolicy()
	if err != nil {
		return vault.Verdict{}, err
	}
	codec, err := s.Domain(ctx)
	if err != nil {
		return vault.Verdict{}, err
	}
	g := &governance.Governor{Log: s.Log, Trades: s.Codec, Codec: codec, Policy: policy,
		Clock: s.System().Clock}
	bucket := s.Settings().Name.AuditBucket()
	client, found, err := s.bucket(ctx, bucket)
	if err != nil {
		return vault.Verdict{}, err
	}
	if found {
		g.Locks = governance.Locks{Client: client, Bucket: bucket}
	}
	return g.ErasureOf(ctx, entry, person)
}

// Governor applies the retention policy and the legal holds to the sealed archive.
func (s *Session) Governor(ctx context.Context) (*governance.Governor, error) {
	policy, err := s.RetentionPolicy()
	if err != nil {
		return nil, err
	}
	codec, err := s.Domain(ctx)
	if err != nil {
		return nil, err
	}
	bucket := s.Settings().Name.AuditBucket()
	client, _, err := s.bucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	a, err := s.Auditor(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &governance.Governor{
		Shelves: s.shelves(client),
		Log:     s.Log, Trades: s.Codec, Codec: codec, Policy: policy, Clock: s.System().Clock,
		HoldFor: 90 * 24 * time.Hour,
		Locks:   governance.Locks{Client: client, Bucket: bucket, Mode: s.config.lock()},
		Batches: func(ctx context.Context) (all []governance.Batch, err error) {
			err = a.Reference.RecordsObjects(ctx, func(o audit.RecordsObject) error {
				b := governance.Batch{Object: governance.Object{Name: o.Name}, Number: o.Number}
				for _, e := range o.Events {
					b.Events = append(b.Events, governance.Sealed(e))
				}
				all = append(all, b)
				return nil
			})
			return all, err
		},
		Verify: func(ctx context.Context) error {
			v, err := a.Reference.Verify(ctx)
			if err == nil && v.Fault != nil {
				err = v.Fault
			}
			return err
		},
	}, nil
}

// shelves returns the buckets beside the archive that a disposal looks through.
func (s *Session) shelves(client *minio.Client) []governance.Shelf {
	locks := governance.Locks{Client: client, Bucket: s.Settings().Name.SnapshotBucket(),
		Mode: s.config.lock()}
	payloads := locks
	payloads.Bucket, payloads.Newest = s.Settings().Name.OffloadBucket(), true
	return []governance.Shelf{
		{Kind: governance.KindSnapshot, Locks: locks, Objects: s.snapshotObjects(locks)},
		{Kind: governance.KindPayload, Locks: payloads, Objects: s.payloadObjects(payloads)},
	}
}

// payloadObjects returns the offloaded payloads, each with the events that have it. One without an
// event may belong to an append in flight, and is left out.
func (s *Session) payloadObjects(l governance.Locks) func(context.Context) ([]governance.Batch,
	error) {
	return func(ctx context.Context) (all []governance.Batch, err error) {
		names, err := l.Names(ctx, "sha256/")
		wrapped, ok := s.Log.(*offload.Store)
		if err != nil || len(names) == 0 || !ok {
			return nil, err
		}
		log := wrapped.Store // without the payloads
		end, err := log.End(ctx)
		if err != nil {
			return nil, err
		}
		events := map[string][]governance.Sealed{}
		for r, err := range log.Read(ctx, nil, end) {
			if err != nil {
				return nil, err
			}
			if r.Offloaded() {
				name := fmt.Sprintf("sha256/%x", r.BodyDigest)
				e := governance.Sealed{Position: r.Position, ID: r.ID}
				events[name] = append(events[name], e)
			}
		}
		for _, name := range names {
			if some := events[name]; len(some) > 0 {
				all = append(all, governance.Batch{Kind: governance.KindPayload, Events: some,
					Object: governance.Object{Name: name}})
			}
		}
		return all, nil
	}
}

// snapshotObjects returns the objects of the snapshots on record. An object of another snapshot
// stays: no event says which states it has.
func (s *Session) snapshotObjects(l governance.Locks) func(context.Context) ([]governance.Batch,
	error) {
	return func(ctx context.Context) (all []governance.Batch, err error) {
		names, err := l.Names(ctx, "snapshots/") // BEFORE the log: a snapshot is recorded later
		if err != nil || len(names) == 0 {
			return nil, err
		}
		cursors, err := s.System().SnapshotCursors(ctx)
		for _, name := range names {
			if cursor := cursors[snapshotOf(name)]; cursor != nil {
				all = append(all, governance.Batch{Kind: governance.KindSnapshot, Before: cursor,
					Object: governance.Object{Name: name}})
			}
		}
		return all, err
	}
}

// snapshotOf returns the name of the snapshot that an object is a part of.
func snapshotOf(object string) string { return path.Base(path.Dir(object)) }

func (s *Session) disposals(ctx context.Context) (governance.Disposals, error) {
	return governance.FoldDisposals(s.Log.Stream(ctx, governance.DisposalStream))
}

// disposed returns the batches whose records a certificate of destruction removed.
func (s *Session) disposed(ctx context.Context) (map[int64]bool, error) {
	all, err := s.disposals(ctx)
	return all.Batches(), err
}

// destroyedSnapshots returns the certificates that removed snapshots, by their names.
func (s *Session) destroyedSnapshots(ctx context.Context) (map[string]string, error) {
	all, err := s.disposals(ctx)
	names := map[string]string{}
	for object, id := range all.Certificates(governance.KindSnapshot) {
		names[snapshotOf(object)] = id
	}
	return names, err
}

// A BucketAtRest says how the server encrypts the new objects of a bucket on its disks.
type BucketAtRest struct {
	Bucket     string `json:"bucket"`
	Encryption string `json:"encryption"` // such as AES256 or aws:kms, or one of the constants
}

// The encryption of a bucket without one, and of one about which the server says nothing.
const (
	NotEncrypted      = "none"
	EncryptionUnknown = "unknown"
)

// BucketsAtRest asks for the encryption of the log's buckets, as far as they exist.
func (s *Session) BucketsAtRest(ctx context.Context) (all []BucketAtRest, err error) {
	name := s.Settings().Name
	for _, bucket := range []string{name.AuditBucket(), name.SnapshotBucket(),
		name.OffloadBucket()} {
		client, found, err := s.bucket(ctx, bucket)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		how, err := encryption(ctx, client, bucket)
		if err != nil {
			return nil, fmt.Errorf("ask for the encryption of bucket %s: %w", bucket, err)
		}
		all = append(all, BucketAtRest{bucket, how})
	}
	return all, nil
}

// encryption asks for the default of a bucket (S3 API, GetBucketEncryption). Some servers do not
// have the request, and some do not permit it to everybody.
func encryption(ctx context.Context, client *minio.Client, bucket string) (string, error) {
	found, err := client.GetBucketEncryption(ctx, bucket)
	var refusal minio.ErrorResponse
	switch {
	case errors.As(err, &refusal) &&
		refusal.Code == "ServerSideEncryptionConfigurationNotFoundError":
		return NotEncrypted, nil
	case errors.As(err, &refusal):
		return EncryptionUnknown + " (the server answers " + refusal.Code + ")", nil
	case err != nil:
		return "", err
	case len(found.Rules) == 0 || found.Rules[0].Apply.SSEAlgorithm == "":
		return NotEncrypted, nil
	}
	return found.Rules[0].Apply.SSEAlgorithm, nil
}
