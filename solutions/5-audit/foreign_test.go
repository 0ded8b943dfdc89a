package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/stack/stacktest"
	audit "example.com/blotter/solutions/5-audit"
)

// plant puts an object into an archive, as anybody can who may write to the bucket.
func plant(t *testing.T, archive audit.Archive, name string, data []byte) {
	t.Helper()
	require.NoError(t, archive.Put(t.Context(), name, data))
}

func keyID(key note.Verifier) string {
	return fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash())
}

// passing opens an auditor that notes in the map each object that it passes over.
func passing(
	t *testing.T, log *audittest.Log, archive audit.Archive,
) (*audit.Auditor, map[string]string) {
	a, passed := open(t, log, archive), map[string]string{}
	a.Foreign = func(name string, why error) { passed[name] = why.Error() }
	return a, passed
}

// An object that the log's key did not sign counts for nothing: Seal and Verify go on, and Verify
// names each.
func TestForeignObjectsArePassedOver(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	stranger, strangers := newKeys(t)
	theirs := resealed(t, log, stranger, strangers)
	for name, data := range map[string][]byte{
		"checkpoints/000000000999":   []byte("junk"),
		"checkpoints/000000000099":   object(t, archive, checkpoint6),
		"checkpoints/000000000013":   object(t, theirs, "checkpoints/000000000011"),
		"checkpoints/latest":         []byte("junk"),
		"batches/000000000007":       []byte("junk"),
		"batches/000000000002.1":     object(t, theirs, batch2),
		"batches/000000000099":       object(t, archive, batch2),
		"batches/4":                  object(t, archive, batch2),
		"tile/entries/000.p/3":       []byte("junk"),
		"tile/entries/000.p/4.1":     []byte("junk"),
		"tile/entries/000":           []byte("junk"), // past the end of the tree: nobody can tell
		"tiles/000":                  []byte("junk"),
		"keys/verifier":              []byte("junk"),
		"checkpoints/000000000006.1": {},
	} {
		plant(t, archive, name, data)
	}
	want := map[string]string{
		"checkpoints/000000000999": "not a checkpoint of this log: malformed note",
		"checkpoints/000000000099": "not a checkpoint of this log: its size is 6",
		"checkpoints/000000000013": "not a checkpoint of this log: it is signed by another key, " +
			keyID(strangers) + ", and not by " + keyID(open(t, log, archive).Verifier),
		"checkpoints/latest":   "not a checkpoint of this log: malformed note",
		"batches/000000000007": "not a batch of this log: malformed note",
		"batches/000000000002.1": "not a batch of this log: " +
			"note has no verifiable signatures",
		"batches/000000000099":       "not a batch of this name: its number is 2",
		"batches/4":                  "no object of an archive has this name",
		"tile/entries/000.p/3":       "not a tile of the tree that the log's key signed",
		"tile/entries/000.p/4.1":     "not a tile of the tree that the log's key signed",
		"tiles/000":                  "no object of an archive has this name",
		"keys/verifier":              "no object of an archive has this name",
		"checkpoints/000000000006.1": "not a checkpoint of this log: malformed note",
	}
	a, passed := passing(t, log, archive)
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Equal(t, int64(12), v.Checkpoint.Size)
	require.Equal(t, want, passed)

	log.Add(5)
	a, passed = passing(t, log, archive)
	c, err := a.Seal(t.Context())
	require.NoError(t, err)
	require.Subset(t, slices.Collect(maps.Keys(passed)), []string{"checkpoints/000000000999"})
	v, err = a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Equal(t, c.Root, v.Checkpoint.Root)
	require.Zero(t, v.Unanchored)
}

