package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/mod/sumdb/note"

	importlines "example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/trade"
)

// A site is a sealed log on a stack that is kept running, with an extract.
type site struct {
	*folder
	dir  string // has the extract and the key files
	kept stack.Kept
}

const trustBook = `{"command_id":"p-1","entered_at":"2025-01-10T09:00:00Z","actor":"trader/1",` +
	`"reason":"client order","op":"NEW","uti":"P-1","book":"POWER","counterparty":"ACME",` +
	`"trader":"trader/1","side":"buy","commodity":"power","zone":"CET","profile":"base",` +
	`"delivery":"2025-06","quantity":"100","unit":"MWh","price":"70.00","currency":"EUR"}
{"command_id":"p-2","entered_at":"2025-07-10T09:00:00Z","actor":"ops/1","reason":"delivered",` +
	`"op":"SETTLE","uti":"P-1","quantity":"10","unit":"MWh","price":"71.00",` +
	`"price_source":"exchange"}
`

const settle500 = `{"command_id":"p-3","entered_at":"2025-07-10T10:00:00Z","actor":"ops/1",` +
	`"reason":"delivered","op":"SETTLE","uti":"P-1","quantity":"500","unit":"MWh",` +
	`"price":"71.00","price_source":"exchange"}
`

func newSite(t testing.TB, store string) *site {
	t.Helper()
	s := &site{folder: newFolder(t, store), dir: t.TempDir()}
	s.ok("up")
	t.Cleanup(func() { s.ok("down") })
	var up bool
	var err error
	s.kept, up, err = stack.FindKept(filepath.Join(s.data, "stack"))
	require.NoError(t, err)
	require.True(t, up)
	s.file("book.jsonl", trustBook)
	s.file("more.jsonl", settle500)
	s.imported(s.path("book.jsonl"))
	s.ok("snapshot", "s1")
	s.ok("snapshot", "s2")
	s.ok("seal")
	s.ok("extract", s.path("bundle"), "--actor", "auditor/1", "--reason", "year end")
	_, other, err := note.GenerateKey(rand.Reader, "blotter.example")
	require.NoError(t, err)
	s.file("other.key", other)
	s.file("public.key", s.read(filepath.Join(s.data, "keys", "verifier")))
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) file(name, text string) {
	require.NoError(s.t, os.WriteFile(s.path(name), []byte(text), 0o600))
}

func (s *site) read(path string) string {
	data, err := os.ReadFile(path)
	require.NoError(s.t, err)
	return string(data)
}

// sql executes statements as the superuser of the database.
func (s *site) sql(statements ...string) {
	conn, err := pgx.Connect(context.Background(), s.kept.Postgres.MigrationDSN)
	require.NoError(s.t, err)
	defer conn.Close(context.Background())
	for _, statement := range statements {
		_, err = conn.Exec(context.Background(), statement)
		require.NoError(s.t, err, statement)
	}
}

// retention changes how long the broker keeps events.
func (s *site) retention(millis string) {
	options, err := s.kept.Kafka.Options()
	require.NoError(s.t, err)
	client, err := kgo.NewClient(options...)
	require.NoError(s.t, err)
	defer client.Close()
	changed, err := kadm.NewClient(client).AlterTopicConfigs(context.Background(),
		[]kadm.AlterConfig{{Name: "retention.ms", Value: &millis}}, "blotter.events")
	require.NoError(s.t, err)
	require.NoError(s.t, changed[0].Err)
}

// index replaces bytes in the index files, and mends the checksums of their frames.
func (s *site) index(was, is string) (undo func()) {
	kept := filepath.Join(s.t.TempDir(), "index")
	folder := filepath.Join(s.data, "index")
	require.NoError(s.t, exec.Command("cp", "-a", folder, kept).Run())
	from, _ := hex.DecodeString(was)
	to, _ := hex.DecodeString(is)
	files, err := filepath.Glob(filepath.Join(folder, "*.index"))
	require.NoError(s.t, err)
	changed := 0
	for _, path := range files {
		data := []byte(s.read(path))
		changed += bytes.Count(data, from)
		data = bytes.ReplaceAll(data, from, to)
		for at := 0; at < len(data); {
			size := int(binary.BigEndian.Uint32(data[at+4:]))
			sum := crc32.Checksum(data[at+4:at+size], crc32.MakeTable(crc32.Castagnoli))
			binary.BigEndian.PutUint32(data[at:], sum)
			at += size
		}
		require.NoError(s.t, os.WriteFile(path, data, 0o600))
	}
	require.Positive(s.t, changed, "no event has the bytes %s", was)
	return func() {
		require.NoError(s.t, os.RemoveAll(folder))
		require.NoError(s.t, os.Rename(kept, folder))
	}
}

