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

// tampered is a log in which the event at offset 2 was changed, or removed.
type tampered struct {
	contract.Reader
	change func(*contract.Recorded) bool // false removes the event
}

func (l tampered) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
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

var everyBit = flag.Bool("every-bit", false,
	"flip every bit of a bundle, and not one in seven (which covers all bytes and bit numbers)")

// Verify names the file of every flipped bit, and in a file with a line for each event the line.
func TestFlippedBitsAreFound(t *testing.T) {
	t.Parallel()
	d := newLog(t)
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
	} else if testing.Short() {
		step = 61 // all bit numbers, and one byte in eight
	}
	for path := range bundle {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for n := 0; n < len(bundle[path].Data)*8; n += step {
				flipBit(t, bundle, path, n, d.options.Verifier)
			}
		})
	}
}

// flipBit flips one bit of a file, and requires that Verify names the file and the line.
func flipBit(t *testing.T, bundle fstest.MapFS, path string, n int, key note.Verifier) {
	data := bundle[path].Data
	bad := bytes.Clone(data)
	bad[n/8] ^= 1 << (n % 8)
	f := faultOf(t, changed(bundle, path, bad), key)
	if f.File != path {
		t.Fatalf("bit %d of %s: %v", n, path, f)
	}
	line := 1 + bytes.Count(data[:n/8], []byte("\n"))
	if f.Line != line && hasLines(path) && data[n/8] != '\n' && bad[n/8] != '\n' {
		t.Fatalf("bit %d of %s: want line %d: %v", n, path, line, f)
	}
}

// hasLines reports whether a file has a line for each event. A changed line end may show in the
// line before or after it.
func hasLines(path string) bool { return strings.HasSuffix(path, ".jsonl") || path == "events.csv" }

func TestMissingAndExtraFilesAreNamed(t *testing.T) {
	t.Parallel()
	d := story(t)
	bundle := d.make(extract.Query{}, 0)
	for path := range bundle {
		f := faultOf(t, changed(bundle, path, nil), d.options.Verifier)
		require.Equal(t, extract.Fault{File: path, What: "the file is missing"}, *f)
	}
	for _, path := range []string{"added", "schemas/added", ".hidden"} {
		f := faultOf(t, changed(bundle, path, []byte("x")), d.options.Verifier)
		require.Equal(t, path, f.File)
		require.Contains(t, f.What, "does not belong to the bundle")
	}
	extra := changed(bundle, "more/added", []byte("x"))
	require.Equal(t, "more", faultOf(t, extra, d.options.Verifier).File)
	bundle["link"] = &fstest.MapFile{Data: []byte("checkpoint"), Mode: fs.ModeSymlink}
	require.Equal(t, "link", faultOf(t, bundle, d.options.Verifier).File)
}

func TestAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	d := story(t)
	bundle := d.make(extract.Query{}, 0)
	_, stranger := keys(t, "example.com/another")
	f := faultOf(t, bundle, stranger)
	require.Equal(t, "manifest.note", f.File)
	require.Contains(t, f.What, "the signature is not one of the key given")
}

// A signature for one purpose is refused for another.
func TestSignaturesServeOnePurpose(t *testing.T) {
	t.Parallel()
	d, dir := story(t), filepath.Join(t.TempDir(), "out")
	_, err := extract.Make(t.Context(), dir, ask(extract.Query{}), d.options)
	require.NoError(t, err)
	bundle := load(t, dir)
	request, err := os.ReadFile(extract.RequestFile(dir))
	require.NoError(t, err)
	for _, signed := range [][]byte{request, bundle["checkpoint"].Data} {
		f := faultOf(t, changed(bundle, "manifest.note", signed), d.options.Verifier)
		require.Equal(t, "manifest.note", f.File)
	}
	for _, signed := range [][]byte{bundle["manifest.note"].Data, bundle["checkpoint"].Data} {
		_, err := extract.OpenRequest(signed, d.options.Verifier)
		require.Error(t, err)
	}
}

// A lie is a change of a bundle by its maker, who has the key, and the fault that Verify must find.
type lie struct {
	name   string
	query  extract.Query
	change func(forgery)
	want   string
}

// replacing returns a change that replaces a text in a file.
func replacing(path, was, is string) func(forgery) {
	return func(f forgery) { f.replace(path, was, is) }
}

// dropping returns a change that removes lines of a file.
func dropping(path string, lines ...int) func(forgery) {
	return func(f forgery) { f.drop(path, lines...) }
}

// inManifest returns a change of the manifest.
func inManifest(change func(*extract.Manifest)) func(forgery) {
	return func(f forgery) { f.manifest(change) }
}

var everything = extract.Query{}