// A foreign object that was put under a name BEFORE the sealer needs it stops no seal, whichever
// object of the seal it is. The tree is the one of an undisturbed archive.
func TestTakenNamesStopNoSeal(t *testing.T) {
	t.Parallel()
	log := audittest.NewLog(1)
	log.Add(8)
	undisturbed := new(audit.Memory)
	want, err := open(t, log, undisturbed).Seal(t.Context())
	require.NoError(t, err)
	names, err := undisturbed.List(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, names, 14,
		"three batches with records and two tiles each, a checkpoint and its copy")
	stranger, strangers := newKeys(t)
	theirs := resealed(t, log, stranger, strangers)

	for what, data := range map[string]func(name string) []byte{
		"junk":            func(string) []byte { return []byte("junk") },
		"of another key":  func(name string) []byte { return object(t, theirs, name) },
		"of another name": func(string) []byte { return object(t, undisturbed, batch2) },
	} {
		for _, name := range names {
			if name == batch2 && what == "of another name" || name == copied ||
				// see TestOtherKeyIsNamed; tiles do not depend on the key
				!strings.HasPrefix(name, "batches/") && what == "of another key" {
				continue
			}
			t.Run(what+" as "+name, func(t *testing.T) {
				t.Parallel()
				var archive audit.Archive = new(audit.Memory)
				if what == "junk" {
					archive = bucket(t) // nobody can remove the junk: it is locked
				}
				plant(t, archive, name, data(name))
				plant(t, archive, name+".1", []byte("more junk"))
				got, err := open(t, log, archive).Seal(t.Context())
				require.NoError(t, err)
				require.Equal(t, want.Root, got.Root)
				require.Equal(t, object(t, undisturbed, name), object(t, archive, name+".2"))

				again, err := open(t, log, archive).Seal(t.Context())
				require.NoError(t, err)
				require.Equal(t, got.Note, again.Note, "a second seal finds the first")
				require.Equal(t, "<nil>", faultText(t, open(t, log, archive)))
			})
		}
	}
}

// halved returns the hashes of the nodes over each two hashes of a tile.
func halved(tile []byte) (nodes []byte) {
	for pair := range slices.Chunk(tile, 2*tlog.HashSize) {
		node := tlog.NodeHash(tlog.Hash(pair[:tlog.HashSize]), tlog.Hash(pair[tlog.HashSize:]))
		nodes = append(nodes, node[:]...)
	}
	return nodes
}

// Hashes of another level than a tile's lead to the same root. Under the name of the tile they are
// foreign all the same: each tile has the width that the tree gives it.
func TestTilesOfAnotherWidthAreForeign(t *testing.T) {
	t.Parallel()
	sealTwice := func(t *testing.T, archive audit.Archive) (*audit.Auditor, []byte) {
		a := open(t, generatedLog(600), archive)
		a.Batch = 100
		first, err := a.Seal(t.Context())
		require.NoError(t, err)
		a.Log = generatedLog(800)
		_, err = a.Seal(t.Context())
		require.NoError(t, err)
		return a, first.Note
	}
	undisturbed := new(audit.Memory)
	sealTwice(t, undisturbed)
	tiles, err := undisturbed.List(t.Context(), "tile/")
	require.NoError(t, err)
	planted := map[string][][]byte{"tile/1/000.p/2": {slices.Concat(
		object(t, undisturbed, "tile/0/000"), object(t, undisturbed, "tile/0/001"))}}
	for _, name := range []string{"tile/0/000", "tile/0/002.p/94", "tile/1/000.p/2"} {
		data := object(t, undisturbed, name)
		for len(data)%(2*tlog.HashSize) == 0 {
			data = halved(data)
			planted[name] = append(planted[name], data)
		}
	}
	for name, all := range planted {
		for _, data := range all {
			hashes := len(data) / tlog.HashSize
			t.Run(fmt.Sprintf("%s of %d hashes", name, hashes), func(t *testing.T) {
				t.Parallel()
				archive := new(audit.Memory)
				plant(t, archive, name, data)
				a, kept := sealTwice(t, archive)
				require.Equal(t, "<nil>", faultText(t, a))
				v, err := a.VerifySince(t.Context(), kept)
				require.NoError(t, err)
				require.Nil(t, v.Fault)
				for r := range a.Log.Read(t.Context(), nil, []int64{1}) {
					_, err = a.Prove(t.Context(), r)
					require.NoError(t, err)
				}
				for _, tile := range tiles {
					answer := httptest.NewRecorder()
					a.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/"+tile, nil))
					require.Equal(t, object(t, undisturbed, tile), answer.Body.Bytes(), tile)
				}
			})
		}
	}
}

