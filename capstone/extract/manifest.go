package extract

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// Names of the files in a bundle, and of the folder of schemas.
const (
	manifestFile   = "manifest.json"
	signatureFile  = "manifest.note"
	checkpointFile = "checkpoint"
	eventsFile     = "events.jsonl"
	csvFile        = "events.csv"
	proofsFile     = "proofs.jsonl"
	readmeFile     = "README.txt"
	schemasFolder  = "schemas"
)

// Format and Tool are the same in every bundle of this version, because the same query must give
// the same bytes.
const (
	Format = "blotter/extract/v3"
	Tool   = "blotter extract 2"
)

// A Manifest describes a bundle. It is signed, and vouches for every other file by its digest.
type Manifest struct {
	Format     string     `json:"format"`
	Tool       string     `json:"tool"`
	Origin     string     `json:"origin"`    // of the log
	Simulated  bool       `json:"simulated"` // as sealed: recorded_at followed no clock
	Checkpoint Point      `json:"checkpoint"`
	Query      Asked      `json:"query"`
	Counts     Counts     `json:"counts"`
	Proven     []string   `json:"proven"`
	NotProven  []string   `json:"not_proven"`
	Schemas    []SchemaOf `json:"schemas"`
	Files      []File     `json:"files"`
}

// A Point is the checkpoint that everything is proved against.
type Point struct {
	Size int64  `json:"size"`
	Root string `json:"root"` // hexadecimal
}

// Asked is a Query as the manifest holds it.
type Asked struct {
	UTIs          []string `json:"utis,omitempty"`
	Book          string   `json:"book,omitempty"`
	Events        []string `json:"events,omitempty"` // ids
	RecordedFrom  string   `json:"recorded_from,omitempty"`
	RecordedUntil string   `json:"recorded_until,omitempty"` // included
}

// Counts counts the content of the bundle.
type Counts struct {
	Events  int64 `json:"events"`
	Streams int64 `json:"streams"`
	Headers int64 `json:"batch_headers"` // only in a bundle of everything
}

// A SchemaOf describes the schema of some data in the bundle.
type SchemaOf struct {
	Type        string `json:"type"`
	Version     int    `json:"version"`
	Fingerprint string `json:"fingerprint"` // SHA-256 of the Parsing Canonical Form, hexadecimal
	File        string `json:"file"`
}

// A File is any file except the manifest and its signature.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func (q Query) asked() Asked {
	a := Asked{UTIs: q.UTIs, Book: q.Book}
	for _, id := range q.Events {
		a.Events = append(a.Events, id.String())
	}
	if !q.From.IsZero() {
		a.RecordedFrom = q.From.Format(micros)
	}
	if !q.Until.IsZero() {
		a.RecordedUntil = q.Until.Format(micros)
	}
	return a
}

func (a Asked) query() (q Query, err error) {
	q.UTIs, q.Book = a.UTIs, a.Book
	for _, text := range a.Events {
		id, err := uuid.Parse(text)
		if err != nil || id.String() != text {
			return q, fmt.Errorf("%q is not the id of an event", text)
		}
		q.Events = append(q.Events, id)
	}
	if a.RecordedFrom != "" {
		if q.From, err = parseMicros(a.RecordedFrom); err != nil {
			return q, err
		}
	}
	if a.RecordedUntil != "" {
		q.Until, err = parseMicros(a.RecordedUntil)
	}
	return q, err
}

// encode returns the indented text of m. The signature covers exactly these bytes.
func (m Manifest) encode() []byte {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		// Every field is plain data.
		panic(fmt.Sprintf("extract: a manifest that does not marshal: %v", err))
	}
	return append(text, '\n')
}