var liesInLines = []lie{
	{"attribute", everything,
		replacing("events.jsonl", `"reason":"client order"`, `"reason":"my own order"`),
		"events.jsonl, line 1: it is not leaf 0 under the checkpoint"},
	{"readable data", everything,
		replacing("events.jsonl", `"price":"-37.63"`, `"price":"37.63"`),
		"events.jsonl, line 3: data differs from raw, decoded by its schema"},
	{"spelling of a line", everything,
		replacing("events.jsonl", `"leaf":2,`, `"leaf": 2,`),
		"events.jsonl, line 3: the line is not spelled as an extract spells it"},
	{"index", everything,
		replacing("events.jsonl", `"leaf":2,`, `"leaf":3,`),
		"events.jsonl, line 3: the event is at leaf 3, and its proof is that of leaf 2"},
	{"proof of another event", trades("T-1"), func(f forgery) {
		lines := f.lines("proofs.jsonl")
		second := lines[2][strings.Index(lines[2], `"hashes"`):]
		lines[1] = lines[1][:strings.Index(lines[1], `"hashes"`)] + second
		f.put("proofs.jsonl", strings.Join(lines, ""))
	}, "events.jsonl, line 2: it is not leaf 2 under the checkpoint"},
	{"event missing from everything", everything, func(f forgery) {
		f.drop("events.jsonl", 8)
		f.drop("proofs.jsonl", 11)
	}, "events.jsonl, line 8: leaf 11 comes after leaf 9"},
	{"last batch missing from everything", everything, func(f forgery) {
		f.drop("events.jsonl", 9)
		f.drop("proofs.jsonl", 13, 12)
	}, "proofs.jsonl: it ends with leaf 10 of the 13 leaves under the checkpoint"},
	{"event given as a header", everything, func(f forgery) {
		f.drop("events.jsonl", 1)
		f.replace("proofs.jsonl", `{"leaf":0,`, `{"leaf":0,"header":"AAAA",`)
	}, "proofs.jsonl, line 1: the leaf is not the header of a batch"},
	{"event missing from a stream", trades("T-1"), func(f forgery) {
		f.drop("events.jsonl", 2)
		f.drop("proofs.jsonl", 2)
	}, "events.jsonl, line 3: versions are not dense: stream trade/T-1 goes from 1 to 3"},
	{"two events exchanged", everything, func(f forgery) {
		f.swap("events.jsonl", 1, 2)
		f.swap("proofs.jsonl", 1, 2)
	}, "events.jsonl, line 1: leaf 1 comes after leaf -1"},
	{"event without a proof", trades("T-1"), dropping("proofs.jsonl", 4),
		"events.jsonl, line 4: there is no proof for this event"},
	{"proof without an event", trades("T-1"), dropping("events.jsonl", 4),
		"proofs.jsonl, line 4: there is no event for this proof"},
}

var liesInManifest = []lie{
	{"other trades", trades("T-1"),
		inManifest(func(m *extract.Manifest) { m.Query.UTIs = []string{"T-2"} }),
		"events.jsonl, line 1: the event does not answer the query"},
	{"another book", extract.Query{Book: "CRUDE"},
		inManifest(func(m *extract.Manifest) { m.Query.Book = "OTHER" }),
		"events.jsonl: trade T-1 does not answer the query: it was never in book OTHER"},
	{"count", everything, inManifest(func(m *extract.Manifest) { m.Counts.Events++ }),
		"manifest.json: it counts"},
	{"claim", trades("T-1"), inManifest(func(m *extract.Manifest) { m.NotProven = nil }),
		"manifest.json: its claims are not those of its query"},
	{"another origin", everything,
		inManifest(func(m *extract.Manifest) { m.Origin = "example.com/another" }),
		"manifest.note: it is of the log example.com/another, " +
			"and the key is that of the log example.com/blotter/test"},
	{"root", everything,
		inManifest(func(m *extract.Manifest) { m.Checkpoint.Root = strings.Repeat("00", 32) }),
		"checkpoint: it is signed, but it is not the checkpoint that the manifest names"},
	{"a later format", everything,
		inManifest(func(m *extract.Manifest) { m.Format = "blotter/extract/v4" }),
		`manifest.json: its format is "blotter/extract/v4", ` +
			`and this program reads "blotter/extract/v3"`},
	{"trades and a book", trades("T-1"),
		inManifest(func(m *extract.Manifest) { m.Query.Book = "CRUDE" }),
		"manifest.json: the query is bad: ask for trades or for a book, not for both"},
	{"listed stranger", everything, func(f forgery) {
		f.put("prices.xlsx", "x")
		f.manifest(func(m *extract.Manifest) {
			m.Files = append(m.Files, extract.File{Path: "prices.xlsx"})
		})
	}, `manifest.json: it lists the file "prices.xlsx", which does not belong there in a bundle`},
	{"unlisted file", everything,
		inManifest(func(m *extract.Manifest) { m.Files = m.Files[:5] }),
		`manifest.json: it does not list the file "schemas/command.refused.v1.avsc"`},
	{"schema elsewhere", everything, inManifest(func(m *extract.Manifest) {
		m.Schemas[0].File = "schemas/a.avsc"
		m.Files[5].Path = "schemas/a.avsc"
	}), `manifest.json: it lists the schema command.refused version 1 as "schemas/a.avsc"`},
	{"schema twice", everything, inManifest(func(m *extract.Manifest) {
		m.Schemas = slices.Insert(m.Schemas, 1, m.Schemas[0])
		m.Files = slices.Insert(m.Files, 6, m.Files[5])
	}), "manifest.json: it lists the schema command.refused version 1 twice or out of order"},
}