// Nobody can make a verifier run out of memory: an object that is too large for its name is not
// read.
func TestLargeObjectsAreNotRead(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), bucket(t)
	log.Add(3)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	const size = 64<<10 + 1
	for _, name := range []string{"checkpoints/000000000999", "signers/000000000001"} {
		_, err = archive.Client.PutObject(t.Context(), archive.Bucket, archive.Prefix+name,
			bytes.NewReader(make([]byte, size)), size, minio.PutObjectOptions{SendContentMd5: true})
		require.NoError(t, err)
	}
	a, passed := passing(t, log, archive)
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Equal(t, map[string]string{
		"checkpoints/000000000999": "no object of an archive is as large: 65537 bytes",
		"signers/000000000001":     "no object of an archive is as large: 65537 bytes",
	}, passed)
}

// accepting answers as a server that accepts every object under one name, because a delete marker
// hides the first object. The first object stays.
type accepting struct {
	http.RoundTripper
	path string
}

func (a accepting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || r.URL.Path != a.path {
		return a.RoundTripper.RoundTrip(r)
	}
	defer r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Body: http.NoBody, Request: r,
		Header: http.Header{"X-Amz-Version-Id": {"accepted"}},
	}, nil
}

// through puts a transport between an archive and its server.
func through(t *testing.T, a *audit.S3, wrap func(http.RoundTripper) http.RoundTripper) {
	t.Helper()
	endpoint, options := stacktest.S3(t)
	t.Cleanup(options.Transport.(interface{ CloseIdleConnections() }).CloseIdleConnections)
	options.Transport = wrap(options.Transport)
	var err error
	a.Client, err = minio.New(endpoint, options)
	require.NoError(t, err)
}

// A server may accept an object under the name of a hidden one. If the hidden one is too large to
// be read, the sealer takes the next name.
func TestLargeHiddenObjectsStopNoSeal(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), bucket(t)
	log.Add(3)
	const size, name = 64<<10 + 1, "checkpoints/000000000004"
	key := archive.Prefix + name
	_, err := archive.Client.PutObject(t.Context(), archive.Bucket, key,
		bytes.NewReader(make([]byte, size)), size, minio.PutObjectOptions{SendContentMd5: true})
	require.NoError(t, err)
	through(t, archive, func(server http.RoundTripper) http.RoundTripper {
		return accepting{server, "/" + archive.Bucket + "/" + key}
	})

	sealed, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, sealed.Note, object(t, archive, name+".1"))
	v, err := open(t, log, archive).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Equal(t, sealed.Note, v.Checkpoint.Note)
	err = archive.Put(t.Context(), "checkpoints/1", make([]byte, size))
	require.ErrorContains(t, err, "checkpoints/1: no object of an archive is as large: 65537 bytes")
}

// refusing answers as a server that does not hand some objects out. It lists them.
type refusing struct {
	http.RoundTripper
	pattern       string // of the objects' paths (path.Match)
	code, message string
}

