package extract_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// tampered is a log in which the event at offset 2 is not what it was.
type tampered struct {
	contract.Reader
	change func(*contract.Recorded) bool
}

func (l tampered) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.Reader.Read(ctx, from, to) {
			if r.Position.Offset == 2 && !l.change(&r) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

var everyBit = flag.Bool("every-bit", false, "flip every bit of a bundle, and not one in seven (which still are all bytes, and all places in a byte)")

func TestEveryFlippedBitIsCaughtAndItsFileNamed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.record("trade/T-1", trade.Settle{Quantity: barrels("30"), Price: trade.Dec("-37.63")})
	d.record("trade/T-1", trade.Settle{Quantity: barrels("1"), Price: trade.Dec("70")})
	d.seal()
	bundle := d.make(extract.Query{}, 0)
	_, err := extract.Verify(bundle, d.options.Verifier)
	require.NoError(t, err)
	require.Len(t, bundle, 8)
	step := 7
	if *everyBit {
		step = 1
	}
	for path, file := range bundle {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for n := 0; n < len(file.Data)*8; n += step {
				bad := bytes.Clone(file.Data)
				bad[n/8] ^= 1 << (n % 8)
				f := faultOf(t, changed(bundle, path, bad), d.options.Verifier)
				if f.File != path {
					t.Fatalf("bit %d of %s: %v", n, path, f)
				}
				if line := 1 + bytes.Count(file.Data[:n/8], []byte("\n")); f.Line != line && lined(path, file.Data[n/8], bad[n/8]) {
					t.Fatalf("bit %d of %s: want line %d: %v", n, path, line, f)
				}
			}
		})
	}
}

// lined says whether the line of a changed byte must be named: in the files of one line for each event, unless it is a line end that
// came or went, which may show in the line before or after.
func lined(path string, was, is byte) bool {
	return (strings.HasSuffix(path, ".jsonl") || path == "events.csv") && was != '\n' && is != '\n'
}

func TestFilesThatComeOrGoAreNamed(t *testing.T) {
	t.Parallel()
	d := story(t)
	bundle := d.make(extract.Query{}, 0)
	for path := range bundle {
		f := faultOf(t, changed(bundle, path, nil), d.options.Verifier)
		require.Equal(t, extract.Fault{File: path, What: "it is missing"}, *f)
	}
	for _, path := range []string{"added", "schemas/added", ".hidden"} {
		f := faultOf(t, changed(bundle, path, []byte("x")), d.options.Verifier)
		require.Equal(t, path, f.File)
		require.Contains(t, f.What, "does not belong to the bundle")
	}
	require.Equal(t, "more", faultOf(t, changed(bundle, "more/added", []byte("x")), d.options.Verifier).File)
	bundle["link"] = &fstest.MapFile{Data: []byte("checkpoint"), Mode: fs.ModeSymlink}
	require.Equal(t, "link", faultOf(t, bundle, d.options.Verifier).File)
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	t.Parallel()
	d := story(t)
	bundle := d.make(extract.Query{}, 0)
	_, stranger := keys(t, "example.com/another")
	f := faultOf(t, bundle, stranger)
	require.Equal(t, "manifest.note", f.File)
	require.Contains(t, f.What, "not signed by the key given")
}

// A signature for one purpose is none for another.
func TestSignaturesDoNotServeForEachOther(t *testing.T) {
	t.Parallel()
	d, dir := story(t), filepath.Join(t.TempDir(), "out")
	_, err := extract.Make(t.Context(), dir, extract.Ask{Actor: "auditor/1", Reason: "year end", At: noon}, d.options)
	require.NoError(t, err)
	bundle := load(t, dir)
	request, err := os.ReadFile(extract.RequestFile(dir))
	require.NoError(t, err)
	for _, signed := range [][]byte{request, bundle["checkpoint"].Data} {
		require.Equal(t, "manifest.note", faultOf(t, changed(bundle, "manifest.note", signed), d.options.Verifier).File)
	}
	for _, signed := range [][]byte{bundle["manifest.note"].Data, bundle["checkpoint"].Data} {
		_, err := extract.OpenRequest(signed, d.options.Verifier)
		require.Error(t, err)
	}
}