func (s *site) bucket() *minio.Client {
	client, err := s.kept.S3.Client()
	require.NoError(s.t, err)
	return client
}

// plant puts junk into the archive. In a bucket with object lock every object may be locked.
func (s *site) plant(names ...string) {
	for _, name := range names {
		_, err := s.bucket().PutObject(context.Background(), "blotter-audit", name,
			strings.NewReader("junk"), 4, minio.PutObjectOptions{DisableMultipart: true})
		require.NoError(s.t, err)
	}
}

// unlock replaces the archive by a bucket that does not lock objects.
func (s *site) unlock() (undo func()) {
	objects := filepath.Join(s.data, "stack", "s3", "objects", "blotter-audit")
	require.NoError(s.t, os.Rename(objects, objects+".kept"))
	err := s.bucket().MakeBucket(context.Background(), "blotter-audit", minio.MakeBucketOptions{})
	require.NoError(s.t, err)
	return func() {
		require.NoError(s.t, os.RemoveAll(objects))
		require.NoError(s.t, os.Rename(objects+".kept", objects))
	}
}

// bundle changes a copy of the extract, in the folder "bad".
func (s *site) bundle(change func(dir string)) (undo func()) {
	bad := s.path("bad")
	require.NoError(s.t, exec.Command("cp", "-a", s.path("bundle"), bad).Run())
	require.NoError(s.t, exec.Command("cp", "-a", s.path("bundle.request"), bad+".request").Run())
	change(bad)
	return func() {
		require.NoError(s.t, os.RemoveAll(bad))
		require.NoError(s.t, os.RemoveAll(bad+".request"))
	}
}

// resign changes a text of the extract's copy as the holder of the signer key can.
func (s *site) resign(path, was, is string) (undo func()) {
	return s.bundle(func(dir string) {
		text := s.read(filepath.Join(dir, path))
		require.Contains(s.t, text, was)
		changed := strings.Replace(text, was, is, 1)
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, path), []byte(changed), 0o600))
		manifest := strings.Replace(s.read(filepath.Join(dir, "manifest.json")),
			sum(text), sum(changed), 1)
		var m struct{ Origin string }
		require.NoError(s.t, json.Unmarshal([]byte(manifest), &m))
		err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(manifest), 0o600)
		require.NoError(s.t, err)
		signer, err := note.NewSigner(strings.TrimSpace(
			s.read(filepath.Join(s.data, "keys", "signer"))))
		require.NoError(s.t, err)
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf(
			"blotter extract manifest v3\n%s\nbytes %d\nsha256 %s\n",
			m.Origin, len(manifest), sum(manifest))}, signer)
		require.NoError(s.t, err)
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, "manifest.note"), signed, 0o600))
	})
}

func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// force appends the events of a file without the desk, as a program without rules does.
func (s *site) force(name string) {
	ctx := context.Background()
	log, err := session.Open(ctx, session.Config{Data: s.data, Stack: "embedded"}, session.Write)
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, log.Close()) }()
	for line, err := range importlines.Read(strings.NewReader(s.read(s.path(name)))) {
		require.NoError(s.t, err)
		cmd := line.Command
		payload, err := log.Codec.Encode(ctx, cmd.Body)
		require.NoError(s.t, err)
		_, err = log.Log.Append(ctx, cmd.Stream(), contract.Any, contract.Event{
			ID: trade.EventID(cmd.ID, 9), Stream: cmd.Stream(), Type: payload.Type,
			Schema: payload.Schema, Fingerprint: payload.Fingerprint,
			EffectiveAt: cmd.EnteredAt, EnteredAt: cmd.EnteredAt, Actor: cmd.Actor,
			Reason: cmd.Reason, CommandID: cmd.ID + "-forced", Source: "other-desk", SourceLine: 7,
			Data: payload.Data,
		})
		require.NoError(s.t, err)
	}
}

// A breach is a tampering beside the sealed events, and the finding that names it.
type breach struct {
	name  string
	store string // "" for every store
	do    func(*site) (undo func())
	args  string // of the command that finds it; {} is the site's folder
	code  int
	says  string // expression for lines of the answer, or for the error
}

// nothing is the undo of a breach that leaves nothing to undo.
func nothing() {}

func inDatabase(do, undo string) func(*site) func() {
	return func(s *site) func() { s.sql(do); return func() { s.sql(undo) } }
}