func (f refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	if ok, err := path.Match(f.pattern, r.URL.Path); !ok || r.Method != http.MethodGet {
		if err != nil {
			return nil, err
		}
		return f.RoundTripper.RoundTrip(r)
	}
	body := "<Error><Code>" + f.code + "</Code><Message>" + f.message + "</Message></Error>"
	return &http.Response{
		StatusCode: http.StatusBadRequest, Request: r, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func (f refusing) between(t *testing.T, a *audit.S3, names string) {
	t.Helper()
	f.pattern = "/" + a.Bucket + "/" + a.Prefix + names
	through(t, a, func(server http.RoundTripper) http.RoundTripper {
		f.RoundTripper = server
		return f
	})
}

// The answers of Amazon S3 and MinIO, and of Ceph, for an object that its writer encrypted with a
// key of their own (SSE-C), and of Amazon S3 for an object in the class GLACIER.
var refusals = map[string]refusing{
	"SSE-C": {code: "InvalidRequest", message: "The object was stored using a form of Server " +
		"Side Encryption. The correct parameters must be provided to retrieve the object."},
	"SSE-C, Ceph": {code: "InvalidRequest", message: "Requests specifying Server Side " +
		"Encryption with Customer provided keys must provide an appropriate secret key."},
	"GLACIER": {code: "InvalidObjectState",
		message: "The operation is not valid for the object&apos;s storage class"},
}

// An object that the server does not hand out, because of its writer's choice, counts for nothing.
// It stops neither Seal nor Verify, also under a name that the sealer needs. Verify names it.
func TestRefusedObjectsArePassedOver(t *testing.T) {
	t.Parallel()
	for what, answer := range refusals {
		for _, name := range []string{batch1, "checkpoints/000000000004",
			bundle4, "checkpoints/000000000999", "batches/000000000999"} {
			t.Run(what+" as "+name, func(t *testing.T) {
				t.Parallel()
				log, archive := audittest.NewLog(1), bucket(t)
				log.Add(3)
				plant(t, archive, name, []byte("junk"))
				answer.between(t, archive, name)
				_, err := open(t, log, archive).Seal(t.Context())
				require.NoError(t, err)
				a, passed := passing(t, log, archive)
				v, err := a.Verify(t.Context())
				require.NoError(t, err)
				require.Nil(t, v.Fault)
				require.Equal(t, int64(4), v.Checkpoint.Size)
				require.Len(t, passed, 1)
				require.Contains(t, passed[name], "the server does not hand the object out: ")
			})
		}
	}
}

// Any other refusal may be the server's or the settings': it may concern an object of the sealer.
// Seal and Verify stop.
func TestOtherRefusalsStopSeals(t *testing.T) {
	t.Parallel()
	for _, answer := range []refusing{
		{code: "AccessDenied", message: "Access Denied."},
		{code: "InvalidRequest", message: "Missing required header for this request"},
		{code: "InvalidArgument", message: "a key of Server Side Encryption is missing"},
	} {
		log, archive := audittest.NewLog(1), bucket(t)
		log.Add(3)
		plant(t, archive, "checkpoints/000000000004", []byte("junk"))
		answer.between(t, archive, "checkpoints/000000000004")
		_, err := open(t, log, archive).Seal(t.Context())
		require.EqualError(t, err, "checkpoints/000000000004: "+answer.message)
		_, err = open(t, log, archive).Verify(t.Context())
		require.EqualError(t, err, "checkpoints/000000000004: "+answer.message)
	}
}

// An object of the sealer is never passed over: a second object in its slot could begin a second
// tree. Put knows its object by the version that the server gave it. A later Seal knows that the
// checkpoint exists which it has kept.
func TestOwnObjectsAreNotPassedOver(t *testing.T) {
	t.Parallel()
	for what, answer := range refusals {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			log, archive := audittest.NewLog(1), bucket(t)
			log.Add(3)
			answer.between(t, archive, "batches/*")
			_, err := open(t, log, archive).Seal(t.Context())
			require.ErrorContains(t, err, "reading back batches/000000000001: the server does not")
			names, err := archive.List(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, []string{batch1}, names)

			archive = bucket(t)
			sealed, err := open(t, log, archive).Seal(t.Context())
			require.NoError(t, err)
			log.Add(3)
			before, err := archive.List(t.Context(), "")
			require.NoError(t, err)
			answer.between(t, archive, "checkpoints/*")
			a := open(t, log, archive)
			a.Known = sealed.Note
			_, err = a.Seal(t.Context())
			require.ErrorContains(t, err, "checkpoints/000000000004: the server does not hand")
			names, err = archive.List(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, before, names, "nothing was put")
			require.Contains(t, faultText(t, a), "the archive was rolled back")
		})
	}
}