// Who makes a bundle may be mistaken, or lie, and has the key. What the manifest claims is checked all the same.
func TestASignedBundleThatLiesIsCaught(t *testing.T) {
	t.Parallel()
	d := story(t)
	for _, tc := range []struct {
		name   string
		query  extract.Query
		change func(forgery)
		want   string
	}{
		{"an attribute", extract.Query{}, func(f forgery) { f.replace("events.jsonl", `"reason":"client order"`, `"reason":"my own order"`) },
			"events.jsonl, line 1: this is not what is at leaf 0 under the checkpoint"},
		{"the readable data", extract.Query{}, func(f forgery) { f.replace("events.jsonl", `"price":"-37.63"`, `"price":"37.63"`) },
			"events.jsonl, line 3: data does not say what raw says under its schema"},
		{"the spelling of a line", extract.Query{}, func(f forgery) { f.replace("events.jsonl", `"leaf":2,`, `"leaf": 2,`) },
			"events.jsonl, line 3: it is not written as an extract writes it"},
		{"an index", extract.Query{}, func(f forgery) { f.replace("events.jsonl", `"leaf":2,`, `"leaf":3,`) },
			"events.jsonl, line 3: it is at leaf 3, and its proof is of leaf 2"},
		{"the proof of another event", extract.Query{UTIs: []string{"T-1"}}, func(f forgery) {
			lines := f.lines("proofs.jsonl")
			second := lines[2][strings.Index(lines[2], `"hashes"`):]
			lines[1] = lines[1][:strings.Index(lines[1], `"hashes"`)] + second
			f.put("proofs.jsonl", strings.Join(lines, ""))
		}, "events.jsonl, line 2: this is not what is at leaf 2 under the checkpoint"},
		{"an event left out of everything", extract.Query{}, func(f forgery) { f.drop("events.jsonl", 8); f.drop("proofs.jsonl", 11) },
			"events.jsonl, line 8: leaf 11 comes behind leaf 9"},
		{"the last batch left out of everything", extract.Query{}, func(f forgery) { f.drop("events.jsonl", 9); f.drop("proofs.jsonl", 13); f.drop("proofs.jsonl", 12) },
			"proofs.jsonl: it ends with leaf 10, and there are 13 under the checkpoint"},
		{"an event passed off as a header", extract.Query{}, func(f forgery) {
			f.drop("events.jsonl", 1)
			f.replace("proofs.jsonl", `{"leaf":0,`, `{"leaf":0,"header":"AAAA",`)
		}, "proofs.jsonl, line 1: not the header of a batch"},
		{"an event left out of a stream", extract.Query{UTIs: []string{"T-1"}}, func(f forgery) { f.drop("events.jsonl", 2); f.drop("proofs.jsonl", 2) },
			"events.jsonl, line 3: versions are not dense: stream trade/T-1 goes from 1 to 3"},
		{"two events exchanged", extract.Query{}, func(f forgery) { f.swap("events.jsonl", 1, 2); f.swap("proofs.jsonl", 1, 2) },
			"events.jsonl, line 1: leaf 1 comes behind leaf -1"},
		{"an event without a proof", extract.Query{UTIs: []string{"T-1"}}, func(f forgery) { f.drop("proofs.jsonl", 4) },
			"events.jsonl, line 4: there is no proof for it"},
		{"a proof without an event", extract.Query{UTIs: []string{"T-1"}}, func(f forgery) { f.drop("events.jsonl", 4) },
			"proofs.jsonl, line 4: there is no event for it"},
		{"what was not asked for", extract.Query{UTIs: []string{"T-1"}}, func(f forgery) { f.manifest(func(m *extract.Manifest) { m.Query.UTIs = []string{"T-2"} }) },
			"events.jsonl, line 1: it does not answer the query"},
		{"another book", extract.Query{Book: "CRUDE"}, func(f forgery) { f.manifest(func(m *extract.Manifest) { m.Query.Book = "OTHER" }) },
			"events.jsonl: trade T-1 does not answer the query: it was never in book OTHER"},
		{"a count", extract.Query{}, func(f forgery) { f.manifest(func(m *extract.Manifest) { m.Counts.Events++ }) },
			"manifest.json: it counts"},
		{"a claim", extract.Query{UTIs: []string{"T-1"}}, func(f forgery) { f.manifest(func(m *extract.Manifest) { m.NotProven = nil }) },
			"manifest.json: it claims other things than its query allows"},
		{"another origin", extract.Query{}, func(f forgery) { f.manifest(func(m *extract.Manifest) { m.Origin = "example.com/another" }) },
			"checkpoint: it is signed, and is not the checkpoint that the manifest names"},
		{"a root", extract.Query{}, func(f forgery) {
			f.manifest(func(m *extract.Manifest) { m.Checkpoint.Root = strings.Repeat("00", 32) })
		},
			"checkpoint: it is signed, and is not the checkpoint that the manifest names"},
		{"a format to come", extract.Query{}, func(f forgery) { f.manifest(func(m *extract.Manifest) { m.Format = "blotter/extract/v2" }) },
			`manifest.json: its format is "blotter/extract/v2", and this program reads "blotter/extract/v1"`},
		{"a cell", extract.Query{}, func(f forgery) { f.replace("events.csv", "-37.63", "-37.64") },
			"events.csv, line 4: it is not what events.jsonl says"},
		{"a formula", extract.Query{}, func(f forgery) { f.replace("events.csv", "'=cmd()", "=cmd()") },
			"events.csv, line 5: it is not what events.jsonl says"},
		{"a row more", extract.Query{}, func(f forgery) { f.put("events.csv", f.text("events.csv")+"1\r\n") },
			"events.csv, line 11: it goes on after the last event"},
		{"a row less", extract.Query{}, func(f forgery) { f.drop("events.csv", 10) },
			"events.csv, line 10: it is not what events.jsonl says"},
		{"the schema's fields", extract.Query{}, func(f forgery) { f.replace("schemas/trade.settled.v2.avsc", `"price"`, `"prize"`) },
			"schemas/trade.settled.v2.avsc: it is not the schema that the manifest lists as trade.settled version 2"},
		{"the schema's scale", extract.Query{}, func(f forgery) { f.replace("schemas/trade.settled.v2.avsc", `"scale": 6`, `"scale": 2`) },
			"events.jsonl, line 3: data does not say what raw says under its schema"},
		{"no schema", extract.Query{}, func(f forgery) { f.put("schemas/trade.settled.v2.avsc", "{") },
			"schemas/trade.settled.v2.avsc: not an avro schema"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := forgery{t, d, maps.Clone(d.make(tc.query, 0))}
			tc.change(f)
			f.sign()
			require.Contains(t, faultOf(t, f.bundle, d.options.Verifier).Error(), tc.want)
		})
	}
}