// moving takes a file or folder of the data folder away.
func moving(name string) func(*site) func() {
	return func(s *site) func() {
		path, away := filepath.Join(s.data, name), filepath.Join(s.t.TempDir(), "away")
		require.NoError(s.t, os.Rename(path, away))
		return func() { require.NoError(s.t, os.Rename(away, path)) }
	}
}

func planting(names ...string) func(*site) func() {
	return func(s *site) func() { s.plant(names...); return nothing }
}

func inBundle(change func(dir string) error) func(*site) func() {
	return func(s *site) func() {
		return s.bundle(func(dir string) { require.NoError(s.t, change(dir)) })
	}
}

// inPlace puts something else in the place of a file of the extract.
func inPlace(name string, put func(path string) error) func(*site) func() {
	return inBundle(func(dir string) error {
		path := filepath.Join(dir, name)
		if err := os.Remove(path); err != nil {
			return err
		}
		return put(path)
	})
}

func fifo(path string) error    { return syscall.Mkfifo(path, 0o600) }
func endless(path string) error { return os.Symlink("/dev/zero", path) }
func sparse(path string) error {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	return os.Truncate(path, 3<<30)
}

const verifyBad = "verify-extract {}/bad --key {}/public.key"

// 100 MWh and 900 MWh, as a payload has them.
const mwh100, mwh900 = "05f5e100", "35a4e900"

var breaches = []breach{
	// What protects the log has changed.
	{"trigger missing", "postgres", inDatabase(
		"alter trigger events_refuse on blotter_log.events rename to harmless",
		"alter trigger harmless on blotter_log.events rename to events_refuse"),
		"status", 1, `^the trigger events_refuse of blotter_log\.events is missing$`},
	{"privilege granted", "postgres", inDatabase(
		"grant update on blotter_log.events to blotter_log_app",
		"revoke update on blotter_log.events from blotter_log_app"),
		"status", 1,
		`^blotter_log_app has the privilege UPDATE on blotter_log\.events$`},
	{"events expire", "kafka", func(s *site) func() {
		s.retention("604800000")
		return func() { s.retention("-1") }
	}, "verify", 1, `blotter\.events has retention\.ms=604800000, want -1$`},
	{"archive without its lock", "", (*site).unlock,
		"verify", 1, `^the audit bucket has no object lock: blotter-audit$`},

	// A local copy is not the log. The extract's own event is past the checkpoint.
	{"index edited", "kafka", func(s *site) func() { return s.index(mwh100, mwh900) },
		"verify", 1, `^the log verifies to its checkpoint, and the index or an event past the ` +
			`checkpoint was changed: .*it differs from the log`},
	{"index edited, for the desk", "kafka",
		func(s *site) func() { s.index(mwh100, mwh900); return nothing },
		"import {}/more.jsonl", 1,
		`(?s)^1 of 1 lines were not accepted: 0 bad, 1 refused\n.*: quantity\.exceeds-open: `},

	// A verifier has the public key alone.
	{"no signer key", "", moving("keys/signer"), "verify --key {}/public.key", 0,
		`^verified to checkpoint blotter\.example/5, `},
	{"another key", "", func(s *site) func() { return nothing },
		"verify --key {}/other.key", 1, `^the checkpoints in the archive are signed by another ` +
			`key, blotter\.example\+[0-9a-f]{8}, and not by blotter\.example\+[0-9a-f]{8}$`},
	{"public key replaced", "", func(s *site) func() {
		path := filepath.Join(s.data, "keys", "verifier")
		require.NoError(s.t, exec.Command("cp", s.path("other.key"), path).Run())
		return func() { require.NoError(s.t, exec.Command("cp", s.path("public.key"), path).Run()) }
	}, "seal", 1, `keys/verifier is not the public key of keys/signer$`},

	// Whoever may write to the archive's bucket puts an object there.
	{"junk for a checkpoint", "", planting("checkpoints/000000000999"), "verify", 0,
		`^  checkpoints/000000000999: not a checkpoint of this log: malformed note$`},
	{"junk for the next batch", "", planting("batches/000000000002"), "verify", 0,
		`^  batches/000000000002: not a batch of this log: malformed note$`},
	{"junk beside", "", planting("tiles/0", "keys/verifier"), "verify", 0,
		`^  tiles/0: no object of an archive has this name$`},
	{"sealing beside junk", "", func(s *site) func() {
		s.plant("batches/000000000002.1/x", "checkpoints/000000000008/x", "tile/0/000.p/8/x")
		s.run("import", s.path("more.jsonl"))
		return nothing
	}, "seal", 0, `^sealed to checkpoint blotter\.example/8, `},

	// A snapshot that is on record is gone, and no other one takes its place.
	{"snapshot deleted", "", moving("stack/s3/objects/blotter-replay/snapshots/s2"), "replay", 1,
		`^snapshot s2 is on record, but not in the archive$`},

	// An extract was changed, by anybody or by the holder of the signer key.
	{"extract with an endless file", "", inPlace("events.jsonl", endless), verifyBad, 1,
		`does not verify: events\.jsonl: .*not a regular file`},
	{"extract with a pipe", "", inPlace("manifest.note", fifo), verifyBad, 1,
		`does not verify: manifest\.note: .*not a regular file`},
	{"extract with 3 GB of note", "", inPlace("manifest.note", sparse), verifyBad, 1,
		`does not verify: manifest\.note: .*bytes`},
	{"extract with another file", "", inBundle(func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "events.xlsx"), nil, 0o600)
	}), verifyBad, 1, `does not verify: events\.xlsx: the file does not belong to the bundle`},
	{"extract without its request", "", inBundle(func(dir string) error {
		return os.Remove(dir + ".request")
	}), verifyBad, 0,
		`^  not proven: who wanted the extract, and why: the file .* is missing$`},
	{"extract of another log", "", func(s *site) func() {
		return s.resign("manifest.json", "blotter.example", "desk.example")
	}, verifyBad, 1, `does not verify: .*desk\.example`},
	{"extract with another scale", "", func(s *site) func() {
		return s.resign("schemas/trade.new.v1.avsc", `"scale": 6`, `"scale": 4`)
	}, verifyBad, 1, `does not verify: schemas/trade\.new\.v1\.avsc: `},

	{"all is undone", "", func(*site) func() { return nothing }, "status", 0,
		`^  checkpoint +blotter\.example/8, .* 0 events past it`},

	// Another program appends an event that no desk would accept. It stays on record.
	{"illegal event", "", func(s *site) func() { s.force("more.jsonl"); return nothing },
		"status", 1,
		`^ +trade/P-1 +3 +[0-9]+/[0-9]+ +ops/1 +other-desk:7 +quantity\.exceeds-open `},
	{"illegal event, for its book", "", func(s *site) func() { return nothing }, "position", 0,
		`^\(parked: trade/P-1 counts up to version 2; version 3 is illegal: `},
}