// After a fault Verify reads no more of the archive: an object that cannot be read hides no fault.
func TestUnreadObjectsHideNoFault(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	log.FlipBit(at(0, 1))
	plant(t, archive, "batches/000000000099", []byte("junk"))
	a := open(t, log, unreadable{archive, "batches/000000000099"})
	require.Contains(t, faultText(t, a), "position 0/1 ")
}

// unreadable is an archive with one object that cannot be read.
type unreadable struct {
	audit.Archive
	name string
}

func (u unreadable) Get(ctx context.Context, name string) ([]byte, error) {
	if name == u.name {
		return nil, errors.New("the server is down")
	}
	return u.Archive.Get(ctx, name)
}

func (u unreadable) Current(ctx context.Context, name string) ([]byte, error) {
	if name == u.name {
		return nil, errors.New("the server is down")
	}
	return u.Archive.Current(ctx, name)
}

// An archive whose checkpoints another key signed is named as that, and nothing is signed on top of
// it.
func TestOtherKeyIsNamed(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	stranger, strangers := newKeys(t)
	a := open(t, log, archive)
	ours := a.Verifier
	a.Signer, a.Verifier, a.Known = stranger, strangers, signed[1].Note

	var other *audit.KeyError
	_, err := a.Verify(t.Context())
	require.ErrorAs(t, err, &other)
	require.Equal(t, audit.KeyError{By: []string{keyID(ours)}, Key: keyID(strangers)}, *other)
	_, err = a.Seal(t.Context())
	require.ErrorAs(t, err, &other)
	require.ErrorAs(t, a.CheckKey(t.Context()), &other)

	signedByAny, err := audit.Signed(t.Context(), archive, origin)
	require.NoError(t, err)
	require.True(t, signedByAny)
	junk := new(audit.Memory)
	plant(t, junk, checkpoint6, []byte("junk"))
	signedByAny, err = audit.Signed(t.Context(), junk, origin)
	require.NoError(t, err)
	require.False(t, signedByAny, "junk is no checkpoint of a lost key")
}

// A signer that does not belong to the verifier would sign objects that nobody believes.
func TestKeysMustBeAPair(t *testing.T) {
	t.Parallel()
	stranger, _ := newKeys(t)
	o := open(t, audittest.NewLog(1), new(audit.Memory)).Options
	o.Signer = stranger
	_, err := audit.Open(o)
	require.ErrorContains(t, err, "no pair")
}

// A name below that of a slot cannot be an object's. On a server that keeps objects as files it
// takes the slot's name all the same. Such a server may also list no name below that of an object.
func TestNamesBelowStopNoSeal(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), bucket(t)
	log.Add(4)
	planted := []string{
		batch1 + "/x", batch1 + ".1/x", checkpoint6 + "/x", "tile/0/000.p/6/x", bundle4 + "/x",
		copied + "/x",
	}
	for _, name := range planted {
		plant(t, archive, name, []byte("junk"))
	}
	for range 2 {
		_, err := open(t, log, archive).Seal(t.Context())
		require.NoError(t, err)
		log.Add(4)
	}
	a, passed := passing(t, log, archive)
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Equal(t, int64(8), v.Sealed)
	listed, err := archive.List(t.Context(), "")
	require.NoError(t, err)
	require.Contains(t, passed, batch1+".1/x")
	for _, name := range planted {
		require.Equal(t, slices.Contains(listed, name), passed[name] != "", name)
	}
}