const settled = "schemas/trade.settled.v2.avsc"

var liesInFiles = []lie{
	{"cell", everything, replacing("events.csv", "-37.63", "-37.64"),
		"events.csv, line 4: the row differs from events.jsonl"},
	{"formula", everything, replacing("events.csv", "'=cmd()", "=cmd()"),
		"events.csv, line 5: the row differs from events.jsonl"},
	{"extra row", everything,
		func(f forgery) { f.put("events.csv", f.text("events.csv")+"1\r\n") },
		"events.csv, line 11: the file continues after the last event"},
	{"missing row", everything, dropping("events.csv", 10),
		"events.csv, line 10: the row differs from events.jsonl"},
	{"schema field", everything, replacing(settled, `"price"`, `"prize"`),
		settled + ": it is not the schema that the manifest lists as trade.settled version 2"},
	{"schema scale", trades("T-1"), func(f forgery) {
		f.put(settled, strings.ReplaceAll(f.text(settled), `"scale": 6`, `"scale": 4`))
		f.replace("events.jsonl", `"value":"30"`, `"value":"3000"`)
		f.replace("events.jsonl", `"price":"-37.63"`, `"price":"-3763"`)
		f.replace("events.csv", `,30,"bbl"`, `,3000,"bbl"`)
		f.replace("events.csv", `,-37.63,`, `,-3763,`)
	}, settled + ": it differs from the published schema trade.settled version 2"},
	{"instructions", everything,
		replacing("README.txt", "Take it from the owner of the log, never", "Take it"),
		"README.txt: it is not the text of an extract of format blotter/extract/v3"},
	{"no schema", everything, func(f forgery) { f.put(settled, "{") },
		settled + ": not an avro schema"},
}

// The maker of a bundle has the key, and may lie or be mistaken. Verify checks every claim of the
// manifest.
func TestSignedLiesAreFound(t *testing.T) {
	t.Parallel()
	d := story(t)
	for _, tc := range slices.Concat(liesInLines, liesInManifest, liesInFiles) {
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
	log    *sealedLog
	bundle fstest.MapFS
}

// text returns a file, and no text for one that is missing.
func (f forgery) text(path string) string {
	if file := f.bundle[path]; file != nil {
		return string(file.Data)
	}
	return ""
}

func (f forgery) put(path, text string) {
	f.bundle[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
}

func (f forgery) lines(path string) []string { return slices.Collect(strings.Lines(f.text(path))) }

func (f forgery) replace(path, was, is string) {
	require.Contains(f, f.text(path), was)
	f.put(path, strings.Replace(f.text(path), was, is, 1))
}

func (f forgery) drop(path string, lines ...int) {
	all := f.lines(path)
	for _, n := range lines {
		all = slices.Delete(all, n-1, n)
	}
	f.put(path, strings.Join(all, ""))
}

func (f forgery) swap(path string, a, b int) {
	all := f.lines(path)
	all[a-1], all[b-1] = all[b-1], all[a-1]
	f.put(path, strings.Join(all, ""))
}

func (f forgery) manifest(change func(*extract.Manifest)) extract.Manifest {
	var m extract.Manifest
	require.NoError(f, json.Unmarshal([]byte(f.text("manifest.json")), &m))
	change(&m)
	text, err := json.MarshalIndent(m, "", "  ")
	require.NoError(f, err)
	f.put("manifest.json", string(text)+"\n")
	return m
}

func (f forgery) sign() {
	m := f.manifest(func(m *extract.Manifest) {
		for i, file := range m.Files {
			data := []byte(f.text(file.Path))
			sum := sha256.Sum256(data)
			m.Files[i] = extract.File{
				Path: file.Path, Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
			}
		}
	})
	manifest := []byte(f.text("manifest.json"))
	text := fmt.Sprintf("blotter extract manifest v3\n%s\nbytes %d\nsha256 %x\n",
		m.Origin, len(manifest), sha256.Sum256(manifest))
	signed, err := note.Sign(&note.Note{Text: text}, f.log.options.Signer)
	require.NoError(f, err)
	f.put("manifest.note", string(signed))
}

// Verify accepts exactly one signature, in one spelling.
func TestExtraSignaturesAreRefused(t *testing.T) {
	t.Parallel()
	d := story(t)
	bundle := d.make(extract.Query{}, 0)
	signed := string(bundle["manifest.note"].Data)
	other, _ := keys(t, "example.com/another")
	second, err := note.Sign(&note.Note{Text: "x\n"}, other)
	require.NoError(t, err)
	_, line, _ := strings.Cut(string(second), "\n\n")
	loose := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 68))
	repeated := signed[strings.LastIndex(signed, "—"):]
	for _, extra := range []string{line, "— x " + loose + "\n", repeated, "\n"} {
		bad := changed(bundle, "manifest.note", []byte(signed+extra))
		require.Equal(t, "manifest.note", faultOf(t, bad, d.options.Verifier).File)
	}
}