// Each tampering that the tree does not show is caught, and named with its cause.
func TestEveryBreachIsNamed(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	for _, store := range []string{"kafka", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, store)
			s.ok("status")
			t.Run("no secret", func(t *testing.T) { s.requireSecrets(t) })
			for _, b := range breaches {
				if b.store != "" && b.store != store {
					continue
				}
				t.Run(b.name, func(t *testing.T) {
					undo := b.do(s)
					defer undo()
					r := s.run(strings.Fields(strings.ReplaceAll(b.args, "{}", s.dir))...)
					require.Equal(t, b.code, r.code, r.stdout+r.stderr)
					require.Regexp(t, "(?m)"+b.says, r.stdout+r.complaint()+"\n"+r.stderr)
				})
			}
			s.ok("verify")
		})
	}
}

// requireSecrets requires that each server refuses a local user without the secrets of the data
// folder, and names the refusal.
func (s *site) requireSecrets(t *testing.T) {
	ctx := t.Context()
	ping := func(change func(*stack.Kafka)) error {
		at := s.kept.Kafka
		change(&at)
		options, err := at.Options()
		require.NoError(t, err)
		client, err := kgo.NewClient(append(options, kgo.RequestRetries(0))...)
		require.NoError(t, err)
		defer client.Close()
		return client.Ping(ctx)
	}
	require.NoError(t, ping(func(*stack.Kafka) {}))
	require.Error(t, ping(func(at *stack.Kafka) { at.Password = "guess" }), "it hangs up")
	require.Error(t, ping(func(at *stack.Kafka) { at.Mechanism = "" }), "it hangs up")

	request, err := http.NewRequestWithContext(ctx, http.MethodDelete,
		s.kept.Registry.URL+"/subjects/blotter.events-trade.new", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)

	dsn, err := url.Parse(s.kept.Postgres.DSN)
	require.NoError(t, err)
	dsn.User = url.UserPassword(dsn.User.Username(), "guess")
	_, err = pgx.Connect(ctx, dsn.String())
	require.ErrorContains(t, err, "SQLSTATE 28P01")

	anybody := s.kept.S3
	anybody.SecretKey = "guess"
	client, err := anybody.Client()
	require.NoError(t, err)
	_, err = client.ListBuckets(ctx)
	require.Equal(t, http.StatusForbidden, minio.ToErrorResponse(err).StatusCode)
}
