package extract

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
)

// A Request is who asked for a bundle, and why. It stands beside the bundle, signed, and not in it: the same question gives the same
// bundle, whoever asks.
type Request struct {
	Manifest [32]byte // SHA-256 of the bundle's manifest
	Actor    string
	Reason   string
	At       time.Time
}

type requestLine struct {
	Manifest string `json:"manifest"`
	Actor    string `json:"actor"`
	Reason   string `json:"reason"`
	At       string `json:"at"`
}

// check says what is missing from who and why.
func (r Request) check() error {
	for _, a := range []struct{ name, value string }{{"actor", r.Actor}, {"reason", r.Reason}} {
		switch {
		case strings.TrimSpace(a.value) == "":
			return fmt.Errorf("%s is empty", a.name)
		case len(a.value) > contract.MaxAttribute || !utf8.ValidString(a.value):
			return fmt.Errorf("%s is longer than %d bytes, or not UTF-8", a.name, contract.MaxAttribute)
		}
	}
	return nil
}

// Sign is r as a C2SP signed note.
func (r Request) Sign(key note.Signer) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	line := encodeLine(requestLine{hex.EncodeToString(r.Manifest[:]), r.Actor, r.Reason, r.At.UTC().Format(micros)})
	return note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%s\n", requestDomain, line)}, key)
}

// OpenRequest checks the signature of a request and reads it.
func OpenRequest(signed []byte, key note.Verifier) (Request, error) {
	text, err := openNote(signed, key)
	if err != nil {
		return Request{}, err
	}
	line, ok := strings.CutPrefix(text, requestDomain+"\n")
	if !ok {
		return Request{}, errors.New("it is signed, and is not the request for an extract")
	}
	var l requestLine
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		return Request{}, fmt.Errorf("it is not a request: %v", err)
	}
	p := parser{}
	r := Request{p.digest("manifest", l.Manifest), l.Actor, l.Reason, p.time("at", l.At)}
	if p.err == nil && !bytes.Equal(encodeLine(l), []byte(strings.TrimSuffix(line, "\n"))) {
		p.err = errors.New("it is not written as a request is")
	}
	return r, p.err
}