// A forgery is a bundle that is changed, and signed again.
type forgery struct {
	*testing.T
	desk   *desk
	bundle fstest.MapFS
}

func (f forgery) text(path string) string { return string(f.bundle[path].Data) }
func (f forgery) put(path, text string) {
	f.bundle[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
}
func (f forgery) lines(path string) []string { return slices.Collect(strings.Lines(f.text(path))) }

func (f forgery) replace(path, was, is string) {
	require.Contains(f, f.text(path), was)
	f.put(path, strings.Replace(f.text(path), was, is, 1))
}

func (f forgery) drop(path string, line int) {
	all := f.lines(path)
	f.put(path, strings.Join(slices.Delete(all, line-1, line), ""))
}

func (f forgery) swap(path string, a, b int) {
	all := f.lines(path)
	all[a-1], all[b-1] = all[b-1], all[a-1]
	f.put(path, strings.Join(all, ""))
}

func (f forgery) manifest(change func(*extract.Manifest)) {
	var m extract.Manifest
	require.NoError(f, json.Unmarshal([]byte(f.text("manifest.json")), &m))
	change(&m)
	text, err := json.MarshalIndent(m, "", "  ")
	require.NoError(f, err)
	f.put("manifest.json", string(text)+"\n")
}

func (f forgery) sign() {
	f.manifest(func(m *extract.Manifest) {
		for i, file := range m.Files {
			data := f.bundle[file.Path].Data
			sum := sha256.Sum256(data)
			m.Files[i] = extract.File{Path: file.Path, Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
		}
	})
	var m extract.Manifest
	require.NoError(f, json.Unmarshal([]byte(f.text("manifest.json")), &m))
	text := fmt.Sprintf("blotter extract manifest v1\n%s\nsha256 %x\n", m.Origin, sha256.Sum256([]byte(f.text("manifest.json"))))
	signed, err := note.Sign(&note.Note{Text: text}, f.desk.options.Signer)
	require.NoError(f, err)
	f.put("manifest.note", string(signed))
}

// A note takes exactly one signature, in one spelling.
func TestNothingCanBeAddedToASignature(t *testing.T) {
	t.Parallel()
	d := story(t)
	bundle := d.make(extract.Query{}, 0)
	signed := string(bundle["manifest.note"].Data)
	other, _ := keys(t, "example.com/another")
	second, err := note.Sign(&note.Note{Text: "x\n"}, other)
	require.NoError(t, err)
	_, line, _ := strings.Cut(string(second), "\n\n")
	loose := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 68))
	for _, bad := range []string{signed + line, signed + "— x " + loose + "\n", signed + signed[strings.LastIndex(signed, "—"):], signed + "\n"} {
		require.Equal(t, "manifest.note", faultOf(t, changed(bundle, "manifest.note", []byte(bad)), d.options.Verifier).File)
	}
}
